import { AmbitError } from "../../kernel/errors.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { ActionPreview, Proposer } from "../substrate/service.ts";
import { readCondition } from "./condition.ts";
import type { RuleContext } from "./context.ts";
import { limits } from "./limits.ts";
import { planFiring, skipReason } from "./plan.ts";
import { find } from "./search.ts";
import { checkTemplate } from "./template.ts";
import type { Binding, Findings, RuleDefinition } from "./types.ts";

/** What of a rule can be tried out. */
export type Trial = Pick<
  RuleDefinition,
  "condition_mode" | "condition" | "action_capability" | "action_payload_template" | "max_fires_per_day"
> & { readonly organizationId: string; readonly proposedToday: number };

export interface SampleProposal {
  readonly binding: JsonObject;
  readonly rendered_payload: JsonObject;
  readonly would_require_approval: boolean;
  /** The verdict it would get; null when it could not be proposed at all. */
  readonly verdict: ActionPreview["verdict"] | null;
  /** Why it would fail. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

export interface RulePreview {
  readonly bindings_count: number;
  readonly sample_proposals: readonly SampleProposal[];
  /** Why nothing would be proposed. */
  readonly skip_reason: string | null;
  /** What else a firing would say. */
  readonly note: string | null;
}

/**
 * What a rule would do now: found and computed as in a firing, and nothing of it kept. What a firing would fail with is
 * the `skip_reason`; a rule that could not be saved throws RULE_CONDITION_INVALID or RULE_TEMPLATE_INVALID.
 */
export async function previewRule(
  context: RuleContext,
  proposer: Proposer,
  trial: Trial,
  nowMs: number,
): Promise<RulePreview> {
  const condition = readCondition(trial.condition_mode, trial.condition);
  checkTemplate(trial.action_payload_template);
  let findings: Findings = { bindings: [], note: null };
  try {
    findings = await find(context, trial.organizationId, condition, nowMs);
    const plan = planFiring({
      template: trial.action_payload_template,
      maxPerDay: trial.max_fires_per_day,
      proposedToday: trial.proposedToday,
      findings,
    });
    const samples: SampleProposal[] = [];
    for (const [at, { payload }] of plan.proposals.slice(0, limits.samples).entries()) {
      samples.push(await sampleOf(context, proposer, trial, findings.bindings[at]!, payload, nowMs));
    }
    return {
      bindings_count: plan.bindingCount,
      sample_proposals: samples,
      skip_reason: skipReason(plan),
      note: plan.proposals.length === 0 ? null : plan.reason,
    };
  } catch (error) {
    if (!(error instanceof AmbitError) || error.status >= 500) throw error;
    return {
      bindings_count: findings.bindings.length,
      sample_proposals: [],
      skip_reason: error.message,
      note: null,
    };
  }
}

async function sampleOf(
  { substrate }: RuleContext,
  proposer: Proposer,
  { organizationId, action_capability: capability }: Trial,
  binding: Binding,
  payload: JsonObject,
  nowMs: number,
): Promise<SampleProposal> {
  const sample = { binding: binding.shown, rendered_payload: payload };
  try {
    const seen = await substrate.preview(proposer, { organizationId, capability, payload }, nowMs);
    const waits = seen.verdict.result === "requires_approval";
    return { ...sample, would_require_approval: waits, verdict: seen.verdict, problem: seen.problem };
  } catch (error) {
    if (!(error instanceof AmbitError) || error.status >= 500) throw error;
    const { code, message } = error;
    return { ...sample, would_require_approval: false, verdict: null, problem: { code, message } };
  }
}
