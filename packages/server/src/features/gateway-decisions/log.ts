import type { LedgerService } from "../ledger/service.ts";
import { limits } from "./limits.ts";
import { DECISION_OUTCOMES, type DecisionOutcome, type DecisionRecord } from "./types.ts";

/** A line of the log, as the ledger has it. */
export interface StoredDecision extends Omit<DecisionRecord, "organizationId" | "args"> {
  readonly id: string;
  /** ISO 8601 */
  readonly at: string;
  /** Whether the arguments were kept; they may have been erased since. */
  readonly hasValues: boolean;
}

/** Which lines are asked for. */
export interface DecisionFilter {
  readonly serverId: string | null;
  readonly grantId: string | null;
  readonly tool: string | null;
  readonly outcome: DecisionOutcome | null;
  /** Milliseconds since the epoch: not before `fromMs`, before `toMs`. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** Which grants a server has or had; null: more than `most`. */
export type GrantsOfServer = (serverId: string, most: number) => Promise<readonly string[] | null>;

/** So many grants are merged at the price of looking at an entry. */
const MERGED_FOR_ONE = 10;

/** A part of the log that was looked through. */
export interface LogStep {
  readonly decisions: readonly StoredDecision[];
  /** Where it goes on; null at the end. */
  readonly after: string | null;
  /** What that cost, in entries looked at. */
  readonly cost: number;
}

/**
 * Goes through an organisation's decisions, part by part: those of a grant by the index of subjects, those of a server by
 * its grants, all others through the organisation's entries. A part may hold none; its cost is bounded by `limits.look`.
 */
export async function* stepsThrough(
  ledger: Pick<LedgerService, "scan">,
  grantsOfServer: GrantsOfServer,
  organizationId: string,
  filter: DecisionFilter,
  from: { readonly order: "newest" | "oldest"; readonly after: string | null; readonly firstLook: number },
): AsyncGenerator<LogStep> {
  const { serverId, grantId, tool, outcome } = filter;
  const subjects = await subjectsOf(grantsOfServer, filter);
  const outcomes = outcome === null ? DECISION_OUTCOMES : [outcome];
  const scan = {
    ...{ subjects, kinds: outcomes.map((each) => `gateway.${each}`), order: from.order },
    ...{ fromMs: filter.fromMs, toMs: filter.toMs },
    // Canonical JSON: a member of this name and value looks like this and like nothing else.
    holding: [
      ...(serverId === null ? [] : [`"server_id":${JSON.stringify(serverId)}`]),
      ...(tool === null ? [] : [`"tool":${JSON.stringify(tool)}`]),
    ],
  };
  let after = from.after;
  for (let look = from.firstLook; ; look = Math.min(2 * look, limits.look)) {
    const { rows, looked, last } = await ledger.scan(organizationId, scan, after, look);
    after = looked < look ? null : last;
    const decisions = rows
      .map(decisionOf)
      .filter((each) => each.grantId === (grantId ?? each.grantId))
      .filter((each) => each.serverId === (serverId ?? each.serverId) && each.tool === (tool ?? each.tool));
    yield { decisions, after, cost: looked * Math.max(1, (subjects?.length ?? 1) / MERGED_FOR_ONE) };
    if (after === null) return;
  }
}

async function subjectsOf(
  grantsOfServer: GrantsOfServer,
  { grantId, serverId }: DecisionFilter,
): Promise<readonly string[] | null> {
  if (grantId !== null) return [grantId];
  if (serverId === null) return null;
  const grants = await grantsOfServer(serverId, limits.mergedGrants);
  // None is left of a server that was deleted; its decisions are there all the same.
  return grants === null || grants.length === 0 || grants.length > limits.mergedGrants ? null : grants;
}

/** A decision from its entry in the ledger. Pure. */
export function decisionOf({
  id,
  entry: text,
}: {
  readonly id: string;
  readonly entry: string;
}): StoredDecision {
  const { at, kind, data, sealed } = JSON.parse(text) as {
    at: string;
    kind: string;
    data: Record<string, never>;
    sealed: object;
  };
  return {
    ...{ id, at, outcome: kind.slice("gateway.".length) as DecisionOutcome },
    ...{ requestId: data.request_id!, grantId: data.grant_id!, serverId: data.server_id! },
    ...{
      method: data.method ?? null,
      tool: data.tool ?? null,
      rule: data.rule!,
      message: data.message ?? null,
    },
    ...{ policyId: data.policy_id ?? null, policyVersion: data.policy_version ?? null },
    ...{ argumentKeys: data.argument_keys ?? null, approvalId: data.approval_id ?? null },
    hasValues: Object.hasOwn(sealed, "args"),
  };
}

/** A page of the log, newest first. */
export interface LogPage {
  readonly decisions: readonly StoredDecision[];
  /** Where the next page begins; null at the end. A page that was not filled may have one all the same. */
  readonly nextBefore: string | null;
}

/** The next `limit` decisions before `before`; after `limits.scannedEntries` without as many, those found by then. */
export async function readPage(steps: AsyncGenerator<LogStep>, limit: number): Promise<LogPage> {
  const decisions: StoredDecision[] = [];
  let cost = 0;
  for await (const step of steps) {
    cost += step.cost;
    decisions.push(...step.decisions);
    if (decisions.length > limit || (decisions.length === limit && step.after !== null)) {
      const page = decisions.slice(0, limit);
      return { decisions: page, nextBefore: page.at(-1)!.id };
    }
    if (step.after === null || cost >= limits.scannedEntries) return { decisions, nextBefore: step.after };
  }
  return { decisions, nextBefore: null };
}
