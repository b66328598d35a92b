import type { Identity } from "../../engines/postgres/database.ts";
import { decideAccess } from "../../kernel/access.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { App } from "../../kernel/operation.ts";
import type { Principal } from "../../kernel/principal.ts";
import { decideCaller } from "./caller.ts";

/** What `run_sql` may do for a caller, or why it does nothing. */
export type SqlPermission =
  | { readonly identity: Identity; readonly allow: "read" | "write" }
  | { readonly refusal: AmbitError };

export interface SqlQuestion {
  readonly principal: Principal;
  readonly app: App;
  readonly asRole: "owner" | "service" | "anon" | "user" | undefined;
  readonly asUser: string | undefined;
  /** Undefined: as much as the key allows. */
  readonly readOnly: boolean | undefined;
  readonly nowMs: number;
}

/** Decides who a statement runs as and whether it may write. Pure. */
export function decideSql(question: SqlQuestion): SqlPermission {
  const { principal, app, asRole, asUser, nowMs } = question;
  const named = asRole === "anon" || asRole === "user" ? asRole : undefined;
  if (asRole !== undefined && named === undefined && asUser !== undefined) {
    return {
      refusal: errors.VALIDATION_INVALID_SCHEMA({
        message: `as_role ${asRole} has no user.`,
        remediation: "Leave as_user out, or send as_role user.",
      }),
    };
  }
  const caller = decideCaller({ principal, app, asRole: named, asUser, right: "view", nowMs });
  if ("refusal" in caller) return caller;
  const identity: Identity = asRole === "owner" ? { role: "owner", claims: null } : caller.identity;
  if (question.readOnly === true) return { identity, allow: "read" };
  const refusal = decideAccess({
    principal,
    right: "develop",
    personOnly: false,
    app,
    organizationId: null,
    nowMs,
  });
  if (refusal === null) return { identity, allow: "write" };
  return question.readOnly === false ? { refusal } : { identity, allow: "read" };
}
