import {
  type CompiledPolicy,
  type Decision,
  decide,
  type JsonObject,
  type PolicyCall,
  type Reservation,
} from "@ambit/policy";
import { createOutlook, type NamedCall, type Outlook } from "./outlook.ts";

/** A policy ready to judge calls with values and without. */
export interface Judge {
  readonly compiled: CompiledPolicy;
  readonly outlook: Outlook;
}

export const judgeOf = (compiled: CompiledPolicy): Judge => ({ compiled, outlook: createOutlook(compiled) });

/** A call at its own time, with its arguments or their names. */
export interface SimulatedCall extends Omit<NamedCall, "argumentKeys"> {
  readonly atMs: number;
  readonly args: JsonObject | null;
  readonly argumentKeys: readonly string[] | null;
}

/** What would have become of it. */
export interface Simulated {
  readonly outcome: Decision["outcome"] | "undecidable";
  readonly rule: string;
  readonly message: string | null;
}

/** Judges calls one after the other and counts what they reserve, in windows of their own times. */
export interface Simulation {
  judge(judge: Judge, call: SimulatedCall): Simulated;
}

const UNDECIDABLE: Simulated = { outcome: "undecidable", rule: "", message: null };

/**
 * Counters begin empty and hold what allowed and held calls reserved; nothing is given back. What can't be decided without
 * values is not counted. Deterministic: the same calls in the same order give the same.
 */
export function createSimulation(): Simulation {
  const used = new Map<string, number>();
  const keyOf = ({ key, windowStartMs }: Reservation) => `${windowStartMs} ${key}`;
  const counters = (wanted: Reservation) => used.get(keyOf(wanted)) ?? 0;
  return {
    judge({ compiled, outlook }, { atMs, args, argumentKeys, ...call }) {
      const judged = args === null ? outlook.judge({ ...call, argumentKeys }, atMs) : null;
      if (args === null && judged === null) return UNDECIDABLE;
      // What is known already is decided like a policy that says just that.
      const policy = judged === null ? compiled : { ...compiled, judge: () => judged };
      const asked: PolicyCall = { ...call, args: args ?? {} };
      const { outcome, rule, message, reservations } = decide(policy, asked, counters, atMs);
      for (const wanted of reservations) used.set(keyOf(wanted), counters(wanted) + wanted.cost);
      return { outcome, rule, message };
    },
  };
}
