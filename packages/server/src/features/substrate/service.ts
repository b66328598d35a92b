import type { JsonObject } from "../ledger/service.ts";
import type { ActionPreview, Proposal, ProposeAnswer, Proposer } from "./types.ts";

export type * from "./types.ts";

export interface SubstrateService {
  /**
   * Judges a write and, if nothing stands against it, does it; everything in one transaction with its ledger entries.
   * Throws VALIDATION_INVALID_SCHEMA, CAPABILITY_UNKNOWN, IDEMPOTENCY_CONFLICT (409).
   */
  propose(proposer: Proposer, proposal: Proposal, nowMs: number): Promise<ProposeAnswer>;
  /** What proposing it now would do; writes nothing. */
  preview(proposer: Proposer, proposal: Proposal, nowMs: number): Promise<ActionPreview>;
  /** An action as the wire has it, or null; `appId` narrows to what that app proposed. */
  action(organizationId: string, id: string, appId?: string | null): Promise<JsonObject | null>;
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
