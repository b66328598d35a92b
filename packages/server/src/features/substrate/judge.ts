import type { Queryable } from "../../engines/postgres/database.ts";
import { lockPrinciples, readAggregates } from "./aggregates.ts";
import type { SubstrateContext } from "./context.ts";
import type { ParsedProposal } from "./payload.ts";
import { aggregateQuestions, conflictsOf, relevantPrinciples } from "./principles.ts";
import type { ProposalFacts } from "./store.ts";
import type { Proposal, Proposer, Verdict } from "./types.ts";
import { decideVerdict } from "./verdict.ts";

/**
 * Judges a proposal by the principles and settings of this moment. Proposals that one principle counts are judged one
 * after the other until their transactions end, so that however many come at once only what is left is let through.
 */
export async function judge(
  { memory }: Pick<SubstrateContext, "memory">,
  tx: Queryable,
  proposer: Pick<Proposer, "kind">,
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
  const principles = await memory.principles(tx, organizationId);
  const relevant = relevantPrinciples(principles, capability.name, payload);
  const questions = aggregateQuestions(relevant, nowMs);
  if (questions.length === 0) {
    return decideVerdict({ ...stands, conflicts: conflictsOf(relevant, payload, new Map(), nowMs) });
  }
  await lockPrinciples(
    tx,
    organizationId,
    questions.map(({ principleId }) => principleId),
  );
  const aggregates = await readAggregates(tx, organizationId, questions);
  return decideVerdict({ ...stands, conflicts: conflictsOf(relevant, payload, aggregates, nowMs) });
}
