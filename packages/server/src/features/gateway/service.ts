import type { Platform } from "../../engines/platform.ts";
import { createRateLimit } from "../../kernel/rate-limit.ts";
import { admit } from "./admit.ts";
import type { Case } from "./case.ts";
import type { GatewayContext, GatewayDeps } from "./context.ts";
import { judgeNow } from "./judge-now.ts";
import { limits } from "./limits.ts";
import { gatewayMetrics } from "./metrics.ts";
import { judgeOther } from "./other-methods.ts";
import { recordOf } from "./record.ts";
import { openSession } from "./sessions.ts";
import { stillHolds } from "./still-holds.ts";
import { judgeCall } from "./tool-call.ts";
import { filterTools } from "./tools-list.ts";
import type { GatewayService, Verdict } from "./types.ts";

export type { GatewayDeps } from "./context.ts";
export type * from "./types.ts";

const NO_ARGUMENTS = Object.freeze({});

/** The judge, and what its background work needs. */
export function createGatewayService(
  platform: Platform,
  deps: GatewayDeps,
): { service: GatewayService; context: GatewayContext } {
  const metrics = gatewayMetrics(platform.metrics);
  const context: GatewayContext = { ...deps, platform, metrics, waiters: 0 };
  const wrongTokens = createRateLimit(
    { name: "gateway_wrong_tokens", points: limits.wrongTokensPerMinute, windowS: 60 },
    platform.metrics,
  );
  deps.holds.judgeWith((call) => judgeNow(context, call));
  const service: GatewayService = {
    admit: (authorization, serverRef, ip) => admit(context, wrongTokens, authorization, serverRef, ip),
    async judge(admission, asked) {
      const sinceMs = performance.now();
      try {
        return await verdictOn({ context, admission, asked });
      } finally {
        metrics.judgedIn(performance.now() - sinceMs);
      }
    },
    async note(admission, { requestId, method, outcome, rule, message }) {
      metrics.count(outcome);
      const asked = { requestId, method, tool: null, args: null };
      const decided = { outcome, rule, message, approvalId: null };
      await deps.decisions.record(recordOf(admission, asked, decided));
    },
    openSession: (admission) => openSession(context, admission),
    stillHolds: (admission) => stillHolds(context, admission),
    filterTools: (admission, result) => filterTools(context, admission, result),
  };
  return { service, context };
}

function verdictOn(it: Case): Promise<Verdict> {
  const { method, tool, args } = it.asked;
  if (method !== "tools/call" || tool === null) return judgeOther(it);
  return judgeCall(it, tool, args ?? NO_ARGUMENTS);
}
