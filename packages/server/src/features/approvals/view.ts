import { AmbitError } from "../../kernel/errors.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { JsonObject } from "../ledger/service.ts";
import { decideBallot, fourEyesHold } from "./decide.ts";
import { previewHash } from "./preview.ts";
import * as store from "./store.ts";
import { ballotOn, handlerOf, keyRefusal, notFound, type Ticket } from "./ticket.ts";
import type { Approval, ApprovalView } from "./types.ts";
import { kindsFor } from "./visibility.ts";

/** See `ApprovalsService.view`. */
export async function viewOf(
  ticket: Ticket,
  by: KeyPrincipal,
  id: string,
  nowMs: number,
): Promise<ApprovalView> {
  const { database } = ticket.workings.platform;
  const row = await store.selectApproval(database, by.organizationId, id);
  if (row === null || !kindsFor(by.scopes).includes(row.kind)) throw notFound();
  const { approval, ballot } = await ballotOn(ticket, database, by, row, "approve", nowMs);
  const waits = approval.status === "pending" && approval.expiresAt.getTime() > nowMs;
  const computed = waits ? await computePreview(ticket, approval) : null;
  const cannot = (decision: "approve" | "reject"): string | null => {
    const refusal = keyRefusal(by, nowMs);
    if (refusal !== null) return refusal.message;
    const outcome = decideBallot({ ...ballot, decision });
    return outcome.kind === "counted" ? null : outcome.error.message;
  };
  return {
    approval,
    preview: computed?.preview ?? null,
    previewHash: computed?.hash ?? null,
    defers: handlerOf(ticket, approval.kind).defers ?? false,
    fourEyes: fourEyesHold(ballot.fourEyes, ballot.deciders),
    deciders: ballot.deciders,
    cannot: { approve: cannot("approve"), reject: cannot("reject") },
    people: ballot.people,
  };
}

/** What approving would do now, and the name of that. A refusal is a preview too: `{problem}`. */
export async function computePreview(
  ticket: Ticket,
  approval: Approval,
): Promise<{ preview: JsonObject; hash: string }> {
  const { clock } = ticket.workings.platform;
  const fromMs = clock();
  const preview = await handlerOf(ticket, approval.kind)
    .preview(approval)
    .catch((error: unknown): JsonObject => {
      if (!(error instanceof AmbitError)) throw error;
      return { problem: { code: error.code, message: error.message } };
    });
  return { preview, hash: previewHash(preview, { fromMs, toMs: clock() }) };
}
