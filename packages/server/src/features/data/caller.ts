import type { Identity } from "../../engines/postgres/database.ts";
import { decideAccess } from "../../kernel/access.ts";
import { type AmbitError, errors, pausedError } from "../../kernel/errors.ts";
import type { App } from "../../kernel/operation.ts";
import type { Principal } from "../../kernel/principal.ts";
import { dataErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Who a request for rows runs as, or why it does not run. */
export type CallerDecision = { readonly identity: Identity } | { readonly refusal: AmbitError };

/** What the decision rests on. `asRole` and `asUser` are undefined when the caller did not give them. */
export interface CallerQuestion {
  readonly principal: Principal;
  readonly app: App;
  readonly asRole: string | undefined;
  readonly asUser: string | undefined;
  /** `view` to read, `develop` to write; asked of keys only. */
  readonly right: "view" | "develop";
  readonly nowMs: number;
}

const SERVICE: Identity = Object.freeze({ role: "service", claims: null });
const ANON: Identity = Object.freeze({ role: "anon", claims: null });

/**
 * Decides who a request runs as. Pure. A key runs as service, or as whom it names; a mistake in naming somebody is
 * refused and never falls back to service. Everyone else runs as what they are.
 */
export function decideCaller(question: CallerQuestion): CallerDecision {
  const { principal, app } = question;
  if (app.paused) return { refusal: pausedError(app.pausedReason) };
  if (principal.kind === "key") return decideKey(question);
  if (question.asRole !== undefined || question.asUser !== undefined) {
    return { refusal: dataErrors.AUTH_IMPERSONATION_FORBIDDEN() };
  }
  if (principal.kind === "user") {
    if (principal.appId !== app.id) return { refusal: errors.AUTH_INVALID_END_USER_JWT() };
    if (principal.expiresAtMs <= question.nowMs) return { refusal: errors.AUTH_END_USER_JWT_EXPIRED() };
    return { identity: { role: "user", claims: principal.claims } };
  }
  if (app.accessMode === "authenticated") {
    return {
      refusal: errors.AUTH_REQUIRED({
        message: "This app serves signed-in callers only.",
        remediation: "Send an access token of the app (POST /auth/<app_id>/login) or an API key.",
      }),
    };
  }
  return { identity: ANON };
}

function decideKey({ principal, app, right, nowMs, asRole, asUser }: CallerQuestion): CallerDecision {
  const refusal = decideAccess({ principal, right, personOnly: false, app, organizationId: null, nowMs });
  if (refusal !== null) return { refusal };
  if (asRole === undefined) {
    if (asUser === undefined) return { identity: SERVICE };
    return badImpersonation("X-Butterbase-As-User needs X-Butterbase-As-Role: user beside it.");
  }
  if (asRole === "anon") {
    if (asUser === undefined) return { identity: ANON };
    return badImpersonation("The role anon has no user: leave X-Butterbase-As-User out.");
  }
  if (asRole !== "user") {
    return badImpersonation(`X-Butterbase-As-Role is anon or user, not ${asRole.slice(0, 40)}.`);
  }
  if (asUser === undefined || asUser === "") {
    return badImpersonation("X-Butterbase-As-Role: user needs the user's id in X-Butterbase-As-User.");
  }
  if (asUser.length > limits.userIdChars) {
    return badImpersonation(`X-Butterbase-As-User has more than ${limits.userIdChars} characters.`);
  }
  return { identity: { role: "user", claims: { sub: asUser, app_id: app.id, role: "user" } } };
}

const badImpersonation = (message: string): CallerDecision => ({
  refusal: errors.VALIDATION_INVALID_SCHEMA({
    message,
    remediation:
      "To act as somebody send as_role anon (X-Butterbase-As-Role: anon), or as_role user with as_user " +
      "(X-Butterbase-As-User: <id>); to act as service send neither.",
  }),
});
