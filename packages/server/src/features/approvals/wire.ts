import { z } from "zod";
import { approvalUrl } from "./notices.ts";
import {
  APPROVAL_KINDS,
  APPROVAL_STATUSES,
  type Approval,
  type ApprovalView,
  type ListedApproval,
} from "./types.ts";

const time = z.string().describe("ISO 8601, UTC");
export const kind = z.enum(APPROVAL_KINDS).describe("What waits: substrate_action or tool_call");
export const status = z.enum(APPROVAL_STATUSES);

/** An approval in a list. */
export const listed = z.object({
  id: z.string(),
  kind,
  subject: z.string().describe("What waits, e.g. an action's id"),
  title: z.string(),
  reason: z.string().describe("Why it waits"),
  requester: z.object({
    type: z.enum(["human", "agent", "app", "rule", "grant"]),
    id: z.string(),
    account_id: z.string().nullable(),
    label: z.string(),
  }),
  status,
  approvers: z.number().describe("How many people must approve"),
  approvals_given: z.number(),
  created_at: time,
  expires_at: time,
  decided_at: time.nullable(),
  decisions: z.array(
    z.object({
      decision: z.enum(["approve", "reject"]),
      account_id: z.string(),
      account: z.string().nullable().describe("The member's address"),
      key_id: z.string(),
      reason: z.string().nullable(),
      at: time,
    }),
  ),
  failure: z
    .object({ code: z.string(), message: z.string() })
    .nullable()
    .describe("Why executing failed after it was approved"),
  url: z.string().describe("The page where a person decides"),
});

/** An approval by itself, with the exact arguments and what executing gave. */
export const decided = listed.extend({
  request: z.looseObject({}).describe("The exact arguments"),
  result: z.unknown(),
});

/** And with what the caller can do about it now. */
export const shown = decided.extend({
  preview: z.looseObject({}).nullable().describe("What approving now would do, computed; null once decided"),
  preview_hash: z.string().nullable().describe("Send it back with approve to decide on exactly this preview"),
  four_eyes: z.boolean().describe("Whether whoever asks is kept from approving"),
  deciders: z.number().describe("Members who may decide"),
  can_decide: z.boolean().describe("Whether this key may approve it"),
  cannot_decide_reason: z.string().nullable(),
  can_reject: z.boolean(),
});

type People = ReadonlyMap<string, string>;

export function toListed(
  approval: ListedApproval,
  people: People,
  publicUrl: string,
): z.infer<typeof listed> {
  const { requester, decisions } = approval;
  return {
    id: approval.id,
    kind: approval.kind,
    subject: approval.subject,
    title: approval.title,
    reason: approval.reason,
    requester: {
      type: requester.type,
      id: requester.id,
      account_id: requester.accountId,
      label: requester.label,
    },
    status: approval.status,
    approvers: approval.approvers,
    approvals_given: decisions.filter(({ decision }) => decision === "approve").length,
    created_at: approval.createdAt.toISOString(),
    expires_at: approval.expiresAt.toISOString(),
    decided_at: approval.decidedAt?.toISOString() ?? null,
    decisions: decisions.map((each) => ({
      decision: each.decision,
      account_id: each.accountId,
      account: people.get(each.accountId) ?? null,
      key_id: each.keyId,
      reason: each.reason,
      at: each.at.toISOString(),
    })),
    failure: approval.failure,
    url: approvalUrl(publicUrl, approval.id),
  };
}

export const toDecided = (
  approval: Approval,
  people: People,
  publicUrl: string,
): z.infer<typeof decided> => ({
  ...toListed(approval, people, publicUrl),
  request: approval.request,
  result: approval.result,
});

export const toShown = (view: ApprovalView, publicUrl: string): z.infer<typeof shown> => ({
  ...toDecided(view.approval, view.people, publicUrl),
  preview: view.preview,
  preview_hash: view.previewHash,
  four_eyes: view.fourEyes,
  deciders: view.deciders,
  can_decide: view.cannot.approve === null,
  cannot_decide_reason: view.cannot.approve,
  can_reject: view.cannot.reject === null,
});
