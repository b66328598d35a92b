import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeCompiler, compileFunction } from "../../engines/workerd/source/index.ts";
import type { TailEvent } from "../../engines/workerd/types.ts";
import { Metrics } from "../../kernel/metrics.ts";
import type { App } from "../../kernel/operation.ts";
import type { TestPlatform } from "../../testing/platform.ts";
import { createInvocations } from "./invocations.ts";
import { limits } from "./limits.ts";
import { createLogs, type Logs } from "./logs.ts";
import { runtimeMetrics } from "./metrics.ts";
import { invocation, outcome, runtimeWorld, tailEvent } from "./testing/world.ts";
import type { Invocation, Invocations, LogEntry, LogQuery, ProgramSource } from "./types.ts";

let world: TestPlatform;
let app: App;
let logs: Logs;
let invocations: Invocations;
let source: ProgramSource | undefined;
let nowMs: number;
beforeAll(async () => {
  world = await runtimeWorld();
});
beforeEach(async () => {
  app = await world.createApp();
  source = undefined;
  nowMs = Date.now();
  const { database, log } = world.platform;
  const registry = createInvocations(
    () => nowMs,
    (one, how) => logs.answered(one, how),
  );
  invocations = registry;
  logs = createLogs({
    database,
    log,
    clock: () => nowMs,
    metrics: runtimeMetrics(new Metrics(), () => []),
    isRunning: registry.isRunning,
    sourceOf: () => source,
  });
});
afterAll(async () => {
  await closeCompiler();
  await world?.stop();
});

const begin = (given: Partial<Invocation> = {}): Invocation => {
  const one = invocation({ appId: app.id, startedAtMs: nowMs, ...given });
  invocations.begin(one);
  return one;
};
const say = (one: Invocation, given: Partial<TailEvent> = {}) =>
  logs.said(
    one.appId,
    one.kind,
    tailEvent({ requestId: one.requestId, unit: one.unit, atMs: nowMs, ...given }),
  );
async function read(given: Partial<LogQuery> = {}): Promise<LogEntry[]> {
  await logs.flush();
  const all = {
    appId: app.id,
    kind: "functions",
    unit: null,
    limit: 100,
    sinceMs: null,
    level: "all",
  } as const;
  return (await logs.read({ ...all, ...given })).entries;
}
const line = (message: string) => ({ level: "log" as const, message, atMs: nowMs });
const thrown = (stack: string | null = null) => ({ name: "TypeError", message: "boom", stack, atMs: nowMs });

