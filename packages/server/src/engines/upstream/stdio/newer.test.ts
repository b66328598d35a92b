import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, describe, expect, it } from "vitest";
import {
  asked,
  call,
  exchange,
  listening,
  openSession,
  request,
  stateless,
} from "../channel/testing/exchange.ts";
import type { Message, Upstream } from "../types.ts";
import { stdioFixture } from "./testing/fixture.ts";

const fixture = stdioFixture();
afterAll(() => fixture.stop());

const file = new URL("testing/newer.ts", import.meta.url).pathname;
const server = (...args: string[]) => ({ command: process.execPath, args: [file, ...args] });
const era = "stateless" as const;

async function text(
  upstream: Upstream,
  name: string,
  args: Message = {},
  sessionId?: string,
): Promise<string> {
  const message = call(name, args);
  const seen = sessionId
    ? await asked(upstream, message, { sessionId })
    : await asked(upstream, stateless(message), { era });
  return seen.messages.at(-1).result.content[0].text;
}

describe("a server that speaks 2026-07-28 itself", () => {
  it("gets stateless messages as they are, over one process, and its answers come as they are", async () => {
    const upstream = fixture.upstream(server("--only"));
    const discovered = await asked(upstream, stateless(request("server/discover")), { era });
    expect(discovered.messages[0].result).toMatchObject({
      supportedVersions: ["2026-07-28"],
      instructions: "Be kind.",
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "newer" } },
    });
    const pids = await Promise.all([1, 2, 3].map(() => text(upstream, "pid")));
    expect(new Set(pids).size).toBe(1);
    expect(upstream.state().processes).toBe(1);
    const wrong = await asked(upstream, stateless(request("no/such")), { era });
    expect([wrong.head?.status, wrong.messages[0].error.code]).toEqual([404, -32601]);
    const meta = { "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } } };
    const asks = await asked(upstream, stateless(call("ask"), meta), { era });
    expect(asks.messages[0].result).toMatchObject({
      resultType: "input_required",
      inputRequests: { name: { method: "elicitation/create" } },
    });
  });

  it("is told when a call is aborted", async () => {
    const upstream = fixture.upstream(server("--only"));
    const before = await text(upstream, "pid");
    const caller = new AbortController();
    const waiting = exchange(upstream, stateless(call("wait")), { era, signal: caller.signal });
    await text(upstream, "echo", { text: "the call has begun" });
    caller.abort();
    await waiting.done;
    expect(waiting.failure?.ran).toBe("maybe");
    // The tool ends the program when it hears of it.
    for (let tries = 0; tries < 100 && upstream.state().processes > 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await text(upstream, "pid")).not.toBe(before);
  });

  it("says that its tools changed to who subscribed, each under its own id, and to us", async () => {
    const upstream = fixture.upstream(server("--only"));
    let changes = 0;
    upstream.onToolsChanged(() => {
      changes += 1;
    });
    const closing = new AbortController();
    const subscribe = (id: string | number) =>
      exchange(
        upstream,
        stateless(request("subscriptions/listen", { notifications: { toolsListChanged: true } }, id)),
        { era, signal: closing.signal },
      );
    const [one, two] = [subscribe("same"), subscribe(7)];
    await Promise.all([one, two].map(({ until }) => until(({ method }) => method.endsWith("acknowledged"))));
    await text(upstream, "grow");
    const subscription = "io.modelcontextprotocol/subscriptionId";
    const heard = await Promise.all(
      [one, two].map(({ until }) => until(({ method }) => method === "notifications/tools/list_changed")),
    );
    expect(heard.map(({ params }) => params._meta[subscription])).toEqual(["same", 7]);
    expect(changes).toBe(1);
    closing.abort();
    await Promise.all([one.done, two.done]);
  });

  it("answers as it would if its makers' client spoke to it directly", async () => {
    const upstream = fixture.upstream(server("--only"));
    const client = new Client({ name: "t", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new StdioClientTransport({ ...server("--only"), stderr: "ignore" }));
    const direct = await client.listTools();
    await client.close();
    const through = (await upstream.ask("tools/list", {}, new AbortController().signal)) as any;
    expect(through.tools).toEqual(direct.tools);
  });
});

describe("older clients in front of it", () => {
  it("have a session with the server itself when it knows sessions", async () => {
    const upstream = fixture.upstream(server());
    const [a, b] = [await openSession(upstream), await openSession(upstream)];
    expect(await text(upstream, "pid", {}, a)).not.toBe(await text(upstream, "pid", {}, b));
    expect(await text(upstream, "pid")).not.toBe(await text(upstream, "pid", {}, a));
    expect(upstream.state().processes).toBe(3);
  });

  it("else one with us: nothing of the newer era shows", async () => {
    const upstream = fixture.upstream(server("--only"));
    const initialize = request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: { elicitation: {} },
      clientInfo: { name: "old", version: "1" },
    });
    const opened = await asked(upstream, initialize);
    expect(opened.messages[0].result).toMatchObject({
      protocolVersion: "2025-06-18",
      serverInfo: { name: "newer" },
      instructions: "Be kind.",
      capabilities: { tools: { listChanged: true } },
    });
    const sessionId = opened.head!.sessionId!;
    await asked(upstream, { jsonrpc: "2.0", method: "notifications/initialized" }, { sessionId });
    const echoed = await asked(upstream, call("echo", { text: "hi" }), { sessionId });
    expect(echoed.messages[0].result.content).toEqual([{ type: "text", text: "hi" }]);
    expect(echoed.texts[0]).not.toContain("resultType");
    const ask = await asked(upstream, call("ask"), { sessionId });
    const answer = ask.messages.at(-1);
    expect(answer.result?.isError === true || answer.error !== undefined).toBe(true);
    expect(answer.result?.resultType).toBeUndefined();
    expect((await asked(upstream, request("ping"), { sessionId })).messages[0].result).toEqual({});
    const level = await asked(upstream, request("logging/setLevel", { level: "debug" }), { sessionId });
    expect([level.head?.status, level.messages[0].error.code]).toEqual([200, -32601]);
    expect(upstream.state().processes).toBe(1);

    const closing = new AbortController();
    const stream = listening(upstream, sessionId, closing.signal);
    await text(upstream, "echo", { text: "after the subscription" }, sessionId);
    await text(upstream, "grow", {}, sessionId);
    const changed = await stream.until(({ method }) => method === "notifications/tools/list_changed");
    expect(JSON.stringify(changed)).not.toContain("io.modelcontextprotocol");
    closing.abort();
    await stream.done;

    const wait = call("wait");
    const waiting = exchange(upstream, wait, { sessionId });
    await text(upstream, "echo", { text: "the call has begun" }, sessionId);
    const params = { requestId: wait.id };
    await asked(upstream, { jsonrpc: "2.0", method: "notifications/cancelled", params }, { sessionId });
    await waiting.done;
    expect(waiting.failure?.ran).toBe("maybe");
    await upstream.endSession(sessionId);
    expect((await asked(upstream, request("tools/list"), { sessionId })).head?.status).toBe(404);
  });
});
