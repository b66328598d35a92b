import {
  type JsonObject,
  type Judgement,
  type PolicyCall,
  type Reservation,
  RULES,
  retryAfterS,
} from "@ambit/policy";
import { AmbitError } from "../../kernel/errors.ts";
import type { CurrentPolicy } from "../gateway-policies/service.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";
import { askAPerson } from "./ask.ts";
import { forward, HOLDS_NOTHING } from "./call-under-way.ts";
import { type Case, deny, type JudgedCall, limit } from "./case.ts";
import type { GatewayContext } from "./context.ts";
import { decidedBefore, ifApproved } from "./held.ts";
import type { Verdict } from "./types.ts";

/** Judges a call of a tool, in the order of the spec: policy, rules, the tool's definition, limits, a person. */
export async function judgeCall(it: Case, tool: string, args: JsonObject): Promise<Verdict> {
  const { context, admission, asked } = it;
  const { grant, server, policy } = admission;
  if (policy === null) return deny(it, RULES.noPolicy, null);
  const nowMs = context.platform.clock();
  const call = { tool, args, grantId: grant.id, sessionId: asked.sessionId, serverId: server.id };
  // Not awaited where it is known: that is nearly always.
  const judging = judgedBy(context, policy, server, call, nowMs);
  const judgement = judging instanceof Promise ? await judging : judging;
  if (judgement.outcome === "deny") return deny(it, judgement.rule, judgement.message);
  const judged: JudgedCall = { tool, args, judgement, nowMs };
  if (asked.requestState !== null || judgement.outcome === "hold") {
    const verdict = await decidedBefore(it, judged);
    if (verdict !== null) return verdict;
  }
  if (judgement.reservations.length > 0) {
    const refusal = await reserve(it, judged);
    if (refusal !== null) return refusal;
  }
  if (judgement.outcome === "hold") return askAPerson(it, judged);
  const { reservations } = judgement;
  const holding = reservations.length === 0 ? HOLDS_NOTHING : { reservations, approved: null };
  return forward(context, admission, asked, holding);
}

/** Takes room in the counters; null when there is, and the room is the call's then. */
async function reserve(it: Case, call: JudgedCall): Promise<Verdict | null> {
  const { reservations } = call.judgement;
  const reserved = await it.context.quotas.reserve(reservations).catch((error: unknown) => {
    if (error instanceof AmbitError) return error;
    throw error;
  });
  if (reserved instanceof AmbitError) {
    const message = "the limits of this call can't be counted right now; try again in a moment";
    return deny(it, reservations[0]!.rule, message);
  }
  if (reserved.ok) return null;
  // The policy may have changed since a person approved this very call: then its room is held already.
  const approved = call.judgement.outcome === "allow" ? await ifApproved(it, call) : null;
  return approved ?? full(it, reserved.refused, call.nowMs);
}

function full(it: Case, refused: Reservation, nowMs: number): Promise<Verdict> {
  const seconds = retryAfterS(refused, nowMs);
  const message =
    refused.message ??
    `the limit ${refused.counter} of ${refused.max} has no room for this call; its window ends in ${seconds} s`;
  return limit(it, refused.rule, message, seconds);
}

/** What a policy says of a call; a promise only when the tool's definition has to be looked at first. */
export function judgedBy(
  { servers }: Pick<GatewayContext, "servers">,
  { compiled }: CurrentPolicy,
  server: GatewayServer,
  call: Omit<PolicyCall, "tool_state">,
  nowMs: number,
): Judgement | Promise<Judgement> {
  const known = server.transport === "builtin" ? "approved" : servers.peekToolState(server, call.tool);
  if (known !== undefined) return compiled.judge({ ...call, tool_state: known }, nowMs);
  // Nothing is looked at for what is denied whatever the tool is.
  const changed = compiled.judge({ ...call, tool_state: "changed" }, nowMs);
  if (changed.outcome === "deny" && changed.rule !== RULES.toolChanged) return changed;
  return servers.toolState(server, call.tool).then(
    (state) => (state === "changed" ? changed : compiled.judge({ ...call, tool_state: state }, nowMs)),
    (): Judgement => ({
      ...{ outcome: "deny", rule: RULES.toolChanged },
      message: "the server can't be looked at, so nobody knows whether the tool is what was approved",
    }),
  );
}
