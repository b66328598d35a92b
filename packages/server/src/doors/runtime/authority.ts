import type { Identity } from "../../engines/postgres/database.ts";
import { userIdProblem, userOf } from "../../features/functions/service.ts";
import type { Invocation } from "../../features/runtime/service.ts";
import type { Proposer } from "../../features/substrate/service.ts";
import { decideAccess } from "../../kernel/access.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { App } from "../../kernel/operation.ts";
import { ANONYMOUS, type Principal } from "../../kernel/principal.ts";

/** On whose behalf user code calls back: the request it is handling, or the class by itself. */
export type Authority = Pick<
  Invocation,
  "appId" | "kind" | "unit" | "principal" | "loopDepth" | "mayUseService"
>;

/** A class between requests (alarms, socket handlers): nobody in particular. */
export const ofClass = (appId: string, unit: string): Authority => ({
  appId,
  kind: "actors",
  unit,
  principal: ANONYMOUS,
  loopDepth: 0,
  mayUseService: false,
});

/**
 * Who proposes when user code writes to the substrate: the code itself, as an agent, whoever called it. It was deployed
 * by a developer of the organisation, and no member answers for what it proposes: so it can never skip an approval, and
 * any member with the right may decide. What a caller may make it propose is for the code to say. Pure.
 */
export function proposerOf({ kind, unit }: Pick<Authority, "kind" | "unit">, app: App): Proposer {
  const what = kind === "functions" ? "function" : "class";
  return {
    ...{ kind: "agent", id: app.id, accountId: null, label: `${what} ${unit} of ${app.name}` },
    ...{ sourceAppId: app.id, sourceRuleId: null },
  };
}

/** Which role a statement asks for; undefined is the caller's own. */
export type As = undefined | "anon" | "service" | { readonly user: string };

export type DataDecision =
  | { readonly identity: Identity; readonly allow: "read" | "write" }
  | { readonly refusal: AmbitError };

const ANON: Identity = Object.freeze({ role: "anon", claims: null });
const SERVICE: Identity = Object.freeze({ role: "service", claims: null });

/**
 * Decides who a statement of user code runs as, and whether it may write. Pure. Nobody gets more than the caller has,
 * unless the function's owner has deployed it to run as service; less can always be asked for.
 */
export function decideData(
  { principal, mayUseService }: Authority,
  as: As,
  app: Pick<App, "id" | "organizationId">,
  nowMs: number,
): DataDecision {
  if (as === "anon") return { identity: ANON, allow: "write" };
  if (as === undefined) return ownData(principal, app, nowMs);
  const problem = typeof as === "object" ? userIdProblem(as.user) : null;
  if (problem !== null) return { refusal: errors.VALIDATION_INVALID_SCHEMA({ message: problem }) };
  if (typeof as === "object" && principal.kind === "user" && principal.userId === as.user) {
    return ownData(principal, app, nowMs);
  }
  const allow = mayUseService ? "write" : keyAllows(principal, app, nowMs);
  if (allow === null) return { refusal: notAllowed() };
  if (as === "service") return { identity: SERVICE, allow };
  return { identity: { role: "user", claims: userOf(app.id, as.user).claims }, allow };
}

function ownData(principal: Principal, app: Pick<App, "id" | "organizationId">, nowMs: number): DataDecision {
  switch (principal.kind) {
    case "anonymous":
      return { identity: ANON, allow: "write" };
    case "user":
      if (principal.appId !== app.id) return { refusal: errors.AUTH_INVALID_END_USER_JWT() };
      return { identity: { role: "user", claims: principal.claims }, allow: "write" };
    case "key": {
      const allow = keyAllows(principal, app, nowMs);
      return allow === null ? { refusal: notAllowed() } : { identity: SERVICE, allow };
    }
  }
}

/** How far a key may go as service; null for not at all, and for those who hold none. */
function keyAllows(
  principal: Principal,
  app: Pick<App, "id" | "organizationId">,
  nowMs: number,
): "read" | "write" | null {
  if (principal.kind !== "key") return null;
  const may = (right: "view" | "develop") =>
    decideAccess({ principal, right, personOnly: false, app, organizationId: null, nowMs }) === null;
  return may("develop") ? "write" : may("view") ? "read" : null;
}

const notAllowed = () =>
  errors.AUTH_INSUFFICIENT_PERMISSIONS({
    message: "This call may use the data only as its caller.",
    remediation:
      'Have a developer deploy the function with run_as "service", or call it with an API key; or use ctx.db as the caller.',
  });
