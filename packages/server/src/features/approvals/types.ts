import type { Transaction } from "../../engines/postgres/database.ts";
import type { AmbitError } from "../../kernel/errors.ts";
import type { Json, JsonObject } from "../ledger/service.ts";

/** Who asks. */
export interface Requester {
  readonly type: "human" | "agent" | "app" | "rule" | "grant";
  /** Key, app, rule or grant id. */
  readonly id: string;
  /** The member who answers for the requester; under four eyes this member can't decide. Null for apps and rules without one. */
  readonly accountId: string | null;
  /** For people to read, e.g. the key's name. */
  readonly label: string;
}

/** Something that waits for a person. */
export interface ApprovalRequest {
  readonly organizationId: string;
  /** Which registered kind decides what approving does. */
  readonly kind: ApprovalKindName;
  /** What waits, e.g. an action's id; one live approval per (kind, subject). */
  readonly subject: string;
  /** One line: what is asked for. */
  readonly title: string;
  /** Why it waits. */
  readonly reason: string;
  readonly requester: Requester;
  /** The exact arguments, shown in full to whoever decides. */
  readonly request: JsonObject;
  /** How many different people must approve; at least 1. */
  readonly approvers: number;
  /** Default: the organisation's setting (24 h). */
  readonly expiresInMs?: number;
}

export type ApprovalKindName = "substrate_action" | "tool_call";
export type ApprovalStatus = "pending" | "approved" | "rejected" | "expired" | "cancelled";

export interface Approval extends ApprovalRequest {
  /** `apr_` and a ULID. */
  readonly id: string;
  readonly status: ApprovalStatus;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly decidedAt: Date | null;
  readonly decisions: readonly ApprovalDecision[];
  /** What executing gave; null before, and when nothing was executed. */
  readonly result: Json;
  /** Why executing failed after it was approved; null otherwise. */
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export interface ApprovalDecision {
  readonly decision: "approve" | "reject";
  readonly accountId: string;
  readonly keyId: string;
  readonly reason: string | null;
  readonly at: Date;
}

/** What a feature does with its approvals. Called inside the transaction in which the approval changes. */
export interface ApprovalHandler {
  readonly kind: ApprovalKindName;
  /** What approving now would change, computed by trying it (and undoing it); never a description. */
  preview(approval: Approval): Promise<JsonObject>;
  /**
   * The last needed approval was given: do it. An AmbitError thrown here undoes what was done here (not the decision);
   * then `failed` is called in the same transaction.
   */
  approved(tx: Transaction, approval: Approval, by: ApprovalDecision): Promise<Json>;
  failed(tx: Transaction, approval: Approval, error: AmbitError): Promise<void>;
  rejected(tx: Transaction, approval: Approval, by: ApprovalDecision): Promise<void>;
  expired(tx: Transaction, approval: Approval): Promise<void>;
}
