import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deployActor, eventually, killActors, setActorEnv, workerdProcesses } from "../support/actors.ts";
import { type Api, apiAs } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { sourceOf } from "./bare.ts";
import { expectNothingLost, goneBack, startWriters, type Writers } from "./writers.ts";

const INSTANCES = ["a", "b", "c"];
const sequence = (version: string) => sourceOf("sequence").replace("VERSION", version);

let server: Server;
let owner: Api;
let appId: string;
let writers: Writers | undefined;
const base = () => `${server.apiUrl}/v1/${appId}/do`;

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterEach(async () => {
  await writers?.stop();
  writers = undefined;
});
afterAll(() => discard(server));

async function sequenceApp(): Promise<void> {
  appId = await newApp(owner);
  await deployActor(owner, appId, "sequence", sequence("v0"));
}

/** Ends Ambit without warning and starts it again on the same directory. */
async function restartAmbit(also?: () => void): Promise<void> {
  const killed = server.kill();
  also?.();
  await killed;
  server = await startServer({}, server.dataDir);
  owner = apiAs(server.apiUrl, server.apiKey);
}

describe("the measure itself", () => {
  it("sees an instance that went back", () => {
    const ack = (n: number, life: number, askedAt: number, knownAt: number) =>
      ({ instance: "a", line: `${n}`, version: "", n, life, askedAt, knownAt }) as const;
    expect(goneBack([ack(1, 1, 0, 1), ack(2, 1, 2, 3), ack(3, 2, 4, 5)])).toEqual([]);
    // Asked for while the other was under way: either may be first.
    expect(goneBack([ack(2, 1, 0, 10), ack(1, 1, 5, 11)])).toEqual([]);
    expect(goneBack([ack(2, 1, 0, 1), ack(2, 1, 2, 3)])).toHaveLength(1);
    expect(goneBack([ack(2, 2, 0, 1), ack(3, 1, 2, 3)])).toHaveLength(1);
  });
});

describe("kill -9 under load", { timeout: 120_000 }, () => {
  it("of the process of the actors: nothing acknowledged is lost, requests are answered again by themselves", async () => {
    await sequenceApp();
    writers = startWriters(base, INSTANCES);
    for (let round = 0; round < 5; round++) {
      await writers.progress(40 + 13 * round);
      expect(killActors(server, appId)).toBe(true);
    }
    await writers.progress(50);
    await writers.stop();
    for (const { status, body } of writers.failures) expect([502, 503], body).toContain(status);
    await expectNothingLost(base(), writers);
  });

  it("of Ambit: the actors' process goes with it, and nothing acknowledged is lost", async () => {
    await sequenceApp();
    writers = startWriters(base, INSTANCES);
    for (let round = 0; round < 3; round++) {
      await writers.progress(40 + 17 * round);
      const before = workerdProcesses(server.dataDir, appId);
      expect(before.length).toBeGreaterThan(0);
      await server.kill();
      await eventually(
        () => before.every((pid) => !workerdProcesses(server.dataDir, appId).includes(pid)),
        "the actors' process ends with Ambit",
        5_000,
      );
      server = await startServer({}, server.dataDir);
      owner = apiAs(server.apiUrl, server.apiKey);
    }
    await writers.progress(50);
    await writers.stop();
    await expectNothingLost(base(), writers);
  });

  it("of both at once", async () => {
    await sequenceApp();
    writers = startWriters(base, INSTANCES);
    for (let round = 0; round < 3; round++) {
      await writers.progress(40 + 17 * round);
      await restartAmbit(() => killActors(server, appId));
    }
    await writers.progress(50);
    await writers.stop();
    expect(workerdProcesses(server.dataDir, appId).length).toBeLessThanOrEqual(1);
    await expectNothingLost(base(), writers);
  });

  it("during deploys: one version or the other serves, whole, and the next deploy works", async () => {
    await sequenceApp();
    writers = startWriters(base, INSTANCES);
    for (let round = 0; round < 6; round++) {
      await writers.progress(25);
      const deploying = deployActor(owner, appId, "sequence", sequence(`k${round}`)).catch(() => null);
      await sleep(30 * round);
      if (round % 3 === 2) await restartAmbit(() => killActors(server, appId));
      else if (round % 3 === 1) await restartAmbit();
      else killActors(server, appId);
      await deploying;
      await writers.progress(20);
      const state = must(await owner("GET", `/v1/${appId}/durable-objects/sequence`));
      expect(state.status).toBe("READY");
    }
    await deployActor(owner, appId, "sequence", sequence("last"));
    const seen = writers.acks.length;
    await writers.progress(30);
    await writers.stop();
    const after = writers.acks.slice(seen).filter(({ askedAt }) => askedAt > writers!.acks[seen]!.knownAt);
    expect(new Set(after.map(({ version }) => version))).toEqual(new Set(["last"]));
    await expectNothingLost(base(), writers);
  });
});