describe("requests", () => {
  it("of functions are entries, whether or not they say something", async () => {
    const one = begin();
    invocations.end(one.requestId, outcome({ status: 201, durationMs: 12.345 }));
    expect(await read()).toEqual([
      {
        ...{ id: expect.any(String), atMs: nowMs, appId: app.id, kind: "functions", unit: "hello" },
        ...{ event: "fetch", trigger: "http", requestId: one.requestId, method: "GET", path: "/hello" },
        ...{ status: 201, durationMs: 12.3, outcome: "ok", error: null, lines: [], actorId: null },
      },
    ]);
  });

  it.each(["after", "before"])(
    "are one entry with what their run says %s the answer is through",
    async (when) => {
      const one = begin({ kind: "actors", unit: "room" });
      const said = { lines: [line("hi")], actorId: "a".repeat(64) };
      if (when === "before") say(one, said);
      invocations.end(one.requestId, outcome());
      if (when === "after") say(one, said);
      const entries = await read({ kind: "actors" });
      expect(entries).toMatchObject([
        {
          requestId: one.requestId,
          status: 200,
          durationMs: 5,
          lines: [{ message: "hi" }],
          actorId: "a".repeat(64),
        },
      ]);
    },
  );

  it("of actors are entries only when they say something or fail; so are alarms", async () => {
    const of = (status: number) => {
      const one = begin({ kind: "actors", unit: "room" });
      invocations.end(one.requestId, outcome({ status }));
    };
    for (const status of [200, 404, 500]) of(status);
    const lost = begin({ kind: "actors", unit: "room" });
    invocations.end(lost.requestId, outcome({ status: 502, end: "process_lost" }));
    logs.said(
      app.id,
      "actors",
      tailEvent({ unit: "room", event: "alarm", lines: [line("ring")], path: null }),
    );
    const entries = await read({ kind: "actors" });
    expect(entries.map(({ event, outcome: word }) => `${event} ${word}`).sort()).toEqual([
      "alarm ok",
      "fetch error",
      "fetch process_lost",
    ]);
  });

  it("do not take up what another program or unit says under their id", async () => {
    const one = begin();
    invocations.end(one.requestId, outcome());
    say(one, { unit: "other", lines: [line("not mine")] });
    const entries = await read({ unit: "hello" });
    expect(entries).toHaveLength(1);
    expect(entries[0]!.lines).toEqual([]);
  });

  it("that are open for long are told of before they end", async () => {
    const one = begin({ kind: "actors", unit: "room" });
    say(one, { lines: [line("opened")], status: 101 });
    expect(await read({ kind: "actors" })).toMatchObject([{ status: 101, durationMs: null }]);
    invocations.end(one.requestId, outcome({ status: 101 }));
    expect(await read({ kind: "actors" })).toHaveLength(1);
  });

  it("are there for a reader who asks right after the answer", async () => {
    const one = begin();
    invocations.end(one.requestId, outcome());
    const { entries } = await new Promise<{ entries: LogEntry[] }>((done) => {
      const query = {
        appId: app.id,
        kind: "functions",
        unit: "hello",
        limit: 1,
        sinceMs: null,
        level: "all",
      } as const;
      done(logs.read(query));
      // The clock goes on while the reader waits.
      setTimeout(() => {
        nowMs += limits.joinMs;
      }, 10);
    });
    expect(entries).toMatchObject([{ requestId: one.requestId }]);
  });
});

describe("failures", () => {
  it("carry the exception, with its stack in lines of the TypeScript", async () => {
    const typescript =
      "interface A {\n  b: string;\n}\n\nexport async function handler(): Promise<A> {\n  throw new TypeError('boom');\n}\n";
    const compiled = await compileFunction(typescript, "hello.ts");
    const row = compiled.code.split("\n").findIndex((text) => text.includes("throw")) + 1;
    source = { load: async () => null, sourceMap: async () => ({ fileName: "hello.ts", ...compiled }) };
    const one = begin();
    invocations.end(one.requestId, outcome({ status: 500 }));
    const stack = `TypeError: boom\n    at handler (user.js:${row}:9)`;
    say(one, { outcome: "exception", exceptions: [thrown(stack)], lines: [line(stack)] });
    const [entry] = await read();
    expect(entry).toMatchObject({ outcome: "exception", error: { name: "TypeError", message: "boom" } });
    expect(entry!.error!.stack).toMatch(/handler \(hello\.ts:6:\d+\)/);
    expect(entry!.lines[0]!.message).toMatch(/hello\.ts:6:/);
  });

  it("are what the level error leaves", async () => {
    for (const status of [200, 500]) {
      const one = begin();
      invocations.end(one.requestId, outcome({ status }));
    }
    const caught = begin();
    invocations.end(caught.requestId, outcome());
    say(caught, { exceptions: [thrown()] });
    expect(await read()).toHaveLength(3);
    expect((await read({ level: "error" })).map(({ status }) => status).sort()).toEqual([200, 500]);
  });

  it("of a whole program are seen with every unit", async () => {
    const about = { atMs: nowMs, event: "process", outcome: "memory", error: null, lines: [] } as const;
    logs.program(app.id, "functions", about);
    expect(await read({ unit: "anything", level: "error" })).toMatchObject([{ unit: "", outcome: "memory" }]);
  });
});

