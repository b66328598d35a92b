import { AmbitError } from "../../kernel/errors.ts";
import { newSortableId } from "../../kernel/ids.ts";
import { decideDue, nextRun } from "../../kernel/schedule.ts";
import { readCondition } from "./condition.ts";
import { dayOf, proposerOf, type RuleContext } from "./context.ts";
import { settleRule, type TakenRule } from "./due-store.ts";
import * as firings from "./firing-store.ts";
import { limits } from "./limits.ts";
import { type Plan, planFiring } from "./plan.ts";
import { find } from "./search.ts";

/**
 * Does what a rule is there for when its time has come: looks, decides, writes the decision down, proposes. A process
 * that dies on the way leaves the decision, and whoever takes the rule up next goes on with it: the same proposals under
 * the same idempotency keys, so none is made twice. Throws when it broke off for a reason that may pass.
 */
export async function fire(context: RuleContext, rule: TakenRule): Promise<void> {
  const { database, clock } = context.platform;
  const begun = await firings.runningFiring(database, rule.id);
  if (begun !== null) {
    const attempts = await firings.countAttempt(database, begun.id);
    const end =
      attempts > limits.attempts
        ? { status: "failed" as const, actionIds: [], reason: `It broke off ${limits.attempts} times.` }
        : await carryOut(context, rule, begun);
    return finish(context, rule, begun, end);
  }
  const nowMs = clock();
  const due = decideDue(scheduleOf(rule), rule.next_fire_at.getTime(), nowMs, limits.missedFirings);
  const scheduledAt = new Date(due.scheduledMs);
  const before = await firings.firingAt(database, rule.id, scheduledAt);
  if (before !== null) return settle(context, rule, scheduledAt, before.fired_at);
  const plan = await decide(context, rule, nowMs);
  const firing = await firings.beginFiring(database, {
    id: newSortableId("fire", nowMs),
    organization_id: rule.organization_id,
    rule_id: rule.id,
    status: plan.proposals.length === 0 ? plan.status : "running",
    binding_count: plan.bindingCount,
    reason: plan.reason,
    plan:
      plan.proposals.length === 0
        ? null
        : { status: plan.status, capability: rule.action_capability, proposals: plan.proposals },
    missed: due.missed,
    scheduled_at: scheduledAt,
    fired_at: new Date(nowMs),
  });
  if (firing.plan === null) return settle(context, rule, scheduledAt, firing.fired_at);
  return finish(context, rule, firing, await carryOut(context, rule, firing));
}

/** What to propose. What is wrong with the rule is a firing that failed; what is wrong with the server is thrown. */
async function decide(context: RuleContext, rule: TakenRule, nowMs: number): Promise<Plan> {
  try {
    const condition = readCondition(rule.condition_mode, rule.condition);
    const findings = await find(context, rule.organization_id, condition, nowMs);
    return planFiring({
      template: rule.action_payload_template,
      maxPerDay: rule.max_fires_per_day,
      proposedToday: await firings.countProposed(context.platform.database, rule.id, dayOf(nowMs)),
      findings,
    });
  } catch (error) {
    if (!isOfTheRule(error)) throw error;
    return { status: "failed", bindingCount: 0, proposals: [], reason: error.message };
  }
}

type End = Parameters<typeof firings.endFiring>[2];

/** Makes the proposals. One that is refused does not keep the others from being made. */
async function carryOut(context: RuleContext, rule: TakenRule, firing: firings.FiringRow): Promise<End> {
  const { clock } = context.platform;
  const { status, capability, proposals } = firing.plan!;
  const actionIds: string[] = [];
  const refused: string[] = [];
  for (const { key, payload } of proposals) {
    try {
      const { action_id } = await context.substrate.propose(
        proposerOf(rule),
        {
          organizationId: rule.organization_id,
          capability,
          payload,
          idempotencyKey: `${firing.id}:${key}`,
          triggerContext: `attention rule ${rule.id}, firing ${firing.id}`,
        },
        clock(),
      );
      actionIds.push(action_id);
    } catch (error) {
      if (!isOfTheRule(error)) throw error;
      refused.push(`${key}: ${error.message}`);
    }
  }
  if (refused.length === 0) return { status, actionIds, reason: firing.reason };
  const reason = `${refused.length} of ${proposals.length} could not be proposed (${refused[0]}).`;
  return { status: "failed", actionIds, reason };
}

/** Whether an error says what is wrong with what was asked, rather than with the server. */
const isOfTheRule = (error: unknown): error is AmbitError =>
  error instanceof AmbitError && error.status < 500;

async function finish(
  context: RuleContext,
  rule: TakenRule,
  firing: firings.FiringRow,
  end: End,
): Promise<void> {
  await firings.endFiring(context.platform.database, firing.id, end);
  await settle(context, rule, firing.scheduled_at, firing.fired_at);
}

/** Gives the rule back until the time after the one that is done; that may have come already. */
async function settle(
  { platform }: RuleContext,
  rule: TakenRule,
  doneAt: Date,
  firedAt: Date,
): Promise<void> {
  const nextMs = nextRun(scheduleOf(rule), doneAt.getTime());
  await settleRule(platform.database, rule, nextMs === null ? null : new Date(nextMs), firedAt);
}

const scheduleOf = ({ trigger_cron }: TakenRule) => ({ cron: trigger_cron, timezone: "UTC" });
