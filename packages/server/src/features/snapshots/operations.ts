import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { SnapshotsService } from "./service.ts";

/** `snapshots.list`. */
export function snapshotOperations(service: SnapshotsService): AnyOperation[] {
  return [
    platformOperation({
      name: "snapshots.list",
      title: "List snapshots",
      summary:
        "How much the organisation knew, one row per day (UTC), newest first: entity_count, decision_count, decision_count_24h and more. Days nobody counted are left out.",
      input: z.object({
        days: z.coerce
          .number()
          .int()
          .min(1)
          .max(limits.days)
          .default(limits.defaultDays)
          .describe("How many days back, today included"),
      }),
      output: z.object({
        snapshots: z.array(
          z.looseObject({
            snapshot_date: z.string().describe("2026-05-04"),
            taken_at: z.string().describe("When it was last counted, ISO 8601"),
            entity_count: z.number().int(),
            decision_count: z.number().int(),
            decision_count_24h: z.number().int(),
          }),
        ),
      }),
      right: "view",
      surface: "substrate",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/v1/me/substrate/snapshots" },
      mcp: { tool: "manage_substrate", action: "snapshots" },
      async run(call, input) {
        const { organizationId } = organizationKeyOf(call);
        return { snapshots: (await service.list(organizationId, input.days, call.nowMs)) as never };
      },
    }),
  ];
}
