import { decideAccess } from "../../kernel/access.ts";
import { type AmbitError, errors, pausedError } from "../../kernel/errors.ts";
import type { App } from "../../kernel/operation.ts";
import type { KeyPrincipal, Principal, UserPrincipal } from "../../kernel/principal.ts";
import { functionErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Who an http trigger lets in. */
export const HTTP_AUTH = ["required", "optional", "none"] as const;
export type HttpAuth = (typeof HTTP_AUTH)[number];

export interface InvokeQuestion {
  readonly auth: HttpAuth;
  /** Verified already; a bad credential never comes this far. */
  readonly principal: Principal;
  readonly app: Pick<App, "id" | "organizationId" | "paused" | "pausedReason">;
  /** The header X-Butterbase-As-User; undefined without one. */
  readonly asUser: string | undefined;
  readonly allowImpersonation: boolean;
  readonly nowMs: number;
}

/** Who a function runs for, or why it does not run. */
export type InvokeDecision = Admitted | { readonly refusal: AmbitError };

export interface Admitted {
  /** On whose behalf; what the function reads and writes is decided for this caller. */
  readonly principal: Principal;
  /** The key that called, also when it acts as a user. */
  readonly key: KeyPrincipal | null;
  /** The caller is a developer of the app: failures may be told in full. */
  readonly developer: boolean;
}

/**
 * Decides over a call of a function. Pure. A credential for something else is refused even where none is needed, and
 * whoever brings none is anonymous: nobody falls back to more than they have shown.
 */
export function decideInvoke(question: InvokeQuestion): InvokeDecision {
  const { app, principal, asUser } = question;
  if (app.paused) return { refusal: pausedError(app.pausedReason) };
  if (principal.kind === "key") return decideKey(principal, question);
  if (asUser !== undefined) return { refusal: functionErrors.AUTH_IMPERSONATION_FORBIDDEN() };
  if (principal.kind === "user") {
    if (principal.appId !== app.id) return { refusal: errors.AUTH_INVALID_END_USER_JWT() };
    if (principal.expiresAtMs <= question.nowMs) return { refusal: errors.AUTH_END_USER_JWT_EXPIRED() };
    return { principal, key: null, developer: false };
  }
  if (question.auth === "required") {
    return {
      refusal: errors.AUTH_REQUIRED({
        message: "This function is for signed-in callers.",
        remediation:
          "Send an access token of the app (POST /auth/<app_id>/login) or an API key; or deploy it with an http trigger whose auth is optional or none.",
      }),
    };
  }
  return { principal, key: null, developer: false };
}

function decideKey(key: KeyPrincipal, question: InvokeQuestion): InvokeDecision {
  const { app, asUser, nowMs } = question;
  const refusal = decideAccess({
    principal: key,
    // Running code is more than reading.
    right: "develop",
    personOnly: false,
    app,
    organizationId: null,
    nowMs,
  });
  if (refusal !== null) return { refusal };
  if (asUser === undefined) return { principal: key, key, developer: true };
  if (!question.allowImpersonation) return { refusal: functionErrors.AUTH_IMPERSONATION_DISABLED() };
  const problem = userIdProblem(asUser);
  if (problem !== null) return { refusal: errors.VALIDATION_INVALID_SCHEMA({ message: problem }) };
  return { principal: userOf(app.id, asUser), key, developer: true };
}

/** What is wrong with the id of a user to act as, or null. */
export function userIdProblem(id: string): string | null {
  if (id === "") return "The id of the user to act as is empty.";
  if (id.length > limits.userIdChars)
    return `The id of the user to act as has more than ${limits.userIdChars} characters.`;
  return id.includes("\0") || !id.isWellFormed() ? "The id of the user to act as is no proper text." : null;
}

/** A user as a trusted caller names them; the claims are those a token of theirs would at least have. */
export const userOf = (appId: string, userId: string): UserPrincipal => ({
  kind: "user",
  appId,
  userId,
  claims: { sub: userId, app_id: appId, role: "user" },
  expiresAtMs: Number.POSITIVE_INFINITY,
});
