import { z } from "zod";
import { appsOf, keyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";
import type { OutboxManagement, OutboxReach } from "./service.ts";
import { STATES } from "./store.ts";
import { deliveryShape, deliveryView } from "./views.ts";

const BASE = "/v1/me/substrate/outbox";
const outbox_id = z.string().max(80).describe("The delivery's id, ob_…");

const reachOf = (key: KeyPrincipal): OutboxReach => ({
  organizationId: key.organizationId,
  apps: appsOf(key.scopes),
});

/** `outbox.list`, `outbox.retry`, `outbox.cancel`. */
export function outboxOperations(service: OutboxManagement): AnyOperation[] {
  return [
    platformOperation({
      name: "outbox.list",
      title: "List the outbox",
      summary:
        "Webhook deliveries of the substrate, newest first: pending, failed (tried, and tried again later), delivered, dead, cancelled.",
      input: z.object({
        state: z.enum(STATES).optional().describe("Only deliveries in this state"),
        capability: z
          .string()
          .max(limits.capabilityChars)
          .optional()
          .describe("Only deliveries about this capability"),
        limit: z.coerce.number().int().min(1).max(limits.listed).default(limits.defaultListed),
        before: z.string().max(80).optional().describe("next_before of the page before"),
      }),
      output: z.object({ outbox: z.array(deliveryShape), next_before: z.string().nullable() }),
      right: "view",
      surface: "substrate",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: BASE },
      mcp: { tool: "manage_substrate", action: "list_outbox", aliases: ["list_outbox"] },
      async run(call, input) {
        const rows = await service.list(reachOf(keyOf(call)), {
          state: input.state ?? null,
          capability: input.capability ?? null,
          before: input.before ?? null,
          limit: input.limit,
        });
        return {
          outbox: rows.map(deliveryView),
          next_before: rows.length < input.limit ? null : rows.at(-1)!.id,
        };
      },
    }),
    platformOperation({
      name: "outbox.retry",
      title: "Retry a delivery",
      summary:
        "Sends a webhook delivery again that failed, is dead or was cancelled: at once, to the target as it is set now, with all its tries anew.",
      input: z.object({ outbox_id }),
      output: deliveryShape,
      right: "develop",
      surface: "substrate",
      risk: "write",
      idempotent: false,
      errors: ["wrong_status", "OUTBOX_TARGET_GONE"],
      audit: { category: "admin", action: "update", resourceType: "outbox", resourceId: (i) => i.outbox_id },
      http: { method: "POST", path: `${BASE}/:outbox_id/retry` },
      mcp: { tool: "manage_substrate", action: "retry_outbox", aliases: ["retry_outbox"] },
      run: async (call, input) =>
        deliveryView(await service.retry(reachOf(keyOf(call)), input.outbox_id, call.nowMs)),
    }),
    platformOperation({
      name: "outbox.cancel",
      title: "Cancel a delivery",
      summary: "Keeps a webhook delivery that waits from being sent. It can be retried later.",
      input: z.object({ outbox_id }),
      output: deliveryShape,
      right: "develop",
      surface: "substrate",
      risk: "write",
      idempotent: false,
      errors: ["wrong_status"],
      audit: { category: "admin", action: "disable", resourceType: "outbox", resourceId: (i) => i.outbox_id },
      http: { method: "POST", path: `${BASE}/:outbox_id/cancel` },
      mcp: { tool: "manage_substrate", action: "cancel_outbox", aliases: ["cancel_outbox"] },
      run: async (call, input) =>
        deliveryView(await service.cancel(reachOf(keyOf(call)), input.outbox_id, call.nowMs)),
    }),
  ];
}
