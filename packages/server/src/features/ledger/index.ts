import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { ledgerErrors } from "./errors.ts";
import { entryOperations, ledgerTools } from "./operations.ts";
import { proofOperations } from "./proof-operations.ts";
import { createLedgerService, type LedgerService } from "./service.ts";

/** The ledger: one append-only, signed Merkle log of everything that must be answered for. */
export function createLedger(platform: Platform): { feature: Feature; service: LedgerService } {
  const ledger = createLedgerService(platform);
  const feature: Feature = {
    name: "ledger",
    operations: [...entryOperations(ledger), ...proofOperations(ledger)],
    tools: ledgerTools,
    errors: ledgerErrors.entries,
    start: async () => ledger.start(),
    stop: () => ledger.stop(),
  };
  return { feature, service: ledger };
}
