import { afterAll, beforeAll, expect, it } from "vitest";
import { Metrics } from "../../kernel/metrics.ts";
import type { App } from "../../kernel/operation.ts";
import type { TestPlatform } from "../../testing/platform.ts";
import { runtimeMetrics } from "./metrics.ts";
import { invocation, outcome, runtimeWorld } from "./testing/world.ts";
import { createUsage } from "./usage.ts";

let world: TestPlatform;
let app: App;
beforeAll(async () => {
  world = await runtimeWorld();
  app = await world.createApp();
});
afterAll(() => world?.stop());

function counters(options: { clock?: () => number; database?: unknown } = {}) {
  const metrics = new Metrics();
  const database = (options.database ?? world.platform.database) as typeof world.platform.database;
  const usage = createUsage(
    database,
    options.clock ?? Date.now,
    world.platform.log,
    runtimeMetrics(metrics, () => []),
  );
  return { usage, metrics };
}

it("is current at once, adds up over nodes, and apportions CPU time", async () => {
  const [one, two] = [counters(), counters()];
  const of = (unit: string) =>
    invocation({ appId: app.id, kind: "actors", unit, startedAtMs: 1_700_000_000_000 });
  for (let i = 0; i < 30; i++) one.usage.add(of("room"), outcome({ durationMs: 10 }));
  two.usage.add(of("game"), outcome({ durationMs: 100, status: 500 }));
  two.usage.add(of("game"), outcome({ durationMs: 3_600_000, status: 101 }));
  one.usage.addCpu(app.id, "actors", 80);
  await two.usage.flush();
  expect(await one.usage.usage(app.id, "actors")).toEqual({
    requests: 32,
    cpuMs: 80,
    units: [
      { unit: "game", requests: 2, errors: 1, wallMs: 100, cpuMs: 20 },
      { unit: "room", requests: 30, errors: 0, wallMs: 300, cpuMs: 60 },
    ],
  });
  expect((await one.usage.counters(app.id, "actors")).get("game")).toEqual({
    requests: 2,
    errors: 1,
    wallMs: 100,
    lastAtMs: 1_700_000_000_000,
    lastStatus: 101,
  });
  expect(await one.usage.usage(app.id, "functions")).toEqual({ requests: 0, cpuMs: 0, units: [] });
  expect(await one.metrics.registry.metrics()).toContain('ambit_runtime_requests_total{kind="actors"} 30');
});

it("begins anew every month, and counters go on", async () => {
  const own = await world.createApp();
  let now = Date.UTC(2026, 10, 30, 23, 59, 59, 900);
  const { usage } = counters({ clock: () => now });
  const one = invocation({ appId: own.id });
  usage.add(one, outcome());
  now += 200;
  usage.add(one, outcome());
  usage.add(one, outcome());
  expect((await usage.usage(own.id, "functions")).requests).toBe(2);
  expect((await usage.counters(own.id, "functions")).get("hello")!.requests).toBe(3);
  now -= 200;
  expect((await usage.usage(own.id, "functions")).requests).toBe(1);
});

it("writes by itself within a second or so", async () => {
  const own = await world.createApp();
  const { usage } = counters();
  usage.addEgress(own.id, "functions", { requests: 2, refused: 1, bytesIn: 30, bytesOut: 40 });
  const reader = counters().usage;
  let use = await reader.egressUse(own.id);
  while (use.requests === 0) {
    await new Promise((done) => setTimeout(done, 100));
    use = await reader.egressUse(own.id);
  }
  expect(use).toEqual({ requests: 2, refused: 1, bytesIn: 30, bytesOut: 40 });
});

it("loses nothing while the database is away, and an app that is gone holds nothing up", async () => {
  const own = await world.createApp();
  let away = true;
  const database = {
    query: async (text: string, values: unknown[]) => {
      if (away) throw new Error("away");
      return world.platform.database.query(text, values);
    },
  };
  const { usage } = counters({ database });
  usage.add(invocation({ appId: own.id }), outcome({ status: 200 }));
  usage.add(invocation({ appId: "app_gone" }), outcome());
  await expect(usage.flush()).rejects.toThrow("away");
  usage.add(invocation({ appId: own.id, startedAtMs: 1_800_000_000_000 }), outcome({ status: 404 }));
  away = false;
  await usage.flush();
  expect((await usage.counters(own.id, "functions")).get("hello")).toMatchObject({
    requests: 2,
    lastStatus: 404,
    lastAtMs: 1_800_000_000_000,
  });
});
