import { expect, it } from "vitest";
import { Metrics } from "../../kernel/metrics.ts";
import { limits } from "./limits.ts";
import { realtimeMetrics } from "./metrics.ts";

it("counts the codes that policies raise without keeping each for ever", async () => {
  const metrics = new Metrics();
  const { undecided } = realtimeMetrics(metrics);
  for (let at = 0; at < 1_000; at += 1) undecided.inc({ sqlstate: `X${at}` });
  undecided.inc({ sqlstate: "X0" });
  const lines = (await metrics.registry.metrics())
    .split("\n")
    .filter((line) => line.startsWith("ambit_realtime_undecided_total{"));
  expect(lines).toHaveLength(limits.undecidedCodes + 1);
  expect(lines).toContain('ambit_realtime_undecided_total{sqlstate="X0"} 2');
  expect(lines).toContain('ambit_realtime_undecided_total{sqlstate="other"} 900');
});
