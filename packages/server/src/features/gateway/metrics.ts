import { Histogram } from "prom-client";
import type { Metrics } from "../../kernel/metrics.ts";
import { DECISION_OUTCOMES, type DecisionOutcome } from "../gateway-decisions/service.ts";

/** What operators see of the judge on this node. */
export function gatewayMetrics(metrics: Metrics) {
  const judged = metrics.counter(
    "ambit_gateway_judged_total",
    "Requests that were judged, by what was decided.",
    ["outcome"],
  );
  // A child per outcome, made once: this is on the way of every call.
  const children = Object.fromEntries(
    DECISION_OUTCOMES.map((outcome) => [outcome, judged.labels({ outcome })]),
  ) as Record<DecisionOutcome, ReturnType<typeof judged.labels>>;
  const seconds = new Histogram({
    name: "ambit_gateway_judge_seconds",
    help: "Time it took to judge a request, without forwarding it.",
    buckets: [0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 1, 10],
    registers: [metrics.registry],
  });
  return {
    count: (outcome: DecisionOutcome) => children[outcome].inc(),
    judgedIn: (ms: number) => seconds.observe(ms / 1000),
  };
}
export type GatewayMetrics = ReturnType<typeof gatewayMetrics>;
