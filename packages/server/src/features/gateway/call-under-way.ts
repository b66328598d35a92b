import type { Reservation } from "@ambit/policy";
import type { UpstreamFailure } from "../../engines/upstream/types.ts";
import { giveBack } from "./case.ts";
import type { GatewayContext } from "./context.ts";
import { recordOf } from "./record.ts";
import type { Admission, AskedFor, CallUnderWay, Verdict } from "./types.ts";

/** What a call that is let through holds. */
export interface Holding {
  readonly reservations: readonly Reservation[];
  /** A person approved it, and it was claimed: its quota is the hold's. */
  readonly approved: { readonly holdId: string; readonly approvalId: string } | null;
}

export const HOLDS_NOTHING: Holding = Object.freeze({ reservations: Object.freeze([]), approved: null });

type End = Parameters<CallUnderWay["settle"]>[0];

/** Lets a request through: what is recorded of it is written while it is on its way. */
export function forward(
  context: GatewayContext,
  admission: Admission,
  asked: AskedFor,
  holding: Holding,
): Verdict {
  const { decisions, metrics } = context;
  metrics.count("allow");
  const approvalId = holding.approved?.approvalId ?? null;
  const recorded = decisions.record(
    recordOf(admission, asked, { outcome: "allow", rule: "", message: null, approvalId }),
  );
  // Whoever answers waits for it and hears of a failure; until then it must not count as unhandled.
  recorded.catch(ignore);
  const sinceMs = performance.now();
  let settled = false;
  const call: CallUnderWay = {
    keepsResult: holding.approved !== null,
    async settle(end) {
      if (settled) return;
      settled = true;
      const latencyMs = performance.now() - sinceMs;
      const { organizationId } = admission.grant;
      recorded.then((decisionId) => {
        decisions.ended({ decisionId, organizationId, status: end.status, latencyMs, problem: end.problem });
      }, ignore);
      if (holding.approved !== null || end.ran === "no") await release(context, holding, end);
      if (FAILURES.has(end.problem)) await recordFailure(context, admission, asked, end, approvalId);
    },
  };
  return { kind: "forward", recorded, call };
}

async function release(context: GatewayContext, holding: Holding, end: End): Promise<void> {
  const { holds, platform } = context;
  if (holding.approved !== null) {
    const again = end.ran === "no" || asksForMore(end.result);
    const how = again ? ({ ran: "no" } as const) : ({ ran: "yes", result: end.result } as const);
    return holds.finish(holding.approved.holdId, how, platform.clock());
  }
  await giveBack(context, holding.reservations);
}

/** The server wants an answer first, and the call made again with it: that is still the one that was approved. Pure. */
function asksForMore(result: string | null): boolean {
  if (result === null || !result.includes("input_required")) return false;
  return (JSON.parse(result) as { resultType?: unknown } | null)?.resultType === "input_required";
}

/** The server gave no answer. What it answered itself (a tool's error, a JSON-RPC error) is no failure of its. */
const FAILURES: ReadonlySet<string | null> = new Set<UpstreamFailure["kind"]>([
  ...(["connect", "refused", "timeout", "broken", "body", "too_large"] as const),
]);

async function recordFailure(
  { decisions, metrics }: GatewayContext,
  admission: Admission,
  asked: AskedFor,
  end: End,
  approvalId: string | null,
): Promise<void> {
  metrics.count("error");
  const status = end.status === 0 ? "" : ` (HTTP ${end.status})`;
  const ran = { no: "it did not run", maybe: "it may have run", yes: "it ran" }[end.ran];
  const message = `The server gave no answer: ${end.problem}${status}; ${ran}.`;
  await decisions.record(recordOf(admission, asked, { outcome: "error", rule: "", message, approvalId }));
}

const ignore = () => {};
