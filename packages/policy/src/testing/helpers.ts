import { decide } from "../decide.ts";
import type { CompiledPolicy, Decision, Json, JsonObject, PolicyCall, PolicyDocument } from "../types.ts";

/** AMBIT_SEED replays a run, whose seed a failure prints; AMBIT_RUNS makes it longer. */
export function runsOf(most: number): { readonly numRuns: number; readonly seed?: number } {
  const { AMBIT_SEED, AMBIT_RUNS } = process.env;
  return {
    numRuns: AMBIT_RUNS === undefined ? most : Number(AMBIT_RUNS),
    ...(AMBIT_SEED === undefined ? {} : { seed: Number(AMBIT_SEED) }),
  };
}

/** 2026-03-04T05:06:07.890Z, a Wednesday. */
export const NOW_MS = Date.UTC(2026, 2, 4, 5, 6, 7, 890);

export function callOf(tool: string, args: JsonObject = {}, rest: Partial<PolicyCall> = {}): PolicyCall {
  return { tool, args, grantId: "gr_1", sessionId: null, serverId: "sv_1", tool_state: "approved", ...rest };
}

/** A document under default deny with these tools. */
export function documentOf(tools: Json, rest: JsonObject = {}): PolicyDocument {
  return { version: "1", default: "deny", tools, ...rest } as unknown as PolicyDocument;
}

/** The decision when no counter was used yet. */
export function decideFresh(policy: PolicyDocument | CompiledPolicy, call: PolicyCall): Decision {
  return decide(policy, call, () => 0, NOW_MS);
}

/** `allow`, or the outcome with its rule. */
export function said(decision: Decision): string {
  return decision.rule === "" ? decision.outcome : `${decision.outcome} ${decision.rule}`;
}
