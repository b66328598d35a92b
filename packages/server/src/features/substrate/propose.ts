import type { Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import { inputProblem } from "../../kernel/plain-input.ts";
import { approvalFields, type SubstrateContext } from "./context.ts";
import { substrateErrors } from "./errors.ts";
import { judge } from "./judge.ts";
import { limits } from "./limits.ts";
import { parsePayload, payloadHash } from "./payload.ts";
import { withRetries } from "./retry.ts";
import { settle } from "./settle.ts";
import { type EarlierAction, lockIdempotencyKey, selectFacts } from "./store.ts";
import type { Proposal, ProposeAnswer, Proposer } from "./types.ts";

/**
 * Judges a write and does what the verdict says, in one transaction: the action, what it changed, its entry in the
 * ledger, and what waits in the inbox are there together or not at all.
 */
export async function propose(
  context: SubstrateContext,
  proposer: Proposer,
  proposal: Proposal,
  nowMs: number,
): Promise<ProposeAnswer> {
  refuseUnstorable(context.platform, proposal);
  refuseReservedKey(proposer, proposal);
  const { organizationId, capability, payload } = proposal;
  const hash = payloadHash(context.platform, proposal);
  const key = proposal.idempotencyKey ?? null;
  // A known key is answered before the payload is looked at; without one nothing can be known.
  const early = key === null ? parsePayload(context.memory, capability, payload) : null;
  const once = async (tx: Transaction): Promise<ProposeAnswer> => {
    if (key !== null) await lockIdempotencyKey(tx, organizationId, key);
    const facts = await selectFacts(tx, organizationId, capability, key);
    if (facts.earlier !== null) return replay(context, facts.earlier, hash);
    const parsed = early ?? parsePayload(context.memory, capability, payload);
    const verdict = await judge(context, tx, proposer, proposal, parsed, facts, nowMs);
    return settle(context, tx, { proposer, proposal, parsed, facts, verdict, hash, nowMs });
  };
  const { turns, platform } = context;
  return turns.take(organizationId, () => withRetries(() => platform.database.transaction(once)));
}

/** Throws VALIDATION_INVALID_SCHEMA for what can't be stored, and for a key or a context that is too long. */
function refuseUnstorable(
  { metrics }: SubstrateContext["platform"],
  { payload, idempotencyKey, triggerContext }: Proposal,
): void {
  const problem = inputProblem([payload, idempotencyKey, triggerContext], limits.payloadDepth);
  if (problem !== null) throw errors.VALIDATION_INVALID_SCHEMA({ message: `The proposal: ${problem}.` });
  const check = (path: string, value: string | null | undefined, max: number) => {
    if (value === null || value === undefined || (value !== "" && value.length <= max)) return;
    metrics.limitsHit.inc({ limit: `substrate_${path}_chars` });
    const message = `${path} has 1 to ${max} characters`;
    throw errors.VALIDATION_INVALID_SCHEMA({ message: `${message}.`, details: [{ path, message }] });
  };
  check("idempotency_key", idempotencyKey, limits.idempotencyKeyChars);
  check("trigger_context", triggerContext, limits.triggerContextChars);
}

/** Keys of Ambit's own proposals: of mirrored users, and of firings of attention rules. */
const RESERVED_KEY = /^(?:app_user:|fire_[0-9a-z]{26}:)/;

/** Whoever could take such a key first would keep the proposal it belongs to from being made. */
function refuseReservedKey({ kind }: Proposer, { idempotencyKey }: Proposal): void {
  if (kind === "app" || kind === "rule" || !RESERVED_KEY.test(idempotencyKey ?? "")) return;
  const message = "keys that begin with app_user: or the id of a firing are Ambit's own";
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: `idempotency_key: ${message}.`,
    details: [{ path: "idempotency_key", message }],
  });
}

/** The answer of long ago, with the status of today. Throws IDEMPOTENCY_CONFLICT when it was another proposal. */
function replay({ platform }: SubstrateContext, earlier: EarlierAction, hash: string): ProposeAnswer {
  if (earlier.payload_hash !== hash) {
    throw substrateErrors.IDEMPOTENCY_CONFLICT({ details: { action_id: earlier.id } });
  }
  const waits = earlier.status === "proposed";
  return {
    action_id: earlier.id,
    verdict: { ...earlier.verdict, conflicts: [] },
    requires_approval: waits,
    ...(earlier.result === null ? {} : { result: earlier.result }),
    replay: true,
    ...(waits && earlier.approval_id !== null ? approvalFields(platform, earlier.approval_id) : {}),
  };
}
