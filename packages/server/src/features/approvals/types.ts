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
  /**
   * The exact arguments, shown in full to whoever decides; kept sealed. A text `capability`, or else `tool`, is what
   * lists can be filtered by.
   */
  readonly request: JsonObject;
  /** How many different people must approve; at least 1. */
  readonly approvers: number;
  /** Default: the organisation's setting (24 h). */
  readonly expiresInMs?: number;
}

export const APPROVAL_KINDS = ["substrate_action", "tool_call"] as const;
export type ApprovalKindName = (typeof APPROVAL_KINDS)[number];
export const APPROVAL_STATUSES = ["pending", "approved", "rejected", "expired", "cancelled"] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];

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

/** An approval in a list: everything but what was asked for in full and what it gave. */
export type ListedApproval = Omit<Approval, "request" | "result">;

export interface ApprovalDecision {
  readonly decision: "approve" | "reject";
  readonly accountId: string;
  readonly keyId: string;
  readonly reason: string | null;
  readonly at: Date;
}

/** What an approval looks like to one caller now. */
export interface ApprovalView {
  readonly approval: Approval;
  /** Null when it waits no more. */
  readonly preview: JsonObject | null;
  /** Names the preview in `decide`; null without one. */
  readonly previewHash: string | null;
  /** Approving only allows it; whoever asked does it later. */
  readonly defers: boolean;
  /** Whether the member who answers for the requester is kept from approving. */
  readonly fourEyes: boolean;
  /** How many members may decide at all. */
  readonly deciders: number;
  /** Why the caller can't; null when it can. */
  readonly cannot: { readonly approve: string | null; readonly reject: string | null };
  /** Addresses of the caller and of the accounts that have decided. */
  readonly people: ReadonlyMap<string, string>;
}

/** Which approvals a list has. */
export interface ApprovalFilter {
  readonly status?: ApprovalStatus | undefined;
  readonly kind?: ApprovalKindName | undefined;
  /** Id of the key, app, rule or grant that asks, or of the account that answers for it. */
  readonly requester?: string | undefined;
  readonly capability?: string | undefined;
  /** Only those older than this id. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** What an organisation decided about its inbox. */
export interface ApprovalSettings {
  /** Null: as soon as two members may decide. */
  readonly fourEyes: boolean | null;
  /** Null: 24 hours. */
  readonly expiresAfterMs: number | null;
  /** Null: every member who may decide. */
  readonly notifyEmails: readonly string[] | null;
}

/** What a feature does with its approvals. Called inside the transaction in which the approval changes. */
export interface ApprovalHandler {
  readonly kind: ApprovalKindName;
  /** Approving only allows it, and `approved` notes that: whoever asked does it later. Default false: `approved` does it. */
  readonly defers?: boolean;
  /**
   * What approving now would change, computed by trying it (and undoing it); never a description. While nothing has
   * changed, two previews are equal but for ids with a ULID and ISO times made while they were computed. `changes` with
   * `{before, after}` in each are shown as a table. An AmbitError thrown here is shown as `{problem}`.
   */
  preview(approval: Approval): Promise<JsonObject>;
  /**
   * The last needed approval was given: do it. An AmbitError thrown here, or a constraint of the database, undoes what
   * was done here (not the decision); then `failed` is called in the same transaction. Anything else undoes the decision
   * too: nothing has happened, and it can be decided again. The approval's row is locked before anything of the
   * handler's: lock in this order wherever both are needed.
   */
  approved(tx: Transaction, approval: Approval, by: ApprovalDecision): Promise<Json>;
  failed(tx: Transaction, approval: Approval, error: AmbitError): Promise<void>;
  rejected(tx: Transaction, approval: Approval, by: ApprovalDecision): Promise<void>;
  expired(tx: Transaction, approval: Approval): Promise<void>;
}
