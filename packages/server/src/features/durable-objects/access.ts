import { decideAccess } from "../../kernel/access.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { AccessMode } from "./names.ts";

/** The question who may reach an instance. */
export interface ActorAccessQuestion {
  readonly accessMode: AccessMode;
  readonly principal: Principal;
  readonly app: { readonly id: string; readonly organizationId: string };
  readonly nowMs: number;
}

/**
 * Decides whether the caller may reach instances of the class; null for yes. Pure. Asked at every request, and again
 * and again while a socket is open. Running code is more than reading: a key needs the right to develop.
 * - `public`: anyone
 * - `authenticated`: an end user of this app whose token holds, or a live key with the right to this app
 * - `service_key`: such a key
 */
export function decideActorAccess({
  accessMode,
  principal,
  app,
  nowMs,
}: ActorAccessQuestion): AmbitError | null {
  if (accessMode === "public") return null;
  switch (principal.kind) {
    case "anonymous":
      return errors.AUTH_REQUIRED({
        remediation:
          accessMode === "service_key"
            ? "Send `Authorization: Bearer bb_sk_…` with a key of the app's organisation."
            : "Send `Authorization: Bearer <access token>` of a signed-in user; a browser's WebSocket uses the sub-protocols `bearer, <token>` or ?ticket=.",
      });
    case "key":
      return decideAccess({
        principal,
        right: "develop",
        personOnly: false,
        app,
        organizationId: null,
        nowMs,
      });
    case "user":
      if (accessMode === "service_key") {
        return errors.AUTH_INSUFFICIENT_PERMISSIONS({
          message: "Only keys of the app's organisation may reach this class.",
          remediation:
            "Call it from a server with an API key, or deploy the class with access_mode authenticated.",
        });
      }
      if (principal.appId !== app.id) {
        return errors.AUTH_INVALID_END_USER_JWT({ message: "The access token is of another app." });
      }
      return principal.expiresAtMs <= nowMs ? errors.AUTH_END_USER_JWT_EXPIRED() : null;
  }
}

/** Whether who a socket was opened for is nobody any more, though the class may be open to everyone. Pure. */
export function hasLapsed(principal: Principal, nowMs: number): boolean {
  return principal.kind !== "anonymous" && principal.expiresAtMs !== null && principal.expiresAtMs <= nowMs;
}
