import { compile, type JsonObject, PolicyInvalid } from "@ambit/policy";
import { errors } from "../../kernel/errors.ts";
import type { GatewayGrantsService } from "../gateway-grants/service.ts";
import type { CurrentPolicy, GatewayPoliciesService } from "../gateway-policies/service.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";
import type { LedgerService } from "../ledger/service.ts";
import { type ArgumentSeal, SEALED_ARGUMENTS } from "./draft.ts";
import { decisionErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { type DecisionFilter, type GrantsOfServer, type StoredDecision, stepsThrough } from "./log.ts";
import { createSimulation, type Judge, judgeOf, type Simulated } from "./simulation.ts";
import { createTally, type Found, skipOf, type Tally } from "./tally.ts";

export interface JudgingDeps {
  readonly ledger: Pick<LedgerService, "scan" | "opened">;
  readonly argumentSeal: Pick<ArgumentSeal, "open">;
  readonly policies: Pick<GatewayPoliciesService, "current" | "version">;
  readonly grants: Pick<GatewayGrantsService, "byId">;
  readonly grantsOfServer: GrantsOfServer;
}

/** What judging stored decisions again gave. */
export interface Judged {
  readonly tally: Tally;
  /** There were more than are judged at once. */
  readonly isCut: boolean;
  /** The last decision it came to; null when there was none. */
  readonly last: StoredDecision | null;
}

/** A call that someone asks about, which need not ever have been made. */
export interface GivenCall {
  readonly tool: string;
  readonly args: JsonObject;
  readonly atMs: number;
  readonly grantId: string | null;
  readonly sessionId: string | null;
}

/** Throws GATEWAY_DOCUMENT_INVALID with all problems. `document` is an object, or its text. */
export function judgeOfDocument(document: unknown): Judge {
  try {
    return judgeOf(compile(typeof document === "string" ? { text: document } : document));
  } catch (error) {
    if (!(error instanceof PolicyInvalid)) throw error;
    throw decisionErrors.GATEWAY_DOCUMENT_INVALID({ details: error.problems });
  }
}

/** The judge of a policy of this server: the version that is named, or the one that holds. Throws RESOURCE_NOT_FOUND. */
export async function judgeOfPolicy(
  policies: JudgingDeps["policies"],
  server: GatewayServer,
  policyId: string,
  version: number | null,
): Promise<Judge> {
  const policy = await (version === null ? policies.current(policyId) : policies.version(policyId, version));
  if (policy?.serverId === server.id) return judgeOf(policy.compiled);
  throw errors.RESOURCE_NOT_FOUND({
    message: "The server has no such policy, or the policy no such version.",
    remediation: "List them: GET /v1/gateway/policies, and /v1/gateway/policies/<id>/versions.",
  });
}

/**
 * The judge that each decision had: the policy version it names, while it is one of the server's; null for none. What has
 * been made ready is kept for the next decision.
 */
export function ownJudges(
  policies: JudgingDeps["policies"],
  server: GatewayServer,
): (decision: StoredDecision) => Promise<Judge | null> {
  const ready = new Map<string, Judge | null>();
  return async ({ policyId, policyVersion }) => {
    if (policyId === null || policyVersion === null) return null;
    const key = `${policyId} ${policyVersion}`;
    const known = ready.get(key);
    if (known !== undefined) return known;
    const policy = await policies.version(policyId, policyVersion);
    const judge = policy?.serverId === server.id ? judgeOf(policy.compiled) : null;
    ready.set(key, judge);
    return judge;
  };
}

/** Judges a server's stored decisions again, the oldest first. */
export async function judgeStored(
  deps: JudgingDeps,
  server: GatewayServer,
  how: {
    readonly filter: DecisionFilter;
    readonly judgeFor: (decision: StoredDecision) => Promise<Judge | null>;
    /** Whether kept values are used, and whether what has none is left out. */
    readonly values: "unused" | "used" | "needed";
    readonly signal: AbortSignal;
  },
): Promise<Judged> {
  const { filter, judgeFor, values, signal } = how;
  const { organizationId, id: serverId } = server;
  const [simulation, tally] = [createSimulation(), createTally()];
  const from = { order: "oldest", after: null, firstLook: limits.firstLook } as const;
  const steps = stepsThrough(deps.ledger, deps.grantsOfServer, organizationId, filter, from);
  let [last, cost, passed]: [StoredDecision | null, number, number] = [null, 0, 0];
  for await (const step of steps) {
    const judged = step.decisions.slice(0, limits.judgedDecisions - passed);
    for await (const [decision, args] of withValues(deps, organizationId, judged, values)) {
      signal.throwIfAborted();
      last = decision;
      const why = skipOf(decision);
      const judge = why === null ? await judgeFor(decision) : null;
      if (why !== null || judge === null) tally.skip(why ?? "without_policy");
      else if (args === null && values === "needed") tally.skip("without_values");
      else
        tally.add(decision.id, foundOf(decision), simulation.judge(judge, callOf(decision, serverId, args)));
    }
    cost += step.cost;
    passed += judged.length;
    const isFull = judged.length < step.decisions.length;
    const isLong = passed >= limits.judgedDecisions || cost >= limits.judgedEntries;
    if (isFull || (isLong && step.after !== null)) return { tally, isCut: true, last };
  }
  return { tally, isCut: false, last };
}

const foundOf = ({ outcome, rule, message }: StoredDecision): Found => ({ outcome, rule, message });

const callOf = (decision: StoredDecision, serverId: string, args: JsonObject | null) => ({
  ...{ tool: decision.tool!, args, argumentKeys: decision.argumentKeys, atMs: Date.parse(decision.at) },
  // Whether it has a session is not recorded; then the grant is counted.
  ...{ grantId: decision.grantId, sessionId: null, serverId },
  tool_state: decision.rule === "(tool changed)" ? ("changed" as const) : ("approved" as const),
});

/** The decisions with their arguments, as far as they were kept and may be used; one at a time. */
async function* withValues(
  { ledger, argumentSeal }: Pick<JudgingDeps, "ledger" | "argumentSeal">,
  organizationId: string,
  decisions: readonly StoredDecision[],
  values: "unused" | "used" | "needed",
): AsyncGenerator<readonly [StoredDecision, JsonObject | null]> {
  const kept = values === "unused" ? [] : decisions.filter(({ hasValues }) => hasValues);
  const opened = ledger.opened(
    organizationId,
    kept.map(({ id }) => id),
    SEALED_ARGUMENTS,
  );
  for (const decision of decisions) {
    const isKept = values !== "unused" && decision.hasValues;
    const next = isKept ? await opened.next() : null;
    const value = next === null || next.done ? undefined : next.value.value;
    const text = typeof value === "string" ? argumentSeal.open(value, decision.grantId) : null;
    yield [decision, text === null ? null : (JSON.parse(text) as JsonObject)];
  }
}

/** What a judge says of given calls, in the order of their times, beside what the grants' own policies say of them now. */
export async function judgeGiven(
  deps: JudgingDeps,
  server: GatewayServer,
  judge: Judge,
  calls: readonly GivenCall[],
): Promise<{ readonly tally: Tally; readonly results: readonly (Found & { before: Found | null })[] }> {
  const [candidate, present, tally] = [createSimulation(), createSimulation(), createTally()];
  const judges = new Map<string, Judge | null>();
  const presentJudge = async (grantId: string): Promise<Judge | null> => {
    const known = judges.get(grantId);
    if (known !== undefined) return known;
    const policy = await presentPolicy(deps, server, grantId);
    const found = policy === null ? null : judgeOf(policy.compiled);
    judges.set(grantId, found);
    return found;
  };
  const results: (Found & { before: Found | null })[] = [];
  const inOrder = [...calls.entries()].sort(([a, one], [b, other]) => one.atMs - other.atMs || a - b);
  for (const [index, { grantId, ...given }] of inOrder) {
    const call = {
      ...given,
      ...{
        argumentKeys: null,
        grantId: grantId ?? NOBODY,
        serverId: server.id,
        tool_state: "approved" as const,
      },
    };
    const own = grantId === null ? null : await presentJudge(grantId);
    const before: Simulated | null = own === null ? null : present.judge(own, call);
    const after = candidate.judge(judge, call);
    tally.add(null, before, after, index);
    results[index] = { ...after, before };
  }
  return { tally, results };
}

/** Counts calls that are nobody's. */
const NOBODY = "(simulated)";

async function presentPolicy(
  { grants, policies }: JudgingDeps,
  server: GatewayServer,
  grantId: string,
): Promise<CurrentPolicy | null> {
  const grant = await grants.byId(grantId);
  if (grant === null || grant.serverId !== server.id || grant.policyId === null) return null;
  return policies.current(grant.policyId);
}
