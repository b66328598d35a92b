import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { ACTORS, eventually, FUNCTIONS, openFixture, stopFixtures } from "./testing/fixture.ts";
import { actors, COUNTER, functions } from "./testing/programs.ts";

afterEach(stopFixtures);

const counter = (revision = "1", more = "") => actors({ counter: COUNTER + more }, { revision });
const CONTEXT = JSON.stringify({
  requestId: "r",
  functionName: "f",
  trigger: "http",
  caller: { type: "anonymous" },
  user: null,
  ip: null,
  loopDepth: 0,
  app: { id: "app_test", name: "a", subdomain: "a" },
  mayUseService: false,
  verbose: true,
});
const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

describe("a start", () => {
  it("happens once, however many ask first", async () => {
    const test = await openFixture();
    test.deploy(counter());
    const texts = await Promise.all(Array.from({ length: 20 }, () => test.text("/_do/counter/a")));
    expect(texts.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(test.loads).toBe(1);
    expect(test.engine.status(ACTORS)).toMatchObject({ state: "running", revision: "1", restarts: 0 });
  });

  it("of nothing is refused with the time to come again", async () => {
    const test = await openFixture();
    const answer = await test.get("/_do/counter/a");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(test.engine.status(ACTORS).state).toBe("stopped");
  });

  it("of functions: each on a socket of its own", async () => {
    const test = await openFixture();
    const source = (name: string) =>
      `export async function handler(request, ctx) { return new Response("${name} " + await request.text()); }`;
    test.deploy(functions({ second: source("second"), first: source("first") }));
    const headers = { "x-ambit-context": CONTEXT };
    expect(await test.text("/fn/second", { method: "POST", body: "2", headers })).toBe("second 2");
    expect(await test.text("/fn/first", { method: "POST", body: "1", headers })).toBe("first 1");
    expect((await test.get("/fn/third", { headers })).status).toBe(503);
    expect(test.engine.status(FUNCTIONS).state).toBe("running");
  });

  it("ids are those workerd makes", async () => {
    const test = await openFixture();
    test.deploy(counter());
    for (const name of ["a", "Zoë ✓", "x".repeat(300)]) {
      const id = await test.text(`/_do/counter/${encodeURIComponent(name)}/id`);
      expect(test.engine.idFromName("key-counter", name)).toBe(id);
    }
  });

  it("on empty storage says what is wrong, and leaves nothing", async () => {
    const test = await openFixture();
    await test.engine.check(counter());
    const bad = actors({ counter: "\n\nthrow new Error('boom');" });
    await expect(test.engine.check(bad)).rejects.toMatchObject({
      name: "CanaryError",
      unit: "counter",
      line: 3,
    });
    expect(existsSync(test.engine.storageDir(ACTORS))).toBe(false);
    expect(test.engine.list()).toEqual([]);
  });
});

describe("a swap", () => {
  it("under load loses nothing, and no request fails", async () => {
    const test = await openFixture();
    test.deploy(counter());
    let acknowledged = 0;
    let failed = 0;
    let stop = false;
    const client = async (name: string) => {
      while (!stop) {
        const answer = await test.get(`/_do/counter/${name}`, { method: "POST", body: "x" });
        if (answer.status === 200) acknowledged += 1;
        else failed += 1;
        await answer.text();
      }
    };
    const clients = ["a", "a", "b", "b", "c", "d"].map(client);
    await eventually(() => acknowledged > 20);
    for (let revision = 2; revision <= 5; revision += 1) {
      test.deploy(counter(String(revision)));
      await test.engine.swap(ACTORS);
      expect(test.engine.status(ACTORS)).toMatchObject({ state: "running", revision: String(revision) });
      const before = acknowledged;
      await eventually(() => acknowledged > before + 10);
    }
    stop = true;
    await Promise.all(clients);
    expect(failed).toBe(0);
    const stored = await Promise.all(
      ["a", "b", "c", "d"].map((name) => test.text(`/_do/counter/${name}/get`)),
    );
    expect(stored.map(Number).reduce((a, b) => a + b)).toBe(acknowledged);
    expect(test.deaths).toEqual([]);
  });

  it("to what does not start leaves the old one serving", async () => {
    const test = await openFixture();
    test.deploy(counter());
    await test.text("/_do/counter/a");
    test.deploy(actors({ counter: "throw new Error('boom');" }, { revision: "2" }));
    const swapping = test.engine.swap(ACTORS);
    const during = test.text("/_do/counter/a");
    await expect(swapping).rejects.toMatchObject({ name: "CanaryError", unit: "counter" });
    expect(await during).toBe("2");
    expect(test.engine.status(ACTORS)).toMatchObject({ state: "running", revision: "1" });
    test.deploy(counter("3"));
    await test.engine.swap(ACTORS);
    expect(await test.text("/_do/counter/a")).toBe("3");
  });

  it("lets requests under way finish, and closes sockets with 1012", async () => {
    const test = await openFixture();
    test.deploy(counter());
    const ws = new WebSocket(`ws://127.0.0.1:${test.port}/_do/counter/a/ws`);
    const closed = new Promise<number>((resolve) => ws.on("close", resolve));
    await new Promise((resolve) => ws.on("open", resolve));
    const echo = new Promise((resolve) => ws.on("message", (data) => resolve(String(data))));
    ws.send("hello");
    expect(await echo).toBe("hello");
    const slow = test.text("/_do/counter/b/wait?ms=400");
    await eventually(() => test.engine.status(ACTORS).inFlight === 1);
    expect(test.engine.status(ACTORS).sockets).toBe(1);
    test.deploy(counter("2"));
    await test.engine.swap(ACTORS);
    expect(await slow).toBe("waited");
    expect(await closed).toBe(1012);
  });

  it("cuts off what takes too long", async () => {
    const test = await openFixture({ drainMs: 200 });
    test.deploy(counter());
    const slow = test.get("/_do/counter/b/wait?ms=60000");
    await eventually(() => test.engine.status(ACTORS).inFlight === 1);
    test.deploy(counter("2"));
    await test.engine.swap(ACTORS);
    expect((await slow).status).toBe(502);
    expect(test.deaths).toEqual([]);
  });

  it("of a sleeping program starts nothing; of one that was taken away stops it", async () => {
    const test = await openFixture();
    test.deploy(counter());
    await test.engine.swap(ACTORS);
    expect(test.engine.list()).toEqual([]);
    await test.text("/_do/counter/a");
    test.deployed.delete(ACTORS);
    await test.engine.swap(ACTORS);
    expect(test.engine.status(ACTORS)).toMatchObject({ state: "stopped", pid: null });
  });

  it("does not wait for calls that requests under way make to their own program", async () => {
    const test = await openFixture();
    test.deploy(counter());
    const slow = test.text("/_do/counter/a/wait?ms=500");
    await eventually(() => test.engine.status(ACTORS).inFlight === 1);
    test.deploy(counter("2"));
    const swapping = test.engine.swap(ACTORS);
    await eventually(() => test.engine.status(ACTORS).state === "swapping");
    const nested = await test.text("/_do/counter/b", {
      headers: { "x-butterbase-internal-caller": "counter" },
    });
    expect([nested, test.engine.status(ACTORS).revision]).toEqual(["1", "1"]);
    expect(await slow).toBe("waited");
    await swapping;
  });
});

describe("a swap of functions", () => {
  const source = (version: string) => `
    export async function handler(request, ctx) {
      if (request.url.endsWith("/wait")) await new Promise((r) => setTimeout(r, 400));
      if (request.url.endsWith("/long")) await new Promise((r) => setTimeout(r, 1_500));
      if (request.url.endsWith("/later")) {
        ctx.waitUntil(new Promise((r) => setTimeout(r, 700)).then(() => ctx.invoke("late", {})));
      }
      return new Response("${version}");
    }`;
  const headers = { "x-ambit-context": CONTEXT };

  it("nobody waits, and what is under way or put off is done by the old process", async () => {
    const test = await openFixture();
    const called: string[] = [];
    test.onCallback = (_unit, request, response) => {
      called.push(request.url!);
      response.end("{}");
    };
    test.deploy(functions({ f: source("one") }));
    expect(await test.text("/fn/f/later", { headers })).toBe("one");
    const slow = test.text("/fn/f/wait", { headers });
    await eventually(() => test.engine.status(FUNCTIONS).inFlight === 1);
    const { pid } = test.engine.status(FUNCTIONS);
    test.deploy(functions({ f: source("two") }, { revision: "2" }));
    await test.engine.swap(FUNCTIONS);
    expect(await test.text("/fn/f", { headers })).toBe("two");
    expect(await slow).toBe("one");
    await eventually(() => called.some((url) => url.startsWith("/fn/late")));
    expect(isAlive(pid!)).toBe(true); // its time for `waitUntil` is not over
    await test.engine.close();
    expect(isAlive(pid!)).toBe(false);
    expect(test.deaths).toEqual([]);
  });

  it("what is under way is done by the old process, also when nothing is put off", async () => {
    const test = await openFixture();
    test.deploy(functions({ f: source("one") }));
    await test.text("/fn/f", { headers });
    const slow = test.text("/fn/f/long", { headers });
    await eventually(() => test.engine.status(FUNCTIONS).inFlight === 1);
    test.deploy(functions({ f: source("two") }, { revision: "2" }));
    await test.engine.swap(FUNCTIONS);
    expect(await test.text("/fn/f", { headers })).toBe("two");
    expect(await slow).toBe("one");
  });

  it("to what does not start changes nothing", async () => {
    const test = await openFixture();
    test.deploy(functions({ f: source("one") }));
    await test.text("/fn/f", { headers });
    const { pid } = test.engine.status(FUNCTIONS);
    test.deploy(functions({ f: "nonsense(" }, { revision: "2" }));
    await expect(test.engine.swap(FUNCTIONS)).rejects.toMatchObject({ name: "CanaryError" });
    expect(await test.text("/fn/f", { headers })).toBe("one");
    expect(test.engine.status(FUNCTIONS).pid).toBe(pid);
  });
});

describe("exclusive", () => {
  it("no process runs meanwhile, requests wait, and changes of the files are seen", async () => {
    const test = await openFixture();
    test.deploy(counter());
    await test.text("/_do/counter/a");
    const { pid } = test.engine.status(ACTORS);
    let during: Promise<string> | undefined;
    const result = await test.engine.exclusive(ACTORS, async (storageDir) => {
      expect(isAlive(pid!)).toBe(false);
      expect(readdirSync(storageDir)).toEqual(["key-counter"]);
      during = test.text("/_do/counter/a");
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(test.engine.status(ACTORS).pid).toBe(null);
      return "done";
    });
    expect(result).toBe("done");
    expect(await during).toBe("2");
  });

  it("one at a time, and a failure lets the next go on", async () => {
    const test = await openFixture();
    test.deploy(counter());
    let inside = 0;
    const work = async () => {
      inside += 1;
      expect(inside).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside -= 1;
    };
    const failing = test.engine.exclusive(ACTORS, async () => {
      throw new Error("no");
    });
    const others = [
      test.engine.exclusive(ACTORS, work),
      test.engine.exclusive(ACTORS, work),
      test.engine.swap(ACTORS),
    ];
    await expect(failing).rejects.toThrow("no");
    await Promise.all(others);
    expect(await test.text("/_do/counter/a")).toBe("1");
  });
});

describe("the end", () => {
  it("an idle program is stopped, and comes back with what it stored", async () => {
    const test = await openFixture({ idleMs: 300 });
    test.deploy(counter());
    await test.text("/_do/counter/a");
    const { pid } = test.engine.status(ACTORS);
    await eventually(() => test.engine.status(ACTORS).state === "stopped");
    expect(isAlive(pid!)).toBe(false);
    expect(await test.text("/_do/counter/a")).toBe("2");
    expect(test.cpuMs).toBeGreaterThan(0);
    expect(test.deaths).toEqual([]);
  });

  it("a socket keeps a program awake", async () => {
    const test = await openFixture({ idleMs: 300 });
    test.deploy(counter());
    const ws = new WebSocket(`ws://127.0.0.1:${test.port}/_do/counter/a/ws`);
    await new Promise((resolve) => ws.on("open", resolve));
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(test.engine.status(ACTORS).state).toBe("running");
    ws.terminate();
    await eventually(() => test.engine.status(ACTORS).state === "stopped");
  });

  it("remove stops it; with destroy nothing is left", async () => {
    const test = await openFixture();
    test.deploy(counter());
    await test.text("/_do/counter/a");
    await test.engine.remove(ACTORS, { destroy: false });
    expect(test.engine.list()).toEqual([]);
    expect(await test.text("/_do/counter/a")).toBe("2");
    await test.engine.remove(ACTORS, { destroy: true });
    expect(existsSync(dirname(test.engine.storageDir(ACTORS)))).toBe(false);
    expect(await test.text("/_do/counter/a")).toBe("1");
  });

  it("close in the middle of a start ends that too", async () => {
    const test = await openFixture();
    test.deploy(counter());
    const asked = test.get("/_do/counter/a");
    await eventually(() => test.engine.status(ACTORS).state === "starting");
    await test.engine.close();
    expect((await asked).status).toBe(503);
    expect(test.engine.list()).toEqual([]);
  });

  it("close leaves no process, whatever is under way", async () => {
    const test = await openFixture();
    test.deploy(counter());
    test.deploy({ ...counter(), appId: "app_other" });
    await test.text("/_do/counter/a");
    const slow = test.get("/_do/counter/b/wait?ms=60000").then(
      ({ status }) => status,
      () => 0,
    );
    const ws = new WebSocket(`ws://127.0.0.1:${test.port}/app_other/_do/counter/a/ws`);
    const closed = new Promise<number>((resolve) => ws.on("close", resolve));
    await new Promise((resolve) => ws.on("open", resolve));
    const pids = test.engine.list().map(({ pid }) => pid!);
    expect(pids.length).toBe(2);
    await test.engine.close();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(await closed).toBe(1012);
    expect([0, 502]).toContain(await slow);
    expect((await test.get("/_do/counter/a")).status).toBe(503);
  });
});
