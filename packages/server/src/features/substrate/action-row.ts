import type { JsonObject } from "../ledger/service.ts";
import type { ActionStatus, Proposer, Verdict } from "./types.ts";
import type { Policy } from "./verdict.ts";

/** A record an action made, changed or deleted. */
export interface RecordChange {
  readonly id: string;
  readonly kind: string;
  readonly change: "created" | "updated" | "deleted";
}

export interface ActionRow {
  readonly organization_id: string;
  readonly id: string;
  readonly capability: string;
  readonly payload: JsonObject;
  readonly status: ActionStatus;
  readonly verdict: Verdict;
  readonly result: JsonObject | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly changes: readonly RecordChange[];
  readonly changes_count: number;
  readonly proposer_kind: Proposer["kind"];
  readonly proposer_id: string;
  readonly proposer_account_id: string | null;
  readonly proposer_label: string;
  readonly source_app_id: string | null;
  readonly source_rule_id: string | null;
  readonly trigger_context: string | null;
  readonly idempotency_key: string | null;
  readonly payload_hash: string;
  readonly approval_id: string | null;
  readonly approved_by: string | null;
  readonly approved_by_kind: string | null;
  readonly rejected_reason: string | null;
  readonly reverted_by: string | null;
  readonly ledger_entry_id: string;
  readonly proposed_at: Date;
  readonly executed_at: Date | null;
  readonly decided_at: Date | null;
  readonly erased_at: Date | null;
}

/** An earlier action under the same idempotency key. */
export type EarlierAction = Pick<
  ActionRow,
  "id" | "payload_hash" | "status" | "verdict" | "result" | "approval_id"
>;

/** What a verdict needs of the organisation. */
export interface ProposalFacts {
  readonly yolo_mode: boolean;
  readonly policy: Policy | null;
  readonly earlier: EarlierAction | null;
}

/** An action as it is proposed. */
export type NewAction = Omit<
  ActionRow,
  "error" | "approved_by" | "approved_by_kind" | "reverted_by" | "erased_at"
>;

/** How an action that waited ended. */
export interface Ending {
  readonly status: Exclude<ActionStatus, "proposed">;
  readonly at: Date;
  readonly result?: JsonObject;
  readonly changes?: readonly RecordChange[];
  readonly changesCount?: number;
  readonly error?: { readonly code: string; readonly message: string };
  readonly approvedBy?: string;
  readonly rejectedReason?: string;
}
