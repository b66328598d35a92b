import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import WebSocket from "ws";
import { deployActor, eventually } from "../support/actors.ts";
import { apiAs } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { deployFunction, http, type Nodes, refusal, startNodes } from "../support/functions.ts";
import { callTool } from "../support/mcp.ts";

let nodes: Nodes;
let appId: string;

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"));
  appId = await newApp(nodes.owner);
});
afterAll(() => nodes?.close());

const deploy = (name: string, code: string, more: object = {}, app = appId) =>
  deployFunction(nodes.agent, app, name, code, { ...http("none"), ...more });
const call = (name: string, app = appId) =>
  apiAs(nodes.server.apiUrl, null)("POST", `/v1/${app}/fn/${name}`, {});
const manage = (action: string, name: string, more: object = {}) =>
  callTool(nodes.agent, "manage_function", { app_id: appId, action, function_name: name, ...more });
const says = (value: unknown) => `export const handler = () => (${JSON.stringify(value)});`;

/** Calls again and again until it is stopped; what each call got, in order. */
function load(ask: () => Promise<unknown>, callers = 4) {
  const got: unknown[] = [];
  let going = true;
  const done = Promise.all(
    Array.from({ length: callers }, async () => {
      while (going) got.push(await ask().catch((error) => ({ failed: String(error) })));
    }),
  );
  return {
    got,
    async stop() {
      going = false;
      await done;
      return got;
    },
  };
}

describe("versions", () => {
  it("are kept, and any can be brought back at once", async () => {
    for (const n of [1, 2, 3]) expect((await deploy("versioned", says(n))).version).toBe(n);
    const all = await manage("list_versions", "versioned");
    expect([all.version, all.versions.map(({ version }: any) => version)]).toEqual([3, [3, 2, 1]]);
    for (const version of [1, 3, 2]) {
      await manage("rollback", "versioned", { version });
      expect((await call("versioned")).body).toBe(version);
      expect((await manage("get", "versioned")).code).toBe(says(version));
    }
    expect((await refusal(manage("rollback", "versioned", { version: 9 }))).code).toBe(
      "FUNCTION_VERSION_NOT_FOUND",
    );
    expect((await call("versioned")).body).toBe(2);
    expect((await deploy("versioned", says(4))).version).toBe(4);
  });

  it("end with the function: deleted, it is gone at once, and its logs stay", async () => {
    await deploy("doomed", "export const handler = () => { console.log('last words'); return 1; };");
    expect((await call("doomed")).body).toBe(1);
    const asking = `/v1/${appId}/functions/doomed/logs?include_deleted=true`;
    const read = async () => must(await nodes.owner("GET", asking)).logs;
    await eventually(async () => (await read()).length > 0, "the log");
    expect(await manage("delete", "doomed")).toMatchObject({ success: true });
    expect((await call("doomed")).status).toBe(404);
    expect((await refusal(manage("get", "doomed"))).code).toBe("FUNCTION_NOT_FOUND");
    expect((await refusal(manage("delete", "doomed"))).code).toBe("FUNCTION_NOT_FOUND");
    expect(
      (await nodes.owner("GET", `/v1/${appId}/functions`)).body.functions.map(({ name }: any) => name),
    ).not.toContain("doomed");
    expect((await nodes.owner("GET", `/v1/${appId}/functions/doomed/logs`)).status).toBe(404);
    expect(JSON.stringify(await read())).toContain("last words");
    expect((await call("versioned")).body).toBe(4);
    expect((await deploy("doomed", says("again"))).version).toBe(1);
    expect((await call("doomed")).body).toBe("again");
  });
});

