import { AmbitError, errors } from "../../kernel/errors.ts";
import { newSortableId } from "../../kernel/ids.ts";
import { nextRun, scheduleProblem } from "../../kernel/schedule.ts";
import { readCondition } from "./condition.ts";
import { dayOf, proposerOf, type RuleContext } from "./context.ts";
import { ruleErrors } from "./errors.ts";
import * as firings from "./firing-store.ts";
import { limits } from "./limits.ts";
import { previewRule, type RulePreview } from "./preview.ts";
import * as rules from "./rule-store.ts";
import { createScheduler } from "./scheduler.ts";
import { checkTemplate } from "./template.ts";
import type { RuleDefinition } from "./types.ts";

/** Who changes rules, and of which organisation. */
export interface RuleEditor {
  readonly organizationId: string;
  readonly accountId: string;
}

/** What a change gives; what it leaves out stays. */
export type RuleChange = Partial<RuleDefinition & { enabled: boolean }>;

export interface AttentionRulesService {
  list(organizationId: string, enabled: boolean | null): Promise<rules.RuleRow[]>;
  /** Throws RESOURCE_NOT_FOUND. */
  get(organizationId: string, id: string): Promise<rules.RuleRow>;
  /** Throws RULE_CRON_INVALID, RULE_CONDITION_INVALID, RULE_TEMPLATE_INVALID, CAPABILITY_UNKNOWN, QUOTA_RULES. */
  create(
    editor: RuleEditor,
    rule: RuleDefinition & { enabled: boolean },
    nowMs: number,
  ): Promise<rules.RuleRow>;
  /** Changes a rule and computes its next time anew. Throws like `create`, and RESOURCE_NOT_FOUND. */
  update(editor: RuleEditor, id: string, change: RuleChange, nowMs: number): Promise<rules.RuleRow>;
  /** Removes a rule and its firings; what it proposed stays. Throws RESOURCE_NOT_FOUND. */
  remove(organizationId: string, id: string): Promise<void>;
  /** Newest first. Throws RESOURCE_NOT_FOUND. */
  firings(
    organizationId: string,
    id: string,
    page: { limit: number; before: string | null },
  ): Promise<firings.FiringRow[]>;
  /** What a rule, with some of it changed, or one that is not saved, would do now. */
  preview(
    editor: RuleEditor,
    trial: { readonly id: string | null } & RuleChange,
    nowMs: number,
  ): Promise<RulePreview>;
  /** Fires what is due now and waits for it; true when there may be more. */
  tick(): Promise<boolean>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createAttentionRulesService(context: RuleContext): AttentionRulesService {
  const { database, metrics } = context.platform;
  const scheduler = createScheduler(context);
  const get = async (organizationId: string, id: string) =>
    (await rules.selectRule(database, organizationId, id)) ?? notFound(id);

  return {
    list: (organizationId, enabled) => rules.selectRules(database, organizationId, enabled),
    get,
    async create(editor, rule, nowMs) {
      refuseUnusable(rule);
      await refuseUnknownCapability(context, editor, rule.action_capability, nowMs);
      return database.transaction(async (tx) => {
        if ((await rules.countRules(tx, editor.organizationId)) >= limits.rules) {
          metrics.limitsHit.inc({ limit: "attention_rules" });
          throw ruleErrors.QUOTA_RULES();
        }
        return rules.insertRule(tx, writeOf(editor, newSortableId("rule", nowMs), rule, nowMs));
      });
    },
    async update(editor, id, change, nowMs) {
      if (change.action_capability !== undefined) {
        await refuseUnknownCapability(context, editor, change.action_capability, nowMs);
      }
      return database.transaction(async (tx) => {
        const held = (await rules.holdRule(tx, editor.organizationId, id)) ?? notFound(id);
        // As a whole, and only now: somebody else may have changed the other half of it.
        refuseUnusable({ ...held, ...change });
        await firings.breakOffFirings(tx, id);
        return rules.updateRule(tx, writeOf(editor, id, { ...held, ...change }, nowMs));
      });
    },
    async remove(organizationId, id) {
      if (!(await rules.deleteRule(database, organizationId, id))) notFound(id);
    },
    async firings(organizationId, id, page) {
      await get(organizationId, id);
      return firings.selectFirings(database, id, page);
    },
    async preview(editor, { id, ...change }, nowMs) {
      const saved = id === null ? null : await get(editor.organizationId, id);
      const trial = { ...UNSAVED, updated_by: editor.accountId, ...saved, ...change };
      const proposedToday =
        saved === null ? 0 : await firings.countProposed(database, saved.id, dayOf(nowMs));
      const { organizationId } = editor;
      return previewRule(context, proposerOf(trial), { ...trial, organizationId, proposedToday }, nowMs);
    },
    tick: () => scheduler.tick(),
    start: async () => scheduler.start(),
    stop: () => scheduler.stop(),
  };
}

/** What stands in for what a preview leaves out. */
const UNSAVED = {
  id: "rule_unsaved",
  name: "a rule that is not saved",
  condition_mode: "snapshot_predicate",
  condition: true,
  action_capability: "",
  action_payload_template: {},
  max_fires_per_day: null,
} as const;

function notFound(id: string): never {
  throw errors.RESOURCE_NOT_FOUND({
    message: `There is no attention rule ${id.slice(0, 80)}.`,
    remediation: "List the rules first: GET /v1/me/substrate/attention-rules.",
  });
}

const scheduleOf = ({ trigger_cron }: Pick<RuleDefinition, "trigger_cron">) => ({
  cron: trigger_cron,
  timezone: "UTC",
});

/** Throws what keeps a rule from being saved. Pure. */
function refuseUnusable(rule: RuleDefinition): void {
  const problem = scheduleProblem(scheduleOf(rule));
  if (problem !== null) throw ruleErrors.RULE_CRON_INVALID({ message: `trigger_cron: ${problem}.` });
  readCondition(rule.condition_mode, rule.condition);
  checkTemplate(rule.action_payload_template);
}

/** Throws CAPABILITY_UNKNOWN. Whether a payload is right only a match can tell: the template is none yet. */
async function refuseUnknownCapability(
  { substrate }: RuleContext,
  { organizationId, accountId }: RuleEditor,
  capability: string,
  nowMs: number,
): Promise<void> {
  const proposer = proposerOf({ ...UNSAVED, updated_by: accountId });
  try {
    await substrate.preview(proposer, { organizationId, capability, payload: {} }, nowMs);
  } catch (error) {
    if (!(error instanceof AmbitError) || error.status >= 500 || error.code === "CAPABILITY_UNKNOWN")
      throw error;
  }
}

function writeOf(
  { organizationId, accountId }: RuleEditor,
  id: string,
  rule: RuleDefinition & { enabled: boolean },
  nowMs: number,
): rules.RuleWrite {
  const nextMs = rule.enabled ? nextRun(scheduleOf(rule), nowMs) : null;
  return {
    ...rule,
    organizationId,
    id,
    accountId,
    now: new Date(nowMs),
    nextFireAt: nextMs === null ? null : new Date(nextMs),
  };
}
