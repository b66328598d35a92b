import { RULES } from "@ambit/policy";
import type { CallKey, HoldState } from "../gateway-holds/service.ts";
import { replayed } from "./answers.ts";
import { keyOf, NOT_EXACT, runsStill, waits } from "./ask.ts";
import { forward } from "./call-under-way.ts";
import { type Case, deny, type JudgedCall, record } from "./case.ts";
import type { Verdict } from "./types.ts";
import { startWaiting } from "./waiting.ts";

/**
 * A call that needs a person, or that says it is made again: what became of it before decides. Null when nothing did. What
 * was decided holds for exactly this call, and today's policy has been asked first: it did not deny it.
 */
export async function decidedBefore(it: Case, call: JudgedCall): Promise<Verdict | null> {
  const { holds, platform } = it.context;
  const key = keyOf(it, call);
  if (key === null) return deny(it, call.judgement.rule, NOT_EXACT);
  const { requestState } = it.asked;
  if (requestState !== null && !(await holds.useState(requestState, key, call.nowMs))) return badState(it);
  const waiting = startWaiting(it);
  try {
    let state = await holds.find(key, call.nowMs);
    for (;;) {
      const verdict = await answerTo(it, call, key, state);
      if (verdict !== AGAIN) return verdict;
      const { approvalId } = state as Exclude<HoldState, { kind: "none" }>;
      if (!(await waiting.pause(state))) return runsStill(it, call, approvalId);
      state = await holds.find(key, platform.clock());
    }
  } finally {
    waiting.end();
  }
}

/** The same call was approved and has not run: runs it. Null in every other case. */
export async function ifApproved(it: Case, call: JudgedCall): Promise<Verdict | null> {
  const key = keyOf(it, call);
  if (key === null) return null;
  const state = await it.context.holds.find(key, call.nowMs);
  if (state.kind !== "approved") return null;
  const verdict = await run(it, state);
  return verdict === AGAIN ? null : verdict;
}

/** It is running, or somebody else has just claimed it: look again. */
const AGAIN = "again" as const;

function answerTo(
  it: Case,
  call: JudgedCall,
  key: CallKey,
  state: HoldState,
): Promise<Verdict | null | typeof AGAIN> {
  const { outcome, rule } = call.judgement;
  // What a person said no to, or has not said yet, is of no account where today's policy asks none.
  const asks = outcome === "hold";
  switch (state.kind) {
    case "none":
      return NOTHING;
    case "pending":
      return asks ? waits(it, call, key, state) : NOTHING;
    case "approved":
      return run(it, state);
    case "running":
      return LOOK_AGAIN;
    case "unknown":
      return deny(it, rule, UNKNOWN, state.approvalId);
    case "executed":
      return replay(it, rule, state);
    case "rejected":
      return asks ? deny(it, rule, rejection(state.reason), state.approvalId) : NOTHING;
    case "expired":
      return asks ? deny(it, rule, `the approval expired: ${state.reason}`, state.approvalId) : NOTHING;
  }
}

const NOTHING = Promise.resolve(null);
const LOOK_AGAIN: Promise<typeof AGAIN> = Promise.resolve(AGAIN);
const UNKNOWN =
  "this call was approved and started, and then what ran it stopped: it may or may not have run, and is not run again. Look what it did; made again, it asks for a new approval";
const rejection = (reason: string | null) =>
  reason === null ? "a person rejected this call" : `a person rejected this call: ${reason}`;

/** Claims it: of all that repeat it at once, on whichever node, one runs it. */
async function run(
  { context, admission, asked }: Case,
  { holdId, approvalId }: Extract<HoldState, { kind: "approved" }>,
): Promise<Verdict | typeof AGAIN> {
  if (!(await context.holds.claim(holdId, context.platform.clock()))) return AGAIN;
  return forward(context, admission, asked, { reservations: [], approved: { holdId, approvalId } });
}

async function badState(it: Case): Promise<Verdict> {
  const message =
    "The requestState is not one of this call's, or it was used before; make the call again without it.";
  await record(it, "error", RULES.malformed, message);
  return { kind: "bad_state", message };
}

async function replay(
  it: Case,
  rule: string,
  { result, approvalId }: Extract<HoldState, { kind: "executed" }>,
): Promise<Verdict> {
  if (result === null) {
    const message =
      "this call ran a moment ago, after its approval, and its answer is not known; look what it did before asking again";
    return deny(it, rule, message, approvalId);
  }
  await record(it, "replay", rule, null, approvalId);
  return { kind: "replay", result: replayed(result, rule, approvalId) };
}
