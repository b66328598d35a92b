import { type CompiledPolicy, type Decision, decide, type JsonObject, type Outcome } from "@ambit/policy";
import { Problem } from "./problem.ts";
import { instantMs } from "./time.ts";

/** One call, and what a policy is expected to make of it. */
export interface PolicyCase {
  readonly name: string | null;
  readonly tool: string;
  readonly args: JsonObject;
  /** Milliseconds since the epoch; null: at the time of the case before. */
  readonly atMs: number | null;
  readonly grant: string;
  readonly session: string | null;
  readonly expect: Outcome;
  /** Null: any. */
  readonly rule: string | null;
}

/** What became of a case. */
export interface JudgedCase {
  readonly given: PolicyCase;
  readonly decision: Decision;
  readonly passes: boolean;
}

const OUTCOMES: readonly unknown[] = ["allow", "deny", "limit", "hold"] satisfies Outcome[];
const KEYS = ["name", "tool", "arguments", "at", "grant", "session", "expect", "rule"];
/** When the first case is judged, if it does not say: always the same, so that no run meets the end of a window. */
const FIRST_MS = Date.UTC(2026, 0, 1, 12);
const SERVER = "server";

/** The cases in a file's values. Throws Problem for the first that is none. Pure. */
export function casesIn(values: readonly unknown[]): PolicyCase[] {
  return values.map((value, at) => caseIn(value, `Case ${at + 1}`));
}

function caseIn(value: unknown, where: string): PolicyCase {
  if (!isObject(value)) throw new Problem(`${where} is no object.`);
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw new Problem(
      `${where} has the unknown key ${JSON.stringify(unknown)}; there are ${KEYS.join(", ")}.`,
    );
  }
  const { arguments: args = {}, at, expect } = value;
  const text = (key: string): string | null => {
    const found = value[key];
    if (found === undefined || found === null) return null;
    if (typeof found === "string") return found;
    throw new Problem(`${where}: ${key} must be a text.`);
  };
  const tool = text("tool");
  if (tool === null) throw new Problem(`${where} names no tool.`);
  if (!isObject(args)) throw new Problem(`${where}: arguments must be an object.`);
  if (!OUTCOMES.includes(expect))
    throw new Problem(`${where}: expect must be one of ${OUTCOMES.join(", ")}.`);
  const atMs = at === undefined ? null : instantMs(String(at));
  if (at !== undefined && atMs === null) {
    throw new Problem(`${where}: at must be a time such as 2026-06-01T12:00:00Z.`);
  }
  return {
    ...{ name: text("name"), tool, args: args as JsonObject, atMs },
    ...{ grant: text("grant") ?? "grant", session: text("session") },
    ...{ expect: expect as Outcome, rule: text("rule") },
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Judges cases one after the other, with counters that begin empty: what a call that is allowed or held takes is not there
 * for those after it. Pure.
 */
export function judgeCases(policy: CompiledPolicy, cases: readonly PolicyCase[]): JudgedCase[] {
  const used = new Map<string, number>();
  const at = ({ key, windowStartMs }: { key: string; windowStartMs: number }) => `${windowStartMs} ${key}`;
  let nowMs = FIRST_MS;
  return cases.map((given) => {
    nowMs = given.atMs ?? nowMs;
    const { tool, args, grant: grantId, session: sessionId, expect, rule } = given;
    const call = { tool, args, grantId, sessionId, serverId: SERVER, tool_state: "approved" } as const;
    const decision = decide(policy, call, (wanted) => used.get(at(wanted)) ?? 0, nowMs);
    for (const taken of decision.reservations) used.set(at(taken), (used.get(at(taken)) ?? 0) + taken.cost);
    const passes = decision.outcome === expect && (rule === null || rule === decision.rule);
    return { given, decision, passes };
  });
}