describe("a bad deploy", () => {
  const handler = "export const handler = () => 1;";
  const sources: [string, string, string][] = [
    ["a syntax error", "export const handler = () => {\n  return 1 +;\n};", "SYNTAX_ERROR"],
    ["an npm import", `import { z } from "npm:zod";\n${handler}`, "DISALLOWED_IMPORT"],
    ["a jsr import", `import { join } from "jsr:@std/path";\n${handler}`, "DISALLOWED_IMPORT"],
    ["an https import", `import x from "https://esm.sh/lodash";\n${handler}`, "DISALLOWED_IMPORT"],
    ["a bare import", `import x from "lodash";\n${handler}`, "DISALLOWED_IMPORT"],
    ["a node import", `import fs from "node:fs";\n${handler}`, "DISALLOWED_IMPORT"],
    ["a relative import", `import x from "./other.ts";\n${handler}`, "DISALLOWED_IMPORT"],
    ["a re-export", `export * from "npm:zod";\n${handler}`, "DISALLOWED_IMPORT"],
    ["a dynamic import", "export const handler = () => import('npm:zod');", "DISALLOWED_IMPORT"],
    ["no handler", "export const other = () => 1;", "NO_HANDLER"],
    [
      "a throw at the start",
      `const a: number = 1;\nthrow new Error("at the start");\n${handler}`,
      "START_FAILED",
    ],
    ["a handler that is none", "export const handler = 5;", ""],
    ["an endless start", `for (;;) {}\n${handler}`, "START_FAILED"],
  ];
  beforeAll(async () => {
    await deploy("steady", says("steady"), { envVars: { A: "1" } });
    await deploy("neighbour", says("neighbour"));
  });

  it.each(sources)("%s: refused with the remedy; what served goes on", async (what, code, reason) => {
    const error = await refusal(deploy("steady", code, { envVars: { A: "2" } }));
    expect(error).toMatchObject({ code: "VALIDATION_ERROR", remediation: expect.stringMatching(/\w{3}/) });
    if (reason !== "") expect(error.details.reason).toBe(reason);
    if (what === "a syntax error") expect(error.details.line).toBe(2);
    if (what === "a throw at the start")
      expect([error.details.line, error.message]).toEqual([2, expect.stringContaining("at the start")]);
    expect([(await call("steady")).body, (await call("neighbour")).body]).toEqual(["steady", "neighbour"]);
    const shown = await manage("get", "steady");
    expect([shown.version, shown.code]).toEqual([1, says("steady")]);
    if (what !== "an endless start") {
      expect((await refusal(deploy("fresh-and-bad", code))).code).toBe("VALIDATION_ERROR");
    }
    expect((await call("fresh-and-bad")).status).toBe(404);
  });
});

