import { errors } from "../../kernel/errors.ts";
import type { AppCall } from "../../kernel/operation.ts";

/** The user a call comes from, and the session behind the access token. */
export interface SignedIn {
  readonly appId: string;
  readonly userId: string;
  readonly sessionId: string;
}

/** Throws AUTH_REQUIRED, or why the token that was sent is no good, unless a user of the app itself calls. */
export function signedIn({ principal, principalProblem, app }: AppCall): SignedIn {
  if (principal.kind !== "user") {
    if (principalProblem !== undefined) throw principalProblem;
    throw errors.AUTH_REQUIRED({
      message: "This needs a signed-in user of the app.",
      remediation: "Log in (POST /auth/<app_id>/login) and send `Authorization: Bearer <access_token>`.",
    });
  }
  if (principal.appId !== app.id) throw errors.AUTH_INVALID_END_USER_JWT();
  return { appId: app.id, userId: principal.userId, sessionId: String(principal.claims.sid) };
}
