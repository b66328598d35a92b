import { z } from "zod";
import { keyOf, organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import type { MemoryService } from "../memory/service.ts";
import { substrateErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { payloadForm } from "./payload.ts";
import { base, tool } from "./propose-operations.ts";
import type { Settings } from "./settings.ts";
import { capabilityName, capabilityShape, describedCapability, settings as settingsShape } from "./wire.ts";

const reading = { right: "view", surface: "substrate", risk: "read", idempotent: true } as const;
const owning = {
  right: "own",
  surface: "substrate",
  personOnly: true,
  risk: "write",
  idempotent: true,
} as const;
const policyPath = `${base}/capabilities/:capability/policy`;

/** What owners set: YOLO mode, and what holds for each capability. */
export function settingsOperations(memory: MemoryService, settings: Settings): AnyOperation[] {
  return [
    platformOperation({
      ...reading,
      name: "substrate.provision",
      title: "Provision the substrate",
      summary:
        "Does nothing: every organisation has its substrate from its first day. There for clients that ask.",
      input: z.object({}),
      output: z.object({ ok: z.literal(true), created: z.boolean(), organization_id: z.string() }),
      http: { method: "POST", path: `${base}/provision` },
      mcp: { tool, action: "provision" },
      run: async (call) => ({
        ok: true as const,
        created: false,
        organization_id: keyOf(call).organizationId,
      }),
    }),
    platformOperation({
      ...reading,
      name: "substrate.get_settings",
      title: "Get the substrate's settings",
      summary: "YOLO mode, and what holds for each capability.",
      input: z.object({}),
      output: settingsShape,
      http: { method: "GET", path: `${base}/settings` },
      mcp: { tool, action: "get_settings" },
      run: async (call) => settings.get(keyOf(call).organizationId) as never,
    }),
    platformOperation({
      ...reading,
      name: "substrate.list_capabilities",
      title: "List capabilities",
      summary:
        "Every capability: what it is for, whether it runs at once, waits for approval, or is forbidden, and whether it can be undone. With capability: that one, and what its payload takes.",
      input: z.object({
        capability: capabilityName.optional().describe("Only this one, with its payload's schema"),
      }),
      output: z.object({ capabilities: z.array(describedCapability) }),
      errors: ["CAPABILITY_UNKNOWN"],
      http: { method: "GET", path: `${base}/capabilities` },
      mcp: { tool, action: "list_capabilities" },
      async run(call, { capability }) {
        const { capabilities } = await settings.get(keyOf(call).organizationId);
        const described = capabilities.map((each) => {
          const { summary, payload_schema } = payloadForm(memory, each.name);
          return { ...each, summary, ...(capability === undefined ? {} : { payload_schema }) };
        });
        const found = described.filter(({ name }) => capability === undefined || name === capability);
        if (found.length === 0) throw substrateErrors.CAPABILITY_UNKNOWN();
        return { capabilities: found };
      },
    }),
    platformOperation({
      ...owning,
      name: "substrate.set_yolo",
      title: "Set YOLO mode",
      summary:
        "While it is on, what a person proposes skips approval where the capability allows that. Agents, apps and rules never skip.",
      input: z.object({ yolo_mode: z.boolean() }),
      output: settingsShape,
      audit: { category: "admin", action: "update", resourceType: "substrate_settings" },
      http: { method: "PUT", path: `${base}/settings/yolo` },
      mcp: { tool, action: "set_yolo" },
      run: async (call, { yolo_mode }) =>
        settings.setYolo(organizationKeyOf(call).organizationId, yolo_mode, call.nowMs) as never,
    }),
    platformOperation({
      ...owning,
      overwrites: true,
      name: "substrate.set_capability_policy",
      title: "Set a capability's policy",
      summary:
        "What holds for a capability from now on: auto, approval by one or several people, or forbidden.",
      input: z.object({
        capability: capabilityName,
        mode: z.enum(["auto", "approval", "forbidden"]),
        approvers: z
          .number()
          .int()
          .min(1)
          .max(limits.approvers)
          .default(1)
          .describe("How many people must approve"),
      }),
      output: capabilityShape,
      errors: ["CAPABILITY_UNKNOWN"],
      audit: {
        ...{ category: "admin", action: "update", resourceType: "substrate_policy" },
        resourceId: (input) => input.capability,
      },
      http: { method: "PUT", path: policyPath },
      mcp: { tool, action: "set_capability_policy" },
      run: (call, { capability, ...policy }) =>
        settings.setPolicy(organizationKeyOf(call).organizationId, capability, policy, call.nowMs),
    }),
    platformOperation({
      ...owning,
      overwrites: true,
      name: "substrate.reset_capability_policy",
      title: "Reset a capability's policy",
      summary: "Has a capability's default hold again.",
      input: z.object({ capability: capabilityName }),
      output: capabilityShape,
      errors: ["CAPABILITY_UNKNOWN"],
      audit: {
        ...{ category: "admin", action: "delete", resourceType: "substrate_policy" },
        resourceId: (input) => input.capability,
      },
      http: { method: "DELETE", path: policyPath },
      mcp: { tool, action: "reset_capability_policy" },
      run: (call, { capability }) =>
        settings.setPolicy(organizationKeyOf(call).organizationId, capability, null, call.nowMs),
    }),
  ];
}