describe("a deploy", () => {
  it("under load loses no request, and what is asked after it gets the new version", async () => {
    await deploy("busy", says(0));
    const under = load(async () => {
      const answer = await call("busy");
      return answer.status === 200 ? answer.body : { failed: answer.status, body: answer.body };
    });
    await sleep(100);
    for (const n of [1, 2, 3, 4, 5]) {
      await deploy("busy", says(n));
      expect((await call("busy")).body).toBe(n);
      const path = `/v1/${appId}/functions/busy/env`;
      if (n === 3) must(await nodes.owner("PATCH", path, { envVars: { N: String(n) } }));
      await sleep(80);
    }
    const got = await under.stop();
    expect(got.filter((each) => typeof each !== "number")).toEqual([]);
    expect([...new Set(got)].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("lets a call that is under way, and a stream, come to their end", async () => {
    const slow = (word: string) => `export const handler = async (req: Request) => {
      if (req.method === "GET") {
        const { readable, writable } = new TransformStream();
        const writer = writable.getWriter();
        (async () => {
          for (let i = 0; i < 5; i++) { await writer.write(new TextEncoder().encode("${word};")); await new Promise((d) => setTimeout(d, 120)); }
          await writer.close();
        })();
        return new Response(readable);
      }
      await new Promise((d) => setTimeout(d, 600));
      return "${word}";
    };`;
    await deploy("slow", slow("old"));
    const [answer, stream] = [
      call("slow"),
      fetch(`${nodes.server.apiUrl}/v1/${appId}/fn/slow`).then((r) => r.text()),
    ];
    await sleep(150);
    await deploy("slow", slow("new"));
    expect((await answer).body).toBe("old");
    expect(await stream).toBe("old;".repeat(5));
    expect((await call("slow")).body).toBe("new");
  });

  it("does not touch the sockets of the app's Durable Objects", async () => {
    const code = `import { DurableObject } from "cloudflare:workers";
      export class Room extends DurableObject {
        born = crypto.randomUUID();
        async fetch() { const { 0: a, 1: b } = new WebSocketPair(); b.accept(); b.addEventListener("message", ({ data }) => b.send(this.born + data)); return new Response(null, { status: 101, webSocket: a }); }
      }`;
    await deployActor(nodes.owner, appId, "room", code, "public");
    const socket = new WebSocket(`${nodes.server.apiUrl.replace("http", "ws")}/v1/${appId}/do/room/one`);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    let closed = false;
    socket.on("close", () => {
      closed = true;
    });
    const ping = (text: string) =>
      new Promise<string>((resolve, reject) => {
        setTimeout(() => reject(new Error("no answer on the socket")), 5_000).unref();
        socket.once("message", (data) => resolve(String(data)));
        socket.send(text);
      });
    const born = (await ping("")).slice(0, 36);
    await deploy("beside", says(1));
    await deploy("beside", says(2));
    must(await nodes.owner("PATCH", `/v1/${appId}/functions/beside/env`, { envVars: { A: "1" } }));
    await manage("delete", "beside");
    expect([await ping("x"), closed]).toEqual([`${born}x`, false]);
    socket.terminate();
  });

  it("of many at once: every one of them serves", async () => {
    const names = Array.from({ length: 6 }, (_, i) => `many-${i}`);
    await Promise.all(names.map((name) => deploy(name, says(name))));
    for (const name of names) expect((await call(name)).body).toBe(name);
  });
});

describe("logs", () => {
  // An app of its own: what other tests log in masses leaves notices in the logs of all its functions.
  let logged: string;
  beforeAll(async () => {
    logged = await newApp(nodes.owner);
  });
  const inspect = (action: string, name: string, more: object = {}) =>
    manage(action, name, { app_id: logged, ...more });
  const code = [
    "interface Note { text: string }",
    "export async function handler(req: Request, ctx: any): Promise<Note> {",
    "  const note: Note = await req.json();",
    "  console.log('got', note);",
    "  ctx.log.warn('careful');",
    "  if (note.text === 'bad') throw new RangeError('bad note');",
    "  return note;",
    "}",
  ].join("\n");

  it("tell of each call by HTTP, MCP and as a stream: request id, lines, the TypeScript's line", async () => {
    await deploy("noted", code, {}, logged);
    const stream = await fetch(`${nodes.server.apiUrl}/v1/${logged}/functions/noted/logs/stream`, {
      headers: { authorization: `Bearer ${nodes.server.apiKey}` },
    });
    expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    let streamed = "";
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    const reading = (async () => {
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) streamed += piece.value;
    })().catch(() => {});
    const send = async (text: string) => {
      const answer = await apiAs(nodes.server.apiUrl, null)(
        "POST",
        `/v1/${logged}/fn/noted?token=secret-in-query`,
        { text },
      );
      return answer.headers.get("x-request-id")!;
    };
    const since = new Date().toISOString();
    const [good, bad] = [await send("good"), await send("bad")];
    const expected = [
      {
        request_id: bad,
        statusCode: 500,
        method: "POST",
        error: "RangeError: bad note",
        stack: expect.stringContaining("noted.ts:6:"),
      },
      {
        request_id: good,
        statusCode: 200,
        method: "POST",
        path: expect.stringMatching(/\/fn\/noted$/),
        error: null,
        stack: null,
        trigger: "http",
      },
    ];
    const entries = await eventually(async () => {
      const { logs } = must(await nodes.owner("GET", `/v1/${logged}/functions/noted/logs?since=${since}`));
      return logs.length === 2 && logs;
    }, "both entries");
    expect(entries).toMatchObject(expected);
    expect(entries[1].consoleLogs).toMatchObject([
      { level: "log", message: expect.stringMatching(/^got .*good/s) },
      { level: "warn", message: "careful" },
    ]);
    expect(entries[1].duration).toBeGreaterThanOrEqual(0);
    expect(JSON.stringify(entries)).not.toContain("secret-in-query");
    const overMcp = await inspect("get_logs", "noted");
    expect(overMcp.logs).toEqual(entries);
    const failures = must(await nodes.owner("GET", `/v1/${logged}/functions/noted/logs?level=error`));
    expect(failures.logs.map(({ request_id }: any) => request_id)).toEqual([bad]);
    const first = must(await nodes.owner("GET", `/v1/${logged}/functions/noted/logs?limit=1`));
    expect([first.logs.length, first.hasMore]).toEqual([1, true]);
    await eventually(() => streamed.includes(good) && streamed.includes(bad), "both entries in the stream");
    await reader.cancel();
    await reading;
    const events = streamed.split("\n\n").filter((each) => each.startsWith("event: log"));
    expect(events.map((each) => JSON.parse(/^data: (.*)$/m.exec(each)![1]!).request_id)).toEqual([good, bad]);
    expect(events.map((each) => JSON.parse(/^data: (.*)$/m.exec(each)![1]!))).toMatchObject(
      [...expected].reverse(),
    );
    // A reader that comes back is told what it missed.
    const last = /^id: (.*)$/m.exec(events[0]!)![1]!;
    const again = await fetch(`${nodes.server.apiUrl}/v1/${logged}/functions/noted/logs/stream`, {
      headers: {
        authorization: `Bearer ${nodes.server.apiKey}`,
        "last-event-id": new Date(Date.parse(last) - 1).toISOString(),
      },
    });
    const replay = again.body!.pipeThrough(new TextDecoderStream()).getReader();
    let replayed = "";
    while (!replayed.includes(bad)) replayed += (await replay.read()).value ?? "";
    await replay.cancel();
    expect(replayed).toContain(good);
  });

  it("are for those who may look into the app", async () => {
    const paths = [`/v1/${logged}/functions/noted/logs`, `/v1/${logged}/functions/noted/logs/stream`];
    const other = await newApp(nodes.owner);
    const foreign = must(
      await nodes.owner("POST", "/api-keys", { name: "x", key_scope: "app", target_app_id: other }),
    ).key;
    for (const path of paths) {
      expect((await apiAs(nodes.server.apiUrl, null)("GET", path)).status).toBe(401);
      expect((await apiAs(nodes.server.apiUrl, foreign)("GET", path)).status).toBe(403);
    }
  });

  it("count in the function's statistics", async () => {
    const shown = await eventually(async () => {
      const view = await inspect("get", "noted");
      return view.invocationCount === 2 && view;
    }, "two calls counted");
    expect(shown).toMatchObject({
      errorCount: 1,
      lastInvoked: expect.any(String),
      avgDuration: expect.any(Number),
    });
  });
});

describe("an endless loop", () => {
  it("is stopped; the app's actors and another app do not notice, and the app's functions come back", async () => {
    const other = await newApp(nodes.owner);
    await deploy("fine", says("fine"), {}, other);
    await deploy("fine", says("fine"));
    await deploy("loop", "export const handler = () => { for (;;) {} };");
    const counter = `export class Counter { n = 0; async fetch() { return new Response(String(++this.n)); } }`;
    await deployActor(nodes.owner, appId, "counter", counter, "public");
    const nobody = apiAs(nodes.server.apiUrl, null);
    const actor = () => nobody("GET", `/v1/${appId}/do/counter/one`);
    const before = [(await actor()).body, (await call("fine", other)).status, (await call("fine")).status];
    expect(before).toEqual([1, 200, 200]);
    const bystanders = load(async () => {
      const [mine, theirs] = await Promise.all([actor(), call("fine", other)]);
      await sleep(20);
      return [mine.status, theirs.status];
    }, 1);
    const startedAt = performance.now();
    const answer = await call("loop");
    const tookMs = performance.now() - startedAt;
    expect([answer.status, answer.body.error?.code]).toEqual([502, "RUNTIME_STOPPED"]);
    // 2 s are promised; the rest is for a machine with other work.
    expect(tookMs).toBeLessThan(4_000);
    await eventually(async () => (await call("fine")).body === "fine", "the app's other functions");
    const seen = (await bystanders.stop()) as [number, number][];
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.filter(([mine, theirs]) => mine !== 200 || theirs !== 200)).toEqual([]);
    expect((await actor()).body).toBe(seen.length + 2);
    const { logs } = await eventually(async () => {
      const read = await manage("get_logs", "loop", { level: "error" });
      return read.logs.length > 0 && read;
    }, "the log of the loop");
    expect(JSON.stringify(logs)).toMatch(/thread|loop|unresponsive|killed|stopped/i);
  });
});
