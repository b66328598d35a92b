import { z } from "zod";
import { keyOf } from "../../kernel/access.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { SubstrateContext } from "./context.ts";
import { limits } from "./limits.ts";
import { callerOf } from "./proposer.ts";
import { previewWithin } from "./scope.ts";
import type { SubstrateService } from "./service.ts";
import type { Proposal } from "./types.ts";
import { answer, capabilityName, payload, previewed } from "./wire.ts";

export const tool = "manage_substrate";
export const base = "/v1/me/substrate";

const input = {
  capability: capabilityName,
  payload,
  dangerously_skip_approval: z
    .boolean()
    .default(false)
    .describe("A person may skip the approval of a capability that allows it; refused to everyone else"),
};
const idempotencyKey = z
  .string()
  .min(1)
  .max(limits.idempotencyKeyChars)
  .optional()
  .describe("The same key and proposal give the same answer, for ever");

const proposing = {
  output: answer,
  right: "develop",
  surface: "substrate",
  risk: "write",
  idempotent: false,
  errors: [
    "CAPABILITY_UNKNOWN",
    "IDEMPOTENCY_CONFLICT",
    "PROPOSAL_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "QUOTA_APPROVALS",
    "PROPOSALS_BUSY",
  ],
} as const;

/** `propose`, `preview`, and the short form of patching an entity. */
export function proposeOperations(context: SubstrateContext, service: SubstrateService): AnyOperation[] {
  const propose = async (call: Call, proposal: Omit<Proposal, "organizationId" | "triggerContext">) => {
    const key = keyOf(call);
    const { proposer } = await callerOf(context, key);
    const triggerContext = triggerContextOf(call);
    const whole = { ...proposal, organizationId: key.organizationId, triggerContext };
    const { verdict, ...answer } = await service.propose(proposer, whole, call.nowMs);
    return { ...answer, verdict: { ...verdict, conflicts: [...verdict.conflicts] } };
  };
  return [
    platformOperation({
      ...proposing,
      name: "substrate.propose",
      title: "Propose an action",
      summary:
        "Proposes a write to the organisation's memory, or an act in its name. What needs no approval is done at once; the rest waits for a person (requires_approval, approval_url). Either way it is in the ledger.",
      input: z.object({ ...input, idempotency_key: idempotencyKey }),
      http: { method: "POST", path: `${base}/actions/propose` },
      mcp: { tool, action: "propose", aliases: ["propose_action"] },
      run: (call, given) =>
        propose(call, {
          capability: given.capability,
          payload: given.payload as JsonObject,
          idempotencyKey: given.idempotency_key ?? null,
          dangerouslySkipApproval: given.dangerously_skip_approval,
        }),
    }),
    platformOperation({
      ...proposing,
      output: previewed,
      name: "substrate.preview",
      title: "Preview an action",
      summary:
        "What proposing it now would come to: the verdict, and every record before and after, computed by doing it and undoing it. Writes nothing.",
      input: z.object(input),
      risk: "read",
      idempotent: true,
      errors: ["CAPABILITY_UNKNOWN", "PROPOSAL_TOO_LARGE", "PROPOSALS_BUSY"],
      http: { method: "POST", path: `${base}/actions/preview` },
      mcp: { tool, action: "preview" },
      async run(call, given) {
        const key = keyOf(call);
        const { proposer, reader } = await callerOf(context, key);
        const proposal = {
          organizationId: key.organizationId,
          capability: given.capability,
          payload: given.payload as JsonObject,
          dangerouslySkipApproval: given.dangerously_skip_approval,
        };
        const seen = await service.preview(proposer, proposal, call.nowMs);
        return { ...(await previewWithin(context, reader, seen)) } as never;
      },
    }),
    platformOperation({
      ...proposing,
      name: "substrate.patch_entity",
      title: "Patch an entity",
      summary: "Proposes patch_entity with the fields sent; attrs is merged (RFC 7396), null removes.",
      input: z.object({
        entity_id: z.string().min(1).max(64).describe("The entity, ent_…"),
        display_name: z.unknown().optional(),
        primary_email: z.unknown().optional(),
        attrs: z.unknown().optional().describe("The same as attrs_patch"),
        attrs_patch: z.unknown().optional().describe("RFC 7396"),
        if_updated_at: z.unknown().optional().describe("Only while the entity is as of then"),
        idempotency_key: idempotencyKey,
      }),
      http: { method: "PATCH", path: `${base}/entities/:entity_id` },
      run(call, { entity_id: id, idempotency_key, attrs, ...fields }) {
        const patch = attrs === undefined ? {} : { attrs_patch: attrs };
        const given = Object.entries({ id, ...patch, ...fields }).filter(([, value]) => value !== undefined);
        return propose(call, {
          capability: "patch_entity",
          payload: Object.fromEntries(given) as JsonObject,
          idempotencyKey: idempotency_key ?? null,
        });
      },
    }),
  ];
}

/** What the caller says about where its call came from. */
function triggerContextOf({ headers }: Call): string | null {
  const given = headers?.["x-butterbase-trigger-context"];
  const text = Array.isArray(given) ? given.join(", ") : given;
  return text === undefined || text === "" ? null : text;
}
