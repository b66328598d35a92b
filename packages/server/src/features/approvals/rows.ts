import type { Secrets } from "../../kernel/secrets.ts";
import type { Json, JsonObject } from "../ledger/service.ts";
import type {
  Approval,
  ApprovalDecision,
  ApprovalKindName,
  ApprovalStatus,
  ListedApproval,
  Requester,
} from "./types.ts";

export interface ApprovalRow {
  readonly id: string;
  readonly organization_id: string;
  readonly kind: ApprovalKindName;
  readonly subject: string;
  readonly title: string;
  readonly reason: string;
  readonly requester: Requester;
  /** Sealed JSON. */
  readonly request: string;
  readonly approvers: number;
  readonly status: ApprovalStatus;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly decided_at: Date | null;
  /** Sealed JSON. */
  readonly result: string | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export interface DecisionRow {
  readonly approval_id: string;
  readonly account_id: string;
  readonly key_id: string;
  readonly decision: "approve" | "reject";
  readonly reason: string | null;
  readonly at: Date;
}

/** Seals what an approval keeps of arguments and results to its own id, and opens it again. */
export interface Envelope {
  seal(id: string, value: Json): string;
  open(id: string, sealed: string): Json;
}

export const createEnvelope = (secrets: Secrets): Envelope => ({
  seal: (id, value) => secrets.seal("approval", JSON.stringify(value), id),
  open: (id, sealed) => JSON.parse(secrets.open("approval", sealed, id)),
});

/** A row of a list; the sealed parts, which may be large, are not read. */
export type ListedRow = Omit<ApprovalRow, "request" | "result">;

/** The approval a row and its decisions make. */
export const approvalOf = (
  row: ApprovalRow,
  decisions: readonly DecisionRow[],
  envelope: Envelope,
): Approval => ({
  ...listedOf(row, decisions),
  request: envelope.open(row.id, row.request) as JsonObject,
  result: row.result === null ? null : envelope.open(row.id, row.result),
});

/** The same for a list. */
export function listedOf(row: ListedRow, decisions: readonly DecisionRow[]): ListedApproval {
  return {
    id: row.id,
    organizationId: row.organization_id,
    kind: row.kind,
    subject: row.subject,
    title: row.title,
    reason: row.reason,
    requester: row.requester,
    approvers: row.approvers,
    status: row.status,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    decidedAt: row.decided_at,
    decisions: decisions.filter((each) => each.approval_id === row.id).map(decisionOf),
    failure: row.failure,
  };
}

const decisionOf = (row: DecisionRow): ApprovalDecision => ({
  decision: row.decision,
  accountId: row.account_id,
  keyId: row.key_id,
  reason: row.reason,
  at: row.at,
});
