import type { JsonObject } from "../ledger/service.ts";
import { actionById, actionList } from "./actions.ts";
import type { SubstrateContext } from "./context.ts";
import { preview } from "./preview.ts";
import { propose } from "./propose.ts";
import { errorWithin, resultWithin } from "./scope.ts";
import type { ActionPreview, Proposal, ProposeAnswer, Proposer } from "./types.ts";

export { checkConstraint } from "./principles.ts";
export type * from "./types.ts";

export interface SubstrateService {
  /**
   * Judges a write and, if nothing stands against it, does it; everything in one transaction with its ledger entries.
   * What can't be done (an unknown id, a stale lock) throws its own error, and then nothing of it is kept. Throws
   * VALIDATION_INVALID_SCHEMA, CAPABILITY_UNKNOWN, IDEMPOTENCY_CONFLICT (409), PROPOSAL_TOO_LARGE (413).
   */
  propose(proposer: Proposer, proposal: Proposal, nowMs: number): Promise<ProposeAnswer>;
  /** What proposing it now would do; writes nothing. */
  preview(proposer: Proposer, proposal: Proposal, nowMs: number): Promise<ActionPreview>;
  /** An action as the wire has it, or null; `appId` narrows to what that app proposed. */
  action(organizationId: string, id: string, appId?: string | null): Promise<JsonObject | null>;
  /** Newest first; `before` is the last one's id. With `sourceAppId` the results hold only what that app may see. */
  actions(
    organizationId: string,
    filter: {
      status?: string | undefined;
      capability?: string | undefined;
      sourceAppId?: string | undefined;
      sourceRuleId?: string | undefined;
      before?: string | undefined;
      limit: number;
    },
  ): Promise<JsonObject[]>;
}

export function createSubstrateService(context: SubstrateContext): SubstrateService {
  const judged = context.platform.metrics.counter(
    "ambit_substrate_proposals_total",
    "Proposals by their verdict; replay for those answered before.",
    ["verdict"],
  );
  return {
    async propose(proposer, proposal, nowMs) {
      const answer = await propose(context, proposer, proposal, nowMs).catch(async (error: unknown) => {
        throw await errorWithin(context, proposer.sourceAppId, error);
      });
      judged.inc({ verdict: answer.replay === true ? "replay" : answer.verdict.result });
      if (answer.result === undefined) return answer;
      return { ...answer, result: await resultWithin(context, proposer.sourceAppId, answer.result) };
    },
    preview: (proposer, proposal, nowMs) => preview(context, proposer, proposal, nowMs),
    action: (organizationId, id, appId = null) => actionById(context, organizationId, id, appId),
    actions: (organizationId, filter) =>
      actionList(context, organizationId, filter, filter.sourceAppId ?? null),
  };
}
