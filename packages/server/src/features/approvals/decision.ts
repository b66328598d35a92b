import type { Transaction } from "../../engines/postgres/database.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { carryOut, expire } from "./carry-out.ts";
import { decideBallot } from "./decide.ts";
import { approvalErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { approvalOf } from "./rows.ts";
import type { Decision } from "./service.ts";
import * as store from "./store.ts";
import { ballotOn, handlerOf, keyRefusal, notFound, type Ticket } from "./ticket.ts";
import type { Approval, ApprovalDecision, ApprovalKindName } from "./types.ts";
import { computePreview } from "./view.ts";
import { kindsFor } from "./visibility.ts";

/** See `ApprovalsService.decide`. */
export async function decideIn(
  ticket: Ticket,
  by: KeyPrincipal,
  what: { readonly id: string } | { readonly kind: ApprovalKindName; readonly subject: string },
  decision: Decision,
  nowMs: number,
): Promise<Approval> {
  const { database } = ticket.workings.platform;
  // What was cached of the key may be older than its revocation or its member's new role.
  const key = await ticket.keys.byId(by.keyId);
  if (key === null) throw errors.AUTH_INVALID_API_KEY();
  const refusal = keyRefusal(key, nowMs);
  if (refusal !== null) throw refusal;
  const id =
    "id" in what
      ? what.id
      : await store.selectIdOfSubject(database, key.organizationId, what.kind, what.subject);
  if (id === null) throw notFound();
  if (decision.previewHash != null) await refuseOtherPreview(ticket, key, id, decision.previewHash);
  const outcome = await retryDeadlocks(() =>
    database.transaction((tx) => vote(ticket, tx, key, id, decision, nowMs)),
  );
  // What had expired is written down as that; the transaction had to commit first.
  if ("expired" in outcome) throw outcome.expired;
  if (outcome.approval.status !== "pending") ticket.workings.count(outcome.approval.status);
  return outcome.approval;
}

async function vote(
  ticket: Ticket,
  tx: Transaction,
  key: KeyPrincipal,
  id: string,
  { decision, reason }: Decision,
  nowMs: number,
): Promise<{ approval: Approval } | { expired: AmbitError }> {
  const row = await store.lockApproval(tx, key.organizationId, id);
  if (row === null || !kindsFor(key.scopes).includes(row.kind)) throw notFound();
  const handler = handlerOf(ticket, row.kind);
  const { approval, ballot } = await ballotOn(ticket, tx, key, row, decision, nowMs);
  const outcome = decideBallot(ballot);
  if (outcome.kind === "refused") throw outcome.error;
  if (outcome.kind === "expired") {
    await expire(ticket.workings, tx, handler, approval, nowMs);
    return { expired: outcome.error };
  }
  const { accountId, keyId } = key;
  const by: ApprovalDecision = { decision, accountId, keyId, reason, at: new Date(nowMs) };
  return { approval: await carryOut(ticket.workings, tx, handler, approval, by, outcome.status) };
}

async function refuseOtherPreview(
  ticket: Ticket,
  key: KeyPrincipal,
  id: string,
  expected: string,
): Promise<void> {
  const { database } = ticket.workings.platform;
  const row = await store.selectApproval(database, key.organizationId, id);
  if (row === null || !kindsFor(key.scopes).includes(row.kind)) throw notFound();
  // Whoever comes too late is told that, here as below, whatever else has changed.
  if (row.status !== "pending") return;
  const decisions = await store.selectDecisions(database, [id]);
  const { hash } = await computePreview(ticket, approvalOf(row, decisions, ticket.workings.envelope));
  if (hash === expected) return;
  const now = await store.selectApproval(database, key.organizationId, id);
  if (now?.status === "pending") throw approvalErrors.preview_changed({ details: { preview_hash: hash } });
}

/** A deadlock with somebody else's transaction says nothing about this one: nothing has happened, and it is tried again. */
async function retryDeadlocks<T>(work: () => Promise<T>): Promise<T> {
  for (let left = limits.deadlockTries; ; left--) {
    try {
      return await work();
    } catch (error) {
      const code = (error as { code?: unknown } | null)?.code;
      if (left <= 1 || (code !== "40P01" && code !== "40001")) throw error;
    }
  }
}
