import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { auditOperations } from "./operations.ts";
import { type AuditService, createAuditService } from "./service.ts";

/** The audit log: one entry for every change that came through an operation. */
export function createAudit(platform: Platform): { feature: Feature; service: AuditService } {
  const service = createAuditService(platform);
  return { service, feature: { name: "audit", operations: auditOperations(service) } };
}
