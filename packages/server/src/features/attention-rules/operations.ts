import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { changeFrom, rule_id, ruleFields, yesOrNo } from "./inputs.ts";
import { limits } from "./limits.ts";
import type { AttentionRulesService } from "./service.ts";
import { firingShape, firingView, previewShape, ruleShape, ruleView } from "./views.ts";

export const BASE = "/v1/me/substrate/attention-rules";

/** Both tools that gather the rules, with the action's name in each. */
export const mcpForm = (inSubstrate: string, action: string) => ({
  tool: "manage_substrate",
  action: inSubstrate,
  also: [{ tool: "manage_attention_rules", action }],
});

const READ = { right: "view", surface: "substrate", risk: "read", idempotent: true } as const;

/** `attention_rules.list`, `.get`, `.firings`, `.preview`. */
export function ruleReadOperations(service: AttentionRulesService): AnyOperation[] {
  return [
    platformOperation({
      ...READ,
      name: "attention_rules.list",
      title: "List attention rules",
      summary: "The organisation's attention rules, newest first, with the time each looks next.",
      input: z.object({ enabled: yesOrNo.optional().describe("Only rules that are on, or off") }),
      output: z.object({ rules: z.array(ruleShape) }),
      http: { method: "GET", path: BASE },
      mcp: mcpForm("list_rules", "list"),
      async run(call, input) {
        const { organizationId } = organizationKeyOf(call);
        return { rules: (await service.list(organizationId, input.enabled ?? null)).map(ruleView) };
      },
    }),
    platformOperation({
      ...READ,
      name: "attention_rules.get",
      title: "Get an attention rule",
      summary: "One rule with its condition and its payload template.",
      input: z.object({ rule_id }),
      output: ruleShape,
      http: { method: "GET", path: `${BASE}/:rule_id` },
      mcp: mcpForm("get_rule", "get"),
      run: async (call, input) =>
        ruleView(await service.get(organizationKeyOf(call).organizationId, input.rule_id)),
    }),
    platformOperation({
      ...READ,
      name: "attention_rules.firings",
      title: "List a rule's firings",
      summary:
        "What a rule did when its time had come, newest first: fired, skipped (nothing found), capped (max_fires_per_day), failed, running; with the ids of what it proposed.",
      input: z.object({
        rule_id,
        limit: z.coerce.number().int().min(1).max(limits.listed).default(limits.defaultListed),
        before: z.string().max(80).optional().describe("next_before of the page before"),
      }),
      output: z.object({ firings: z.array(firingShape), next_before: z.string().nullable() }),
      http: { method: "GET", path: `${BASE}/:rule_id/firings` },
      mcp: mcpForm("list_rule_firings", "firings"),
      async run(call, { rule_id, limit, before = null }) {
        const { organizationId } = organizationKeyOf(call);
        const rows = await service.firings(organizationId, rule_id, { limit, before });
        return {
          firings: rows.map(firingView),
          next_before: rows.length < limit ? null : rows.at(-1)!.id,
        };
      },
    }),
    previewOperation(service),
  ];
}

const NEEDED = ["condition_mode", "condition", "action_capability", "action_payload_template"] as const;

function previewOperation(service: AttentionRulesService): AnyOperation {
  return platformOperation({
    ...READ,
    name: "attention_rules.preview",
    title: "Preview an attention rule",
    summary:
      "What a rule would propose if it fired now, computed and not kept: how many matches, the first few payloads with the verdict each would get, and why nothing would be proposed. Of a saved rule (rule_id), with changes if given, or of one that is not saved.",
    input: z.object({ rule_id: rule_id.optional() }).extend(z.object(ruleFields).partial().shape),
    output: previewShape,
    // It evaluates what the caller wrote over everything the organisation knows.
    right: "develop",
    errors: ["RULE_CONDITION_INVALID", "RULE_TEMPLATE_INVALID"],
    http: { method: "POST", path: `${BASE}/preview` },
    mcp: mcpForm("preview_rule", "preview"),
    async run(call, { rule_id: id = null, ...fields }) {
      const missing = id === null ? NEEDED.filter((name) => fields[name] === undefined) : [];
      if (missing.length > 0) {
        throw errors.VALIDATION_INVALID_SCHEMA({
          message: `Without rule_id a preview needs ${missing.join(", ")}.`,
          details: missing.map((path) => ({ path, message: "is missing", code: "custom" })),
        });
      }
      const { organizationId, accountId } = organizationKeyOf(call);
      const trial = { ...changeFrom(fields), id };
      const preview = await service.preview({ organizationId, accountId }, trial, call.nowMs);
      return { ...preview, sample_proposals: preview.sample_proposals as never };
    },
  });
}
