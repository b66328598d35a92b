import type { Transaction } from "../../engines/postgres/database.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { MailService } from "../mail/service.ts";
import type { OrganizationsService } from "../organizations/service.ts";
import type { OutboxService } from "../outbox/service.ts";
import { requestedLetter } from "./letter.ts";
import { limits } from "./limits.ts";
import type { Approval, ApprovalSettings } from "./types.ts";

export interface NoticeDeps {
  readonly outbox: OutboxService;
  readonly mail: MailService;
  readonly organizations: OrganizationsService;
  publicUrl(): string;
}

/** The page on which a person decides. */
export const approvalUrl = (publicUrl: string, id: string): string => `${publicUrl}/approve/${id}`;

/** Tells webhooks and people that something waits; what is told is told exactly when `tx` commits. */
export async function noticeRequested(
  deps: NoticeDeps,
  tx: Transaction,
  approval: Approval,
  settings: ApprovalSettings,
  nowMs: number,
): Promise<void> {
  const { organizationId } = approval;
  const url = approvalUrl(deps.publicUrl(), approval.id);
  const body: JsonObject = { ...aboutOf(approval), expires_at: approval.expiresAt.toISOString(), url };
  await enqueue(deps, tx, "approval.requested", approval, body, nowMs);
  const recipients = settings.notifyEmails ?? (await deciders(deps, tx, approval));
  const letter = requestedLetter(approval, url);
  await deps.mail.sendWith(
    tx,
    recipients.map((to) => ({ organizationId, to, kind: "approval_requested", ...letter })),
  );
}

/** Tells webhooks what became of it. */
export async function noticeDecided(
  deps: NoticeDeps,
  tx: Transaction,
  approval: Approval,
  nowMs: number,
): Promise<void> {
  const last = approval.decisions.at(-1);
  const byPerson = approval.status === "approved" || approval.status === "rejected";
  await enqueue(
    deps,
    tx,
    "approval.decided",
    approval,
    {
      ...aboutOf(approval),
      status: approval.status,
      decided_at: approval.decidedAt?.toISOString() ?? null,
      decided_by: byPerson ? (last?.accountId ?? null) : null,
      decision_reason: byPerson ? (last?.reason ?? null) : null,
      failure: approval.failure,
    },
    nowMs,
  );
}

async function enqueue(
  { outbox }: NoticeDeps,
  tx: Transaction,
  capability: "approval.requested" | "approval.decided",
  { organizationId, id }: Approval,
  body: JsonObject,
  nowMs: number,
): Promise<void> {
  await outbox.enqueue(tx, { organizationId, capability, subject: id, sourceAppId: null, body }, nowMs);
}

const aboutOf = (approval: Approval): JsonObject => ({
  approval_id: approval.id,
  kind: approval.kind,
  subject: approval.subject,
  title: approval.title,
  reason: approval.reason,
  requester: {
    type: approval.requester.type,
    id: approval.requester.id,
    label: approval.requester.label,
  },
});

/** Addresses of the members who may decide, without the one who asks. */
async function deciders(deps: NoticeDeps, tx: Transaction, approval: Approval): Promise<string[]> {
  const members = await deps.organizations.membersWith(tx, approval.organizationId, "policy");
  return members
    .filter(({ account_id }) => account_id !== approval.requester.accountId)
    .slice(0, limits.noticeRecipients)
    .map(({ email }) => email);
}
