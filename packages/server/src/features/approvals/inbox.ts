import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import { newSortableId } from "../../kernel/ids.ts";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import { inputProblem } from "../../kernel/plain-input.ts";
import type { LedgerService } from "../ledger/service.ts";
import { entries } from "./entries.ts";
import { approvalErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { type NoticeDeps, noticeRequested } from "./notices.ts";
import type { Envelope } from "./rows.ts";
import { selectSettings } from "./settings-store.ts";
import * as store from "./store.ts";
import type { Approval, ApprovalRequest } from "./types.ts";

/** What the parts of this feature share. */
export interface Workings extends NoticeDeps {
  readonly platform: Platform;
  readonly ledger: LedgerService;
  readonly envelope: Envelope;
  count(event: string): void;
}

/**
 * Puts a request into the inbox as part of `tx`, with its ledger entry and its notices. Throws APPROVAL_TOO_LARGE,
 * APPROVAL_ALREADY_WAITS, QUOTA_APPROVALS, VALIDATION_INVALID_SCHEMA.
 */
export async function putIn(
  workings: Workings,
  tx: Transaction,
  request: ApprovalRequest,
  nowMs: number,
): Promise<string> {
  refuseUnshowable(request);
  await refuseTooMany(workings, tx, request);
  const settings = await selectSettings(tx, request.organizationId);
  const waitMs = Math.min(
    request.expiresInMs ?? settings.expiresAfterMs ?? limits.expiresMs,
    limits.longestWaitMs,
  );
  const approval: Approval = {
    ...request,
    id: newSortableId("apr", nowMs),
    status: "pending",
    createdAt: new Date(nowMs),
    expiresAt: new Date(nowMs + waitMs),
    decidedAt: null,
    decisions: [],
    result: null,
    failure: null,
  };
  const sealedRequest = workings.envelope.seal(approval.id, approval.request);
  const inserted = await store.insertApproval(tx, {
    id: approval.id,
    organization_id: approval.organizationId,
    kind: approval.kind,
    subject: approval.subject,
    title: approval.title,
    reason: approval.reason,
    requester: approval.requester,
    request: sealedRequest,
    capability: capabilityOf(approval),
    approvers: approval.approvers,
    created_at: approval.createdAt,
    expires_at: approval.expiresAt,
  });
  if (!inserted) throw approvalErrors.APPROVAL_ALREADY_WAITS();
  workings.ledger.append(tx, entries.requested(approval, sealedRequest));
  await noticeRequested(workings, tx, approval, settings, nowMs);
  tx.beforeCommit(async () => workings.count("requested"));
  return approval.id;
}

/** What lists are filtered by: the capability, or the tool, among the arguments. */
function capabilityOf({ request }: ApprovalRequest): string | null {
  const named = request.capability ?? request.tool;
  return typeof named === "string" ? named.slice(0, 200) : null;
}

/** Throws for what could not be shown in full to whoever decides, or not be kept. */
function refuseUnshowable(request: ApprovalRequest): void {
  const { title, reason, requester, approvers } = request;
  const problem =
    inputProblem(request.request, kernelLimits.inputDepth) ??
    inputProblem([title, reason, requester.label, requester.id, request.subject], 1);
  if (problem !== null) throw errors.VALIDATION_INVALID_SCHEMA({ message: `The request: ${problem}.` });
  if (!Number.isInteger(approvers) || approvers < 1 || approvers > limits.approvers) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `An approval needs 1 to ${limits.approvers} people, not ${approvers}.`,
    });
  }
  const sizes: [what: string, size: number, most: number][] = [
    ["title", title.length, limits.titleChars],
    ["reason", reason.length, limits.reasonChars],
    ["requester's label", requester.label.length, limits.labelChars],
    ["arguments as JSON", Buffer.byteLength(JSON.stringify(request.request)), limits.requestBytes],
  ];
  for (const [what, size, most] of sizes) {
    if (size > most) {
      throw approvalErrors.APPROVAL_TOO_LARGE({ message: `The ${what} may have ${most}, not ${size}.` });
    }
  }
}

async function refuseTooMany(
  { platform }: Workings,
  tx: Transaction,
  { organizationId, requester }: ApprovalRequest,
): Promise<void> {
  const waiting = await store.countWaiting(tx, organizationId, requester.id);
  const most = requester.type === "grant" ? limits.pendingPerGrant : limits.pendingPerRequester;
  const refuse = (limit: string, message: string) => {
    platform.metrics.limitsHit.inc({ limit });
    return approvalErrors.QUOTA_APPROVALS({ message, details: { limit } });
  };
  if (waiting.requester >= most) {
    throw refuse(
      "approvals_per_requester",
      `${most} requests of the same ${requester.type} wait for a decision already.`,
    );
  }
  if (waiting.organization >= limits.pendingPerOrganization) {
    throw refuse(
      "approvals_per_organization",
      `${limits.pendingPerOrganization} requests of this organisation wait for a decision already.`,
    );
  }
}
