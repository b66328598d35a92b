import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { OutboxManagement } from "./service.ts";
import { targetShape, targetView } from "./views.ts";

const BASE = "/v1/me/substrate/outbox-targets";

const capability = z
  .string()
  .max(limits.capabilityChars)
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/, "a capability, approval.requested or approval.decided")
  .describe("What to be told about: a capability, approval.requested or approval.decided");
const source_app_id = z
  .string()
  .max(80)
  .nullish()
  .describe("Only what this app caused; leave out for everything");

const AUDITED = {
  category: "admin",
  resourceType: "outbox_target",
  resourceId: (input: { capability: string }) => input.capability,
} as const;

/** `outbox.list_targets`, `outbox.set_target`, `outbox.delete_target`. */
export function targetOperations(service: OutboxManagement): AnyOperation[] {
  return [
    platformOperation({
      name: "outbox.list_targets",
      title: "List outbox targets",
      summary: "The webhooks that are told what happens in the substrate. Signing secrets are never shown.",
      input: z.object({}),
      output: z.object({ targets: z.array(targetShape) }),
      right: "develop",
      surface: "substrate",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: BASE },
      mcp: { tool: "manage_substrate", action: "list_outbox_targets" },
      run: async (call) => ({
        targets: (await service.targets(organizationKeyOf(call).organizationId)).map(targetView),
      }),
    }),
    platformOperation({
      name: "outbox.set_target",
      title: "Set an outbox target",
      summary:
        "Has a webhook called, signed, whenever the capability is executed (or an approval is requested or decided). It is sent what was proposed, so only a person may set it. Private addresses are refused.",
      input: z.object({
        capability,
        webhook_url: z
          .url({ protocol: /^https?$/ })
          .max(limits.urlChars)
          .describe("Where to POST to"),
        signing_secret: z
          .string()
          .min(limits.leastSecretChars)
          .max(limits.secretChars)
          .describe("What deliveries are signed with; whsec_… is taken as Standard Webhooks' base64"),
        source_app_id,
      }),
      output: targetShape,
      right: "administer",
      surface: "substrate",
      personOnly: true,
      risk: "write",
      overwrites: true,
      idempotent: true,
      secretFields: ["signing_secret"],
      errors: [
        "EXTERNAL_ADDRESS_REFUSED",
        "EXTERNAL_NETWORK_ERROR",
        "OUTBOX_SECRET_INVALID",
        "QUOTA_OUTBOX_TARGETS",
      ],
      audit: { ...AUDITED, action: "update" },
      http: { method: "PUT", path: `${BASE}/:capability` },
      mcp: { tool: "manage_substrate", action: "set_outbox_target" },
      async run(call, input) {
        const key = {
          organization_id: organizationKeyOf(call).organizationId,
          capability: input.capability,
          source_app_id: input.source_app_id ?? null,
        };
        const to = { webhookUrl: input.webhook_url, signingSecret: input.signing_secret };
        return targetView(await service.setTarget(key, to, call.nowMs));
      },
    }),
    platformOperation({
      name: "outbox.delete_target",
      title: "Delete an outbox target",
      summary: "Stops telling a webhook; what still waits for it is cancelled.",
      input: z.object({ capability, source_app_id }),
      output: z.object({ deleted: z.literal(true), capability: z.string(), cancelled: z.number().int() }),
      right: "administer",
      surface: "substrate",
      personOnly: true,
      risk: "destructive",
      idempotent: false,
      audit: { ...AUDITED, action: "delete" },
      http: { method: "DELETE", path: `${BASE}/:capability` },
      mcp: { tool: "manage_substrate", action: "delete_outbox_target" },
      async run(call, input) {
        const key = {
          organization_id: organizationKeyOf(call).organizationId,
          capability: input.capability,
          source_app_id: input.source_app_id ?? null,
        };
        const cancelled = await service.removeTarget(key, call.nowMs);
        return { deleted: true as const, capability: input.capability, cancelled };
      },
    }),
  ];
}
