import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { ACTORS, eventually, openFixture, stopFixtures } from "./testing/fixture.ts";
import { actors, COUNTER } from "./testing/programs.ts";

afterEach(stopFixtures);

const counter = (more = {}) => actors({ counter: COUNTER }, more);

/** Another app, asked all the while; how often it failed, and the longest it was kept waiting. */
function neighbour(test: Awaited<ReturnType<typeof openFixture>>) {
  test.deploy({ ...counter(), appId: "app_other" });
  let stop = false;
  let answered = 0;
  let failed = 0;
  const running = (async () => {
    while (!stop) {
      const answer = await test.get("/app_other/_do/counter/n").catch(() => null);
      if (answer === null) break;
      if (answer.status === 200) answered += 1;
      else failed += 1;
      await answer.text();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    stop = true;
    await running;
    expect(answered).toBeGreaterThan(5);
    expect(failed).toBe(0);
    expect(await test.text("/app_other/_do/counter/n/get")).toBe(String(answered));
  };
}

describe("one app's fault touches no other app", () => {
  it("an endless loop is stopped, and what was stored is there", async () => {
    const test = await openFixture();
    test.deploy(counter());
    const unharmed = neighbour(test);
    await test.text("/_do/counter/a");
    const looping = await test.get("/_do/counter/a/loop");
    expect([looping.status, ((await looping.json()) as any).error.code]).toEqual([502, "RUNTIME_STOPPED"]);
    await eventually(() => test.deaths.length === 1);
    expect(test.deaths[0]).toMatchObject({
      key: ACTORS,
      death: "unresponsive",
      inFlight: [{ unit: "counter" }],
    });
    expect(await test.text("/_do/counter/a")).toBe("2");
    expect(test.engine.status(ACTORS).restarts).toBe(1);
    await unharmed();
  });

  it("an endless loop in an alarm, with nobody asking, is stopped", async () => {
    const test = await openFixture();
    test.deploy(counter());
    expect(await test.text("/_do/counter/a/loopalarm")).toBe("set");
    await eventually(() => test.deaths.length === 1);
    expect(test.deaths[0]).toMatchObject({ death: "unresponsive", inFlight: [] });
    expect(await test.text("/_do/counter/b")).toBe("1");
  });

  it("and one in an alarm that rings long after the last request", async () => {
    const test = await openFixture();
    test.deploy(counter());
    expect(await test.text("/_do/counter/a/loopalarm?ms=1500")).toBe("set");
    await eventually(() => test.deaths.length === 1);
    expect(test.deaths[0]).toMatchObject({ death: "unresponsive", inFlight: [] });
  });

  it("a memory hog is stopped", async () => {
    const test = await openFixture();
    test.deploy(counter({ memoryBytes: 300 * 1024 * 1024 }));
    const unharmed = neighbour(test);
    await test.text("/_do/counter/a");
    expect((await test.get("/_do/counter/a/hog")).status).toBe(502);
    await eventually(() => test.deaths.length === 1);
    expect(["memory", "crashed"]).toContain(test.deaths[0]!.death);
    expect(await test.text("/_do/counter/a")).toBe("2");
    await unharmed();
  });

  it("a crash: requests under way are told, sockets get 1012, the next request starts it anew", async () => {
    const test = await openFixture();
    test.deploy(counter());
    const ws = new WebSocket(`ws://127.0.0.1:${test.port}/_do/counter/a/ws`);
    const closed = new Promise<number>((resolve) => ws.on("close", resolve));
    await new Promise((resolve) => ws.on("open", resolve));
    const slow = test.get("/_do/counter/b/wait?ms=60000");
    await eventually(() => test.engine.status(ACTORS).inFlight === 1);
    process.kill(test.engine.status(ACTORS).pid!, "SIGKILL");
    expect((await slow).status).toBe(502);
    expect(await closed).toBe(1012);
    await eventually(() => test.deaths.length === 1);
    expect(test.deaths[0]!.death).toBe("crashed");
    expect(await test.text("/_do/counter/a")).toBe("1");
  });

  it("what keeps dying is given pauses, and callers are told how long", async () => {
    const test = await openFixture();
    test.deploy(counter());
    for (let deaths = 1; deaths <= 3; deaths += 1) {
      await test.text("/_do/counter/a/get");
      process.kill(test.engine.status(ACTORS).pid!, "SIGKILL");
      await eventually(() => test.deaths.length === deaths);
    }
    const refused = await test.get("/_do/counter/a");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(test.engine.status(ACTORS).state).toBe("failing");
    test.deploy(counter({ revision: "2" }));
    await test.engine.swap(ACTORS);
    expect((await test.get("/_do/counter/a")).status).toBe(200);
  });
});

describe("alarms", () => {
  it("wake a program that was stopped", async () => {
    const test = await openFixture({ idleMs: 300 });
    test.deploy(counter());
    await test.text("/_do/counter/a/alarm?ms=1500");
    await eventually(() => test.engine.status(ACTORS).state === "stopped");
    const { loads } = test;
    await eventually(() => test.loads > loads);
    await eventually(async () => (await test.text("/_do/counter/a/alarms")) === "1");
  });

  it("wake a program that died", async () => {
    const test = await openFixture();
    test.deploy(counter());
    await test.text("/_do/counter/a/alarm?ms=700");
    process.kill(test.engine.status(ACTORS).pid!, "SIGKILL");
    await eventually(() => test.deaths.length === 1);
    const { loads } = test;
    await eventually(() => test.loads > loads);
    await eventually(async () => (await test.text("/_do/counter/a/alarms")) === "1");
  });

  it("are found on disk when Ambit starts", async () => {
    const first = await openFixture();
    first.deploy(counter());
    await first.text("/_do/counter/a/alarm?ms=1200");
    await first.engine.close();
    const second = await openFixture({ dataDir: first.dataDir });
    second.deploy(counter());
    await second.engine.start();
    expect(second.loads).toBe(0);
    await eventually(() => second.loads === 1 && second.engine.status(ACTORS).state === "running");
    await eventually(async () => (await second.text("/_do/counter/a/alarms")) === "1");
    await second.stop();
  });
});
