import type { LedgerService } from "../ledger/service.ts";
import type { TakenRow } from "./claim-store.ts";

/** That something left the house, or never will, is a fact of the ledger; where to, and what, is not for ever. */
export function recordEnd(
  ledger: Pick<LedgerService, "append">,
  tx: Parameters<LedgerService["append"]>[0],
  taken: TakenRow,
  state: "delivered" | "dead",
  status: number | null,
): void {
  ledger.append(tx, {
    kind: `outbox.${state}`,
    organizationId: taken.organization_id,
    appId: taken.source_app_id,
    actor: { type: "system", id: null },
    subject: taken.subject,
    data: {
      outbox: taken.id,
      delivery: taken.delivery_id,
      capability: taken.capability,
      attempts: taken.attempts,
      status,
    },
    sealed: { target: taken.target_url },
  });
}