describe("bounds", () => {
  it("a busy program leaves entries out and says so; its failures have room of their own", async () => {
    const seen: LogEntry[] = [];
    const stop = logs.listen((appId, entry) => appId === app.id && seen.push(entry));
    for (let i = 0; i < 500; i++) {
      const one = begin();
      invocations.end(one.requestId, outcome({ status: i % 10 === 0 ? 500 : 200 }));
    }
    const entries = await read({ limit: 400 });
    stop();
    expect(entries.filter(({ status }) => status === 200)).toHaveLength(limits.entriesPerSecond);
    expect(entries.filter(({ status }) => status === 500)).toHaveLength(limits.failuresPerSecond);
    const [notice] = entries.filter(({ event }) => event === "notice");
    expect(notice!.lines[0]!.message).toBe(
      `350 entries were left out: more than ${limits.entriesPerSecond} a second.`,
    );
    expect(seen).toHaveLength(entries.length);
  });

  it("one entry has so much room, and any text is taken", async () => {
    const one = begin({ path: `/${"p".repeat(5_000)}` });
    invocations.end(one.requestId, outcome());
    const lines = [line("nul \0 half \ud800"), ...Array.from({ length: 300 }, () => line("x".repeat(100)))];
    say(one, { lines, exceptions: [{ ...thrown("s".repeat(50_000)), name: "\0" }] });
    const [entry] = await read();
    expect(entry!.path!.length).toBeLessThan(1_100);
    expect(entry!.error!.stack!.length).toBeLessThan(9_000);
    expect(entry!.lines[0]!.message).toBe("nul \ufffd half \ufffd");
    expect(entry!.lines.at(-1)!.message).toMatch(/^… 2\d\d more lines were left out$/);
    expect(JSON.stringify(entry).length).toBeLessThan(40_000);
  });

  it("pages newest first, from a time on", async () => {
    for (let i = 0; i < 5; i++) {
      const one = begin({ path: `/${i}` });
      invocations.end(one.requestId, outcome());
      nowMs += 10;
    }
    await logs.flush();
    const query = {
      appId: app.id,
      kind: "functions",
      unit: "hello",
      limit: 2,
      sinceMs: null,
      level: "all",
    } as const;
    const first = await logs.read(query);
    expect(first.entries.map(({ path }) => path)).toEqual(["/4", "/3"]);
    expect(first.hasMore).toBe(true);
    const since = await logs.read({ ...query, limit: 10, sinceMs: nowMs - 30 });
    expect(since.entries.map(({ path }) => path)).toEqual(["/4", "/3", "/2"]);
    expect(since.hasMore).toBe(false);
  });

  it("keeps so many entries of a program, for so many days", async () => {
    await world.platform.database.query(
      `insert into ambit.runtime_logs (id, app_id, kind, unit, at, failed, entry)
       select to_char(n, 'fm000000'), $1, 'functions', 'hello', now(), false, '{}'
       from generate_series(1, $2::int) n`,
      [app.id, limits.entriesPerProgram + 50],
    );
    await world.platform.database.query(
      `insert into ambit.runtime_logs (id, app_id, kind, unit, at, failed, entry)
       values ('old', $1, 'actors', 'room', now() - interval '8 days', false, '{}')`,
      [app.id],
    );
    const one = begin();
    invocations.end(one.requestId, outcome());
    await logs.flush();
    await logs.prune();
    const rows = await world.platform.database.query<{ kind: string; n: number; least: string }>(
      "select kind, count(*)::int n, min(id) least from ambit.runtime_logs where app_id = $1 group by kind",
      [app.id],
    );
    expect(rows).toEqual([{ kind: "functions", n: limits.entriesPerProgram, least: "000052" }]);
  });

  it("an app that is gone holds nothing up", async () => {
    const gone = invocation({ appId: "app_gone" });
    invocations.begin(gone);
    invocations.end(gone.requestId, outcome());
    const one = begin();
    invocations.end(one.requestId, outcome());
    expect(await read()).toHaveLength(1);
  });
});
