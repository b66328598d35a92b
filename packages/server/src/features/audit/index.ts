import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { LedgerService } from "../ledger/service.ts";
import { auditOperations } from "./operations.ts";
import { type AuditService, createAuditService } from "./service.ts";

/** The audit log: one entry for every change that came through an operation, in the ledger too. */
export function createAudit(
  platform: Platform,
  deps: { readonly ledger: Pick<LedgerService, "append"> },
): { feature: Feature; service: AuditService } {
  const service = createAuditService(platform, deps);
  return { service, feature: { name: "audit", operations: auditOperations(service) } };
}
