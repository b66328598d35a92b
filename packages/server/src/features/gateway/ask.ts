import { AmbitError } from "../../kernel/errors.ts";
import type { CallKey, HoldState } from "../gateway-holds/service.ts";
import { held } from "./answers.ts";
import { type Case, deny, giveBack, type JudgedCall, limit, record } from "./case.ts";
import { recordOf } from "./record.ts";
import { riskOf } from "./risk.ts";
import type { Verdict } from "./types.ts";

export const NOT_EXACT =
  "the call needs a person's approval, and its arguments can't be shown exactly (half a character, or nested too deep)";

/** Names the call; null when its arguments have no exact form that a person could be shown. */
export function keyOf({ context, admission }: Case, { tool, args }: JudgedCall): CallKey | null {
  try {
    return context.holds.keyOf({ grantId: admission.grant.id, serverId: admission.server.id, tool, args });
  } catch (error) {
    if (error instanceof AmbitError) return null;
    throw error;
  }
}

interface Waiting {
  readonly approvalId: string;
  readonly expiresAt: Date;
}

/** The call needs a person and nobody has been asked: its room in the counters goes with the request. */
export async function askAPerson(it: Case, call: JudgedCall): Promise<Verdict> {
  const { rule } = call.judgement;
  const key = keyOf(it, call);
  if (key === null) {
    await giveBack(it.context, call.judgement.reservations);
    return deny(it, rule, NOT_EXACT);
  }
  const waiting = await putIn(it, call, key).catch(async (error: unknown) => {
    // A connection that was lost may have committed all the same; then the room is the hold's.
    const unsure = error instanceof AmbitError && error.code === "DATABASE_UNAVAILABLE";
    if (!unsure) await giveBack(it.context, call.judgement.reservations);
    if (error instanceof AmbitError && REFUSED.has(error.code)) return error;
    throw error;
  });
  if (!(waiting instanceof AmbitError)) {
    it.context.metrics.count("hold");
    return told(it, call, key, waiting);
  }
  if (waiting.code === "QUOTA_APPROVALS") return limit(it, rule, waiting.message, null);
  return deny(it, rule, `the call needs a person's approval and can't be shown to one: ${waiting.message}`);
}

/** What the inbox says of a request it does not take; nothing was written then. */
const REFUSED = new Set(["QUOTA_APPROVALS", "APPROVAL_TOO_LARGE", "VALIDATION_INVALID_SCHEMA"]);

async function putIn({ context, admission, asked }: Case, call: JudgedCall, key: CallKey): Promise<Waiting> {
  const { grant, server, policy } = admission;
  const { judgement, tool, args, nowMs } = call;
  const { rule, message, reservations } = judgement;
  const decision = recordOf(admission, asked, { outcome: "hold", rule, message, approvalId: null });
  const risk = await riskOf(context, server, tool, args);
  return context.holds.hold(
    {
      ...{ key, organizationId: grant.organizationId, grant, server, tool, args, rule, message, risk },
      ...{ policyId: policy!.policyId, policyVersion: policy!.version, reservations, decision },
    },
    nowMs,
  );
}

/** The call waits already: the same approval, and nothing reserved again. */
export async function waits(
  it: Case,
  call: JudgedCall,
  key: CallKey,
  waiting: Extract<HoldState, { kind: "pending" }>,
): Promise<Verdict> {
  await record(it, "hold", call.judgement.rule, call.judgement.message, waiting.approvalId);
  return told(it, call, key, waiting);
}

/** The call is running, for longer than its repetition waits. */
export async function runsStill(it: Case, { judgement }: JudgedCall, approvalId: string): Promise<Verdict> {
  const message = "The call was approved and is running; make exactly the same call again to get its result.";
  await record(it, "hold", judgement.rule, message, approvalId);
  return { kind: "answer", result: held(message, judgement.rule, approvalId, urlOf(it, approvalId)) };
}

/** How the caller learns that a person is asked: a page to open, or words. */
async function told(
  it: Case,
  { judgement: { rule, message } }: JudgedCall,
  key: CallKey,
  { approvalId, expiresAt }: Waiting,
): Promise<Verdict> {
  const approvalUrl = urlOf(it, approvalId);
  const why = `This call needs a person's approval${message === null ? "" : `: ${message}`}`;
  if (it.asked.opensUrls) {
    const requestState = await it.context.holds.issueState(approvalId, key);
    return { kind: "ask", approvalUrl, requestState, message: why };
  }
  const text = `${why}\nIt waits as ${approvalId} until ${expiresAt.toISOString()}: ${approvalUrl}\nOnce it is approved, make exactly the same call again: then it runs, once.`;
  return { kind: "answer", result: held(text, rule, approvalId, approvalUrl) };
}

const urlOf = ({ context }: Case, approvalId: string) =>
  `${context.platform.publicUrl()}/approve/${approvalId}`;
