import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import type { SubstrateContext } from "./context.ts";
import { erase } from "./erase.ts";
import { limits } from "./limits.ts";
import { base, tool } from "./propose-operations.ts";
import { reason } from "./wire.ts";

/** Erasing what people wrote. */
export function eraseOperations(context: SubstrateContext): AnyOperation[] {
  return [
    platformOperation({
      name: "substrate.erase",
      title: "Erase personal values",
      summary:
        "Erases the values of an entity (or another record) or of actions, wherever they are kept, for good. The ledger's entries stay, without what they had sealed, and verify as before.",
      input: z
        .object({
          entity_id: z.string().min(1).max(64).optional().describe("The entity, or another record"),
          action_ids: z.array(z.string().min(1).max(64)).max(limits.actionsAtOnce).default([]),
          reason,
        })
        .refine((given) => given.entity_id !== undefined || given.action_ids.length > 0, {
          message: "entity_id or action_ids is missing",
        }),
      output: z.object({
        actions: z.array(z.string()).describe("The actions whose content is gone"),
        memory_values: z.number(),
        ledger_values: z.number(),
      }),
      right: "own",
      surface: "substrate",
      personOnly: true,
      risk: "destructive",
      idempotent: true,
      errors: ["RESOURCE_NOT_FOUND"],
      secretFields: ["reason"],
      audit: {
        ...{ category: "admin", action: "delete", resourceType: "substrate_values" },
        resourceId: (input) => input.entity_id ?? null,
      },
      http: { method: "POST", path: `${base}/erase` },
      mcp: { tool, action: "erase" },
      async run(call, { entity_id: recordId = null, action_ids: actionIds, reason }) {
        const erased = await erase(
          context,
          organizationKeyOf(call),
          { recordId, actionIds, reason },
          call.nowMs,
        );
        return { ...erased, actions: [...erased.actions] };
      },
    }),
  ];
}
