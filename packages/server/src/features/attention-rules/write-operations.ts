import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import { changeFrom, rule_id, ruleFields } from "./inputs.ts";
import { BASE, mcpForm } from "./operations.ts";
import type { AttentionRulesService, RuleEditor } from "./service.ts";
import type { RuleDefinition } from "./types.ts";
import { ruleShape, ruleView } from "./views.ts";

/** A rule is standing authority: whoever sets one is a person who administers the organisation. */
const WRITE = { right: "administer", surface: "substrate", personOnly: true } as const;
const SAVING = [
  "RULE_CRON_INVALID",
  "RULE_CONDITION_INVALID",
  "RULE_TEMPLATE_INVALID",
  "CAPABILITY_UNKNOWN",
] as const;
const AUDITED = {
  category: "admin",
  resourceType: "attention_rule",
  resourceId: (input: { rule_id: string }) => input.rule_id,
} as const;

const editorOf = (call: Call): RuleEditor => {
  const { organizationId, accountId } = organizationKeyOf(call);
  return { organizationId, accountId };
};

/** `attention_rules.create`, `.update`, `.delete`, `.enable`, `.disable`. */
export function ruleWriteOperations(service: AttentionRulesService): AnyOperation[] {
  return [
    platformOperation({
      ...WRITE,
      name: "attention_rules.create",
      title: "Create an attention rule",
      summary:
        "Has the organisation's memory looked at on a schedule, and something proposed for every match. What a rule proposes never skips approval.",
      input: z.object({ ...ruleFields, enabled: z.boolean().default(true) }),
      output: ruleShape,
      risk: "write",
      idempotent: false,
      errors: [...SAVING, "QUOTA_RULES"],
      audit: { ...AUDITED, action: "create", resourceId: (input) => input.name },
      http: { method: "POST", path: BASE, status: 201 },
      mcp: mcpForm("create_rule", "create"),
      async run(call, { enabled, ...fields }) {
        const unset = { description: null, max_fires_per_day: null };
        const rule = { ...unset, ...changeFrom(fields), enabled } as RuleDefinition & { enabled: boolean };
        return ruleView(await service.create(editorOf(call), rule, call.nowMs));
      },
    }),
    platformOperation({
      ...WRITE,
      name: "attention_rules.update",
      title: "Update an attention rule",
      summary:
        "Changes the fields that are sent; the rest stays. The rule's next time is computed anew, and whoever changes it answers for what it proposes from then on.",
      input: z.object({
        rule_id,
        ...z.object(ruleFields).partial().shape,
        enabled: z.boolean().optional().describe("Whether it looks at all"),
      }),
      output: ruleShape,
      risk: "write",
      overwrites: true,
      idempotent: true,
      errors: SAVING,
      audit: { ...AUDITED, action: "update" },
      http: { method: "PUT", path: `${BASE}/:rule_id` },
      mcp: mcpForm("update_rule", "update"),
      async run(call, { rule_id, enabled, ...fields }) {
        const change = { ...changeFrom(fields), ...(enabled === undefined ? {} : { enabled }) };
        return ruleView(await service.update(editorOf(call), rule_id, change, call.nowMs));
      },
    }),
    platformOperation({
      ...WRITE,
      name: "attention_rules.delete",
      title: "Delete an attention rule",
      summary: "Removes a rule with the list of its firings. What it proposed stays.",
      input: z.object({ rule_id }),
      output: z.object({ deleted: z.literal(true), id: z.string() }),
      risk: "destructive",
      idempotent: false,
      audit: { ...AUDITED, action: "delete" },
      http: { method: "DELETE", path: `${BASE}/:rule_id` },
      mcp: mcpForm("delete_rule", "delete"),
      async run(call, input) {
        await service.remove(editorOf(call).organizationId, input.rule_id);
        return { deleted: true as const, id: input.rule_id };
      },
    }),
    switchOperation(service, true),
    switchOperation(service, false),
  ];
}

/** `attention_rules.enable`, `attention_rules.disable`. */
function switchOperation(service: AttentionRulesService, enabled: boolean): AnyOperation {
  const verb = enabled ? "enable" : "disable";
  return platformOperation({
    ...WRITE,
    name: `attention_rules.${verb}`,
    title: enabled ? "Enable an attention rule" : "Disable an attention rule",
    summary: enabled
      ? "Switches a rule on; times that passed while it was off are not made up for."
      : "Switches a rule off until it is enabled again.",
    input: z.object({ rule_id }),
    output: ruleShape,
    risk: "write",
    idempotent: true,
    audit: { ...AUDITED, action: verb },
    http: { method: "POST", path: `${BASE}/:rule_id/${verb}` },
    mcp: mcpForm(`${verb}_rule`, verb),
    async run(call, input) {
      const editor = editorOf(call);
      const rule = await service.get(editor.organizationId, input.rule_id);
      if (rule.enabled === enabled) return ruleView(rule);
      return ruleView(await service.update(editor, rule.id, { enabled }, call.nowMs));
    },
  });
}
