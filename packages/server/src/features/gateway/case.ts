import type { JsonObject, Judgement, Reservation } from "@ambit/policy";
import type { DecisionOutcome } from "../gateway-decisions/service.ts";
import { denied, limited, reasonOf } from "./answers.ts";
import type { GatewayContext } from "./context.ts";
import { recordOf } from "./record.ts";
import type { Admission, AskedFor, Verdict } from "./types.ts";

/** One request under judgement. */
export interface Case {
  readonly context: GatewayContext;
  readonly admission: Admission;
  readonly asked: AskedFor;
}

/** A call with what the policy says of it; what it denies is answered before. */
export interface JudgedCall {
  readonly tool: string;
  readonly args: JsonObject;
  readonly judgement: Exclude<Judgement, { outcome: "deny" }>;
  readonly nowMs: number;
}

/** Writes down what was decided; durable when it resolves. */
export async function record(
  { context, admission, asked }: Case,
  outcome: DecisionOutcome,
  rule: string,
  message: string | null,
  approvalId: string | null = null,
): Promise<void> {
  context.metrics.count(outcome);
  await context.decisions.record(recordOf(admission, asked, { outcome, rule, message, approvalId }));
}

/** A denial, recorded. */
export async function deny(
  it: Case,
  rule: string,
  message: string | null,
  approvalId: string | null = null,
): Promise<Verdict> {
  await record(it, "deny", rule, reasonOf(rule, message), approvalId);
  return { kind: "answer", result: denied(rule, message, approvalId) };
}

/** The answer to a call for which there is no room, recorded. */
export async function limit(
  it: Case,
  rule: string,
  message: string,
  retryAfterS: number | null,
): Promise<Verdict> {
  await record(it, "limit", rule, message);
  return { kind: "answer", result: limited(rule, message, retryAfterS) };
}

/** Gives back what a call had reserved that did not run. */
export async function giveBack(
  { quotas, platform }: GatewayContext,
  reservations: readonly Reservation[],
): Promise<void> {
  if (reservations.length === 0) return;
  // What could not be given back stays counted until its window ends: too strict, never too lax.
  await quotas.giveBack(reservations).catch((error: unknown) => {
    platform.log.warn({ err: error }, "the quota of a call that never ran was not given back");
  });
}
