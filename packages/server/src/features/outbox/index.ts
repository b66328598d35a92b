import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { DelivererDeps } from "./deliverer.ts";
import { outboxErrors } from "./errors.ts";
import { outboxOperations } from "./operations.ts";
import { createOutboxService, type OutboxService } from "./service.ts";
import { targetOperations } from "./target-operations.ts";

/** Webhooks of the substrate: what happened is queued with what caused it, and sent, signed, until it is taken. */
export function createOutbox(
  platform: Platform,
  deps: DelivererDeps,
): { feature: Feature; service: OutboxService } {
  const service = createOutboxService(platform, deps);
  const feature: Feature = {
    name: "outbox",
    operations: [...outboxOperations(service), ...targetOperations(service)],
    errors: outboxErrors.entries,
    start: () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
