import type { JsonObject } from "../ledger/service.ts";
import { limits } from "./limits.ts";
import { render } from "./template.ts";
import type { Findings, FiringStatus } from "./types.ts";

/** A proposal a firing makes. */
export interface PlannedProposal {
  /** Which binding it is for; with the rule and its time this makes the idempotency key. */
  readonly key: string;
  readonly payload: JsonObject;
}

/** What a firing will do; kept before the first proposal is made, so that nothing is decided twice. */
export interface Plan {
  readonly status: FiringStatus;
  readonly bindingCount: number;
  readonly proposals: readonly PlannedProposal[];
  readonly reason: string | null;
}

/** What of a rule a plan depends on. */
export interface PlanInput {
  readonly template: JsonObject;
  readonly maxPerDay: number | null;
  /** Proposals of the rule on this day (UTC) so far. */
  readonly proposedToday: number;
  readonly findings: Findings;
}

/**
 * Decides what a firing does: one proposal per binding, as many as the day still has room for. Throws
 * RULE_VARIABLE_MISSING and RULE_TEMPLATE_INVALID when any of the payloads can't be made: then none is proposed. Pure.
 */
export function planFiring({ template, maxPerDay, proposedToday, findings }: PlanInput): Plan {
  const { bindings, note } = findings;
  const bindingCount = bindings.length;
  if (bindingCount === 0) return { status: "skipped", bindingCount, proposals: [], reason: note };
  const all = bindings.map(({ key, variables }) => ({ key, payload: render(template, variables) }));
  const room = maxPerDay === null ? bindingCount : Math.max(0, maxPerDay - proposedToday);
  if (room >= bindingCount) return { status: "fired", bindingCount, proposals: all, reason: note };
  const capped = `max_fires_per_day is ${maxPerDay}: ${room} of ${bindingCount} proposed.`;
  return {
    status: "capped",
    bindingCount,
    proposals: all.slice(0, room),
    reason: note === null ? capped : `${capped} ${note}`.slice(0, limits.reasonChars),
  };
}

/** Why none of what was found would be proposed, or null. Pure. */
export const skipReason = ({ proposals, reason }: Plan): string | null =>
  proposals.length === 0 ? (reason ?? "Nothing to propose.") : null;
