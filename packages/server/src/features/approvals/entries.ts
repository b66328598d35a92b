import type { Json, JsonObject, LedgerActor, LedgerDraft } from "../ledger/service.ts";
import type { Approval, ApprovalDecision, Requester } from "./types.ts";

const ACTOR_TYPES = {
  human: "person",
  agent: "agent",
  app: "app",
  rule: "rule",
  grant: "grant",
} as const satisfies Record<Requester["type"], LedgerActor["type"]>;

const SYSTEM: LedgerActor = { type: "system", id: null };

/** What the ledger keeps of each step of an approval. Pure; whatever people wrote is sealed. */
export const entries = {
  /** `sealedRequest`: what was asked for, encrypted. Of a tool's call the ledger keeps that alone: its values stand nowhere in clear. */
  requested: (approval: Approval, sealedRequest: string): LedgerDraft => {
    const { type, id, accountId, label } = approval.requester;
    const actor = { type: ACTOR_TYPES[type], id, account: accountId };
    const { title, reason } = approval;
    const request = approval.kind === "tool_call" ? sealedRequest : approval.request;
    return {
      ...draft("requested", approval, actor, {
        approvers: approval.approvers,
        expires_at: approval.expiresAt.toISOString(),
      }),
      sealed: { title, reason, requester: label, request },
    };
  },
  decided: (approval: Approval, by: ApprovalDecision): LedgerDraft => ({
    ...draft(by.decision === "approve" ? "approved" : "rejected", approval, deciderOf(by), {
      given: approval.decisions.filter(({ decision }) => decision === "approve").length,
      needed: approval.approvers,
    }),
    ...(by.reason === null ? {} : { sealed: { reason: by.reason } }),
  }),
  executed: (approval: Approval, by: ApprovalDecision): LedgerDraft =>
    draft("executed", approval, deciderOf(by), {}),
  failed: (
    approval: Approval,
    by: ApprovalDecision,
    failure: { code: string; message: string },
  ): LedgerDraft => ({
    ...draft("failed", approval, deciderOf(by), { code: failure.code }),
    sealed: { message: failure.message },
  }),
  expired: (approval: Approval): LedgerDraft =>
    draft("expired", approval, SYSTEM, { expires_at: approval.expiresAt.toISOString() }),
  cancelled: (approval: Approval): LedgerDraft => draft("cancelled", approval, SYSTEM, {}),
} as const;

const deciderOf = (by: ApprovalDecision): LedgerActor => ({
  type: "person",
  id: by.keyId,
  account: by.accountId,
});

function draft(
  what: string,
  approval: Approval,
  actor: LedgerActor,
  data: { readonly [name: string]: Json },
): LedgerDraft {
  const about: JsonObject = { approval_kind: approval.kind, about: approval.subject };
  return {
    kind: `approval.${what}`,
    organizationId: approval.organizationId,
    actor,
    subject: approval.id,
    data: { ...about, ...data },
  };
}
