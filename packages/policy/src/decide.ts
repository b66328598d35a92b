import { compile } from "./compile.ts";
import type { CompiledPolicy, Counters, Decision, PolicyCall, PolicyDocument, Reservation } from "./types.ts";

/**
 * What becomes of a call. Pure: the same policy, call, counters and time always give the same decision. `nowMs` is in
 * milliseconds since the epoch; `counters` says how much of each counter is used in the reservation's window. Whether
 * there is room is asked for all limits before anything counts as reserved: a refused call reserves nothing. A counter
 * that gives no number has no room; one that throws makes this throw, and then the call must be denied.
 *
 * A document is compiled for each call; compile it once when there are several. Throws PolicyInvalid for an invalid one.
 */
export function decide(
  policy: PolicyDocument | CompiledPolicy,
  call: PolicyCall,
  counters: Counters,
  nowMs: number,
): Decision {
  const compiled = isCompiled(policy) ? policy : compile(policy);
  const judgement = compiled.judge(call, nowMs);
  if (judgement.outcome === "deny") return { ...judgement, reservations: [] };
  const full = judgement.reservations.find((wanted) => !hasRoom(wanted, counters(wanted)));
  if (full === undefined) return judgement;
  return {
    outcome: "limit",
    rule: full.rule,
    message: full.message,
    reservations: [],
    retryAfterS: retryAfterS(full, nowMs),
  };
}

/** Whether the counter, `used` so far, has room for what is wanted. False for anything that is no number. */
function hasRoom(wanted: Reservation, used: number): boolean {
  return Number.isFinite(used) && used + wanted.cost <= wanted.max;
}

/** No JSON value is a function. */
function isCompiled(policy: PolicyDocument | CompiledPolicy): policy is CompiledPolicy {
  return "judge" in policy && typeof policy.judge === "function";
}

/** In how many whole seconds, at least 1, the window of a reservation ends. */
export function retryAfterS(wanted: Reservation, nowMs: number): number {
  return Math.max(1, Math.ceil((wanted.windowEndMs - nowMs) / 1000));
}
