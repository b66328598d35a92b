import { expect } from "vitest";
import type { Verdict } from "../service.ts";

type Forward = Extract<Verdict, { kind: "forward" }>;
type End = Parameters<Forward["call"]["settle"]>[0];

/** What the answer says was decided. */
export function decisionOf(verdict: Verdict) {
  expect(verdict.kind).toBe("answer");
  if (verdict.kind !== "answer") throw new Error(verdict.kind);
  return { ...verdict.result._meta["ambit/decision"], text: verdict.result.content[0].text };
}

/** The approval a call waits for. */
export function heldBy(verdict: Verdict): string {
  const { outcome, approval_id } = decisionOf(verdict);
  expect(outcome).toBe("hold");
  expect(approval_id).toMatch(/^apr_/);
  return approval_id!;
}

export function forwarded(verdict: Verdict): Forward {
  expect(verdict.kind).toBe("forward");
  return verdict as Forward;
}

/** The upstream answered with `text`. */
export const ran = (text: string): End => ({
  ...{ ran: "yes", status: 200, problem: null },
  result: JSON.stringify({ content: [{ type: "text", text }], _meta: { "x/kept": 1 } }),
});

export const neverRan: End = { ran: "no", status: 0, problem: "connect", result: null };
export const mayHaveRun: End = { ran: "maybe", status: 0, problem: "timeout", result: null };

/** Lets a call through and ends it, as the door does. */
export async function runs(verdict: Verdict, end: End): Promise<void> {
  const { call, recorded } = forwarded(verdict);
  await call.settle(end);
  await recorded;
}
