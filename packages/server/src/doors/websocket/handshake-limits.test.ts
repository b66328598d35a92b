import { describe, expect, it } from "vitest";
import { Metrics } from "../../kernel/metrics.ts";
import { handshakeLimits } from "./handshake-limits.ts";
import { limits } from "./limits.ts";

const nothing = async () => {};

describe("handshakeLimits", () => {
  it("looks into so many at a time, and turns away those for whom there is no room to wait", async () => {
    const metrics = new Metrics();
    const handshakes = handshakeLimits(metrics);
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    let inside = 0;
    const work = () => {
      inside += 1;
      return answered;
    };
    const all = limits.handshakesAtOnce + limits.handshakesWaiting;
    const running = Array.from({ length: all }, () => handshakes.run("192.0.2.1", work));
    const refused = await handshakes.run("192.0.2.2", work).catch((error) => error);
    expect(refused).toMatchObject({ status: 429, code: "QUOTA_RATE_LIMIT", headers: { "Retry-After": "5" } });
    expect(inside).toBe(limits.handshakesAtOnce);
    answer();
    await Promise.all(running);
    expect(inside).toBe(all);
    expect(await metrics.registry.getSingleMetricAsString("ambit_limit_hit_total")).toMatch(
      /limit="realtime_handshakes_waiting"\} 1/,
    );
  });

  it("lets one address open so many in a window, and others go on", async () => {
    const handshakes = handshakeLimits(new Metrics());
    for (let opened = 0; opened < limits.handshakesPerAddress; opened += 1)
      await handshakes.run("192.0.2.1", nothing);
    const refused = await handshakes.run("192.0.2.1", nothing).catch((error) => error);
    expect(refused).toMatchObject({ status: 429, headers: { "Retry-After": expect.any(String) } });
    await handshakes.run("192.0.2.2", nothing);
  });
});