describe("deploys under load", { timeout: 120_000 }, () => {
  it("no request fails, no acknowledged write is lost, and a deploy that was answered serves", async () => {
    await sequenceApp();
    writers = startWriters(base, INSTANCES);
    await writers.progress(20);
    for (let round = 1; round <= 6; round++) {
      await deployActor(owner, appId, "sequence", sequence(`v${round}`));
      const deployedAt = performance.now();
      await writers.progress(15);
      const later = writers.acks.filter((ack) => ack.askedAt > deployedAt);
      expect(new Set(later.map(({ version }) => version))).toEqual(new Set([`v${round}`]));
    }
    await setActorEnv(owner, appId, "FLAVOUR", "salty");
    const write = await fetch(`${base()}/sequence/env`, { method: "POST", body: "line" });
    expect(((await write.json()) as any).flavour).toBe("salty");
    await writers.stop();
    console.info(
      `deploys under load: ${writers.acks.length} writes, slowest ${writers.longestMs().toFixed(0)} ms`,
    );
    expect(writers.failures).toEqual([]);
    await expectNothingLost(base(), writers);
  });

  it("a bad deploy leaves the old version serving and says why", async () => {
    await sequenceApp();
    writers = startWriters(base, INSTANCES);
    await writers.progress(20);
    const agent = await connectMcp(server.mcpUrl, server.agentKey);
    const bad: [string, string, string, number | null][] = [
      [
        "a syntax error",
        `${sequence("bad")}\nlet x = (1;`,
        "SYNTAX_ERROR",
        sequence("bad").split("\n").length + 1,
      ],
      [
        "a throw at the top level",
        `${sequence("bad")}\nthrow new Error("at the top");`,
        "START_FAILED",
        sequence("bad").split("\n").length + 1,
      ],
      ["a loop at the top level", `${sequence("bad")}\nfor (;;);`, "START_FAILED", null],
      ["an import", `import x from "lodash";\n${sequence("bad")}`, "DISALLOWED_IMPORT", 1],
    ];
    for (const [what, code, reason, line] of bad) {
      const failed = await callTool(agent, "manage_durable_objects", {
        app_id: appId,
        action: "deploy",
        name: "sequence",
        code,
      }).then(
        () => null,
        (error: Error) => error.message,
      );
      expect(failed, what).toContain(reason);
      if (line !== null) expect(failed, what).toMatch(new RegExp(`"line": ?${line}\\b`));
      const state = must(await owner("GET", `/v1/${appId}/durable-objects/sequence`));
      expect([state.status, state.code]).toEqual(["READY", sequence("v0")]);
      expect(state.error_message, what).not.toBeNull();
    }
    await agent.close();
    await writers.progress(20);
    await writers.stop();
    expect(writers.failures).toEqual([]);
    expect(new Set(writers.acks.map(({ version }) => version))).toEqual(new Set(["v0"]));
    await expectNothingLost(base(), writers);
  });
});

