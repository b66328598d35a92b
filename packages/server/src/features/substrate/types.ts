import type { JsonObject } from "../ledger/service.ts";

/** Who proposes. Only a human may ever skip an approval. */
export interface Proposer {
  readonly kind: "human" | "agent" | "app" | "rule";
  /** Key, app or rule id. */
  readonly id: string;
  /** The member who answers for it; null for apps and rules. */
  readonly accountId: string | null;
  /** For people to read. */
  readonly label: string;
  readonly sourceAppId: string | null;
  readonly sourceRuleId: string | null;
}

export interface Proposal {
  readonly organizationId: string;
  readonly capability: string;
  readonly payload: JsonObject;
  readonly idempotencyKey?: string | null;
  readonly dangerouslySkipApproval?: boolean;
  /** Where the call came from, as the caller says (`x-butterbase-trigger-context`). */
  readonly triggerContext?: string | null;
}

export type VerdictResult = "auto_approved" | "auto_approved_yolo" | "requires_approval" | "rejected";

export interface Conflict {
  readonly principle_id: string;
  readonly title: string;
  /** What of it stood against the proposal, with the numbers. */
  readonly reason: string;
}

export interface Verdict {
  readonly result: VerdictResult;
  readonly reason: string;
  readonly conflicts: readonly Conflict[];
}

export interface ProposeAnswer {
  readonly action_id: string;
  readonly verdict: Verdict;
  readonly requires_approval: boolean;
  readonly result?: JsonObject;
  readonly replay?: true;
  /** The inbox's id and page when it waits. */
  readonly approval_id?: string;
  readonly approval_url?: string;
}

export type ActionStatus = "proposed" | "executed" | "rejected" | "failed";

/** What approving, or executing, a proposal would do: computed by doing it and undoing it. */
export interface ActionPreview {
  readonly verdict: Verdict;
  readonly changes: readonly JsonObject[];
  readonly result: JsonObject | null;
  /** Why it would fail now. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}
