import type { Queryable } from "../../engines/postgres/database.ts";
import type { JsonObject } from "../ledger/service.ts";
import { lockPrinciples, readAggregates } from "./aggregates.ts";
import { CAPABILITIES } from "./capabilities.ts";
import type { SubstrateContext } from "./context.ts";
import type { ParsedProposal } from "./payload.ts";
import { aggregateQuestions, conflictsOf, relevantPrinciples } from "./principles.ts";
import { firstApproved, type ProposalFacts } from "./store.ts";
import type { Proposal, Proposer, Verdict } from "./types.ts";
import { decideVerdict } from "./verdict.ts";

/**
 * Judges a proposal by the principles and settings of this moment. Proposals that one principle counts are judged one
 * after the other until their transactions end, so that however many come at once only what is left is let through.
 */
export async function judge(
  { memory }: Pick<SubstrateContext, "memory">,
  tx: Queryable,
  proposer: Pick<Proposer, "kind" | "sourceAppId">,
  proposal: Pick<Proposal, "organizationId" | "dangerouslySkipApproval">,
  { capability, payload }: ParsedProposal,
  facts: Pick<ProposalFacts, "policy" | "yolo_mode">,
  nowMs: number,
): Promise<Verdict> {
  const { organizationId } = proposal;
  const stands = {
    ...{ capability, policy: facts.policy, yoloMode: facts.yolo_mode, proposerKind: proposer.kind },
    skip: proposal.dangerouslySkipApproval === true,
  };
  if (facts.policy?.mode === "forbidden") return decideVerdict({ ...stands, conflicts: [] });
  const undoesApproved =
    proposer.kind === "human"
      ? null
      : await firstApproved(
          tx,
          organizationId,
          undoneBy(capability.name, payload),
          REVERSIBLE,
          proposer.sourceAppId,
        );
  const principles = await memory.principles(tx, organizationId);
  const relevant = relevantPrinciples(principles, capability.name, payload);
  const questions = aggregateQuestions(relevant, nowMs);
  if (questions.length === 0) {
    return decideVerdict({
      ...{ ...stands, undoesApproved },
      conflicts: conflictsOf(relevant, payload, new Map(), nowMs),
    });
  }
  await lockPrinciples(
    tx,
    organizationId,
    questions.map(({ principleId }) => principleId),
  );
  const aggregates = await readAggregates(tx, organizationId, questions);
  return decideVerdict({
    ...{ ...stands, undoesApproved },
    conflicts: conflictsOf(relevant, payload, aggregates, nowMs),
  });
}

/** What can't be undone is refused when it is tried; nobody need wait for that. */
const REVERSIBLE = [...CAPABILITIES.values()].filter((each) => each.reversible).map(({ name }) => name);

/** The actions a proposal would undo. */
function undoneBy(capability: string, payload: JsonObject): readonly string[] {
  if (capability === "revert_action") return [String(payload.action_id)];
  if (capability === "bulk_revert_actions") return (payload.action_ids as readonly string[]).map(String);
  return [];
}