describe("an app that takes everything", { timeout: 120_000 }, () => {
  let hogApp: string;
  let quietApp: string;
  let slow: ReturnType<typeof createServer>;
  let slowPort: number;
  let held = 0;
  beforeAll(async () => {
    slow = createServer(() => {
      held += 1;
    });
    await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
    slowPort = (slow.address() as AddressInfo).port;
    await server.stop();
    server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: `127.0.0.1:${slowPort}` }, server.dataDir);
    owner = apiAs(server.apiUrl, server.apiKey);
    quietApp = await newApp(owner);
    await deployActor(owner, quietApp, "hog", sourceOf("hog"));
  });
  // A fresh one each time: an app whose process dies again and again is held off for longer and longer.
  beforeEach(async () => {
    hogApp = await newApp(owner);
    await deployActor(owner, hogApp, "hog", sourceOf("hog"));
  });
  afterAll(() => {
    slow.closeAllConnections();
    slow.close();
  });

  const at = (app: string, rest: string) => `${server.apiUrl}/v1/${app}/do/hog/${rest}`;

  const servesAgain = () =>
    eventually(
      async () => {
        const response = await fetch(at(hogApp, "x/read"));
        const text = await response.text();
        return response.status === 200 && text;
      },
      "the app serves again",
      20_000,
    );

  /** Asks the other app all the while; how long its slowest answer took. */
  function watchOther() {
    let slowest = 0;
    let stopped = false;
    const statuses = new Set<number>();
    const watching = (async () => {
      while (!stopped) {
        const started = performance.now();
        const status = await fetch(at(quietApp, "x/write"), { method: "POST" }).then(
          async (response) => response.arrayBuffer().then(() => response.status),
          () => 0,
        );
        slowest = Math.max(slowest, performance.now() - started);
        statuses.add(status);
        await sleep(20);
      }
    })();
    return {
      async stop() {
        stopped = true;
        await watching;
        return { slowest, statuses: [...statuses] };
      },
    };
  }

  it.each([
    ["an endless loop", "x/loop"],
    ["buffers without end", "x/buffers"],
    ["objects without end", "x/objects"],
  ])("%s is stopped, harms no other app, and the app serves again", async (what, path) => {
    const written = Number(await (await fetch(at(hogApp, "x/write"), { method: "POST" })).text());
    const other = watchOther();
    const started = performance.now();
    const hogging = fetch(at(hogApp, path)).then(
      async (response) => ({ status: response.status, body: await response.text() }),
      (error) => ({ status: 0, body: String(error) }),
    );
    const hog = await hogging;
    const stoppedMs = performance.now() - started;
    const again = await servesAgain();
    const servesMs = performance.now() - started;
    const { slowest, statuses } = await other.stop();
    console.info(
      `${what}: stopped after ${stoppedMs.toFixed(0)} ms, serves after ${servesMs.toFixed(0)} ms, slowest answer of the other app ${slowest.toFixed(0)} ms`,
    );
    expect([502, 503], hog.body).toContain(hog.status);
    expect(Number(again)).toBe(written);
    expect(statuses).toEqual([200]);
    expect(slowest).toBeLessThan(5_000);
    expect(stoppedMs).toBeLessThan(15_000);
  });

  it("connections in thousands use up nobody else's descriptors", async () => {
    const other = watchOther();
    const target = encodeURIComponent(`http://127.0.0.1:${slowPort}/`);
    const abort = new AbortController();
    const url = at(hogApp, `x/connections?n=3000&to=${target}`);
    const connections = fetch(url, { signal: abort.signal }).then(
      (response) => response.status,
      () => 0,
    );
    await eventually(() => held > 0, "the first connection gets out");
    await sleep(2_000);
    console.info(`of 3,000 connections ${held} reached the network`);
    expect(held).toBeLessThan(1_000);
    abort.abort();
    slow.closeAllConnections();
    await connections;
    await servesAgain();
    const { slowest, statuses } = await other.stop();
    console.info(`slowest answer of the other app meanwhile: ${slowest.toFixed(0)} ms`);
    expect(statuses).toEqual([200]);
    must(await owner("GET", "/apps"));
  });

  it("hundreds of new instances at once, each with its files, are waited for: that is no loop", async () => {
    const other = watchOther();
    const started = performance.now();
    const response = await fetch(at(hogApp, "x/instances?n=400"));
    await response.arrayBuffer();
    console.info(
      `400 new instances: ${response.status} after ${(performance.now() - started).toFixed(0)} ms`,
    );
    await servesAgain();
    const { slowest, statuses } = await other.stop();
    console.info(`slowest answer of the other app meanwhile: ${slowest.toFixed(0)} ms`);
    expect(response.status).toBe(200);
    expect(statuses).toEqual([200]);
  });

  it("a loop that comes back after every restart is held off, and the app's deploys still work", async () => {
    for (let n = 0; n < 3; n++) await fetch(at(hogApp, "x/loop")).catch(() => null);
    const repaired = sourceOf("hog").replace(
      "for (;;) this.kept.length = 0;",
      'return new Response("repaired");',
    );
    await eventually(
      () =>
        deployActor(owner, hogApp, "hog", repaired).then(
          () => true,
          () => false,
        ),
      "the repaired class is deployed",
      60_000,
    );
    const response = await eventually(
      async () => {
        const answer = await fetch(at(hogApp, "x/loop"));
        return answer.status === 200 && answer.text();
      },
      "the repaired class serves",
      60_000,
    );
    expect(response).toBe("repaired");
  });
});
