import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createLog } from "../../../kernel/log.ts";
import { type Upstream, UpstreamError } from "../types.ts";
import type { ChannelLimits } from "./limits.ts";
import { createSessionUpstream } from "./sessions.ts";
import { asked, call, exchange, listening, openSession, request, stateless } from "./testing/exchange.ts";
import { type Scripted, scripted } from "./testing/scripted.ts";

const log = createLog("silent");
const open: Upstream[] = [];
afterEach(async () => {
  for (const upstream of open.splice(0)) await upstream.close();
});

/** An upstream whose channels the test speaks for; `initialize` is answered by itself unless it is not to be. */
function fixture(limits: Partial<ChannelLimits> = {}, initializes = true) {
  const channels: Scripted[] = [];
  let refusal: UpstreamError | null = null;
  const upstream = createSessionUpstream(
    async () => {
      if (refusal !== null) throw refusal;
      const one = scripted();
      channels.push(one);
      const send = one.channel.send;
      return {
        ...one.channel,
        send(text) {
          const sent = send(text);
          const { id, method } = JSON.parse(text);
          const result = { protocolVersion: "2025-06-18", capabilities: { tools: { listChanged: true } } };
          if (method === "initialize" && initializes)
            setImmediate(() => one.say({ jsonrpc: "2.0", id, result }));
          return sent;
        },
      };
    },
    { log, probesStateless: false, limits },
  );
  open.push(upstream);
  return {
    upstream,
    channels,
    refuse(error: UpstreamError | null) {
      refusal = error;
    },
  };
}

const serverRequest = (id: string) => ({ jsonrpc: "2.0", id, method: "elicitation/create", params: {} });
const note = (text: string) => ({ jsonrpc: "2.0", method: "notifications/message", params: { text } });

describe("what the server says by itself", () => {
  it("goes to the listener, else to the one who waits, else is kept for the next listener", async () => {
    const { upstream, channels } = fixture();
    const sessionId = await openSession(upstream);
    const server = channels[0]!;
    server.say(note("kept"));
    const one = exchange(upstream, call("a"), { sessionId });
    server.say(note("to the one"));
    expect(one.messages.map(({ params }) => params.text)).toEqual(["to the one"]);
    const two = exchange(upstream, call("b"), { sessionId });
    server.say(note("kept too"));
    // What has to be answered is not kept while somebody is there.
    server.say(serverRequest("ask"));
    expect(two.messages.map(({ id }) => id)).toEqual(["ask"]);
    const closing = new AbortController();
    const stream = listening(upstream, sessionId, closing.signal);
    server.say(note("live"));
    expect(stream.messages.map(({ params }) => params.text)).toEqual(["kept", "kept too", "live"]);
    expect([one.messages.length, two.messages.length]).toEqual([1, 1]);
    closing.abort();
    await stream.done;
    server.say(note("kept again"));
    expect(stream.messages).toHaveLength(3);
  });

  it("what is kept is bounded, and a request that can't be is declined", async () => {
    const { upstream, channels } = fixture({ maxWaitingMessages: 3 });
    const sessionId = await openSession(upstream);
    const server = channels[0]!;
    server.say(serverRequest("lost"));
    for (const text of ["1", "2", "3"]) server.say(note(text));
    expect(server.sent.at(-1)).toMatchObject({ id: "lost", error: { code: -32603 } });
    const closing = new AbortController();
    const stream = listening(upstream, sessionId, closing.signal);
    expect(stream.messages.map(({ params }) => params.text)).toEqual(["1", "2", "3"]);
    closing.abort();
  });

  it("a change of its tools is told to us as well", async () => {
    const { upstream, channels } = fixture();
    let changes = 0;
    upstream.onToolsChanged(() => {
      changes += 1;
    });
    await openSession(upstream);
    channels[0]!.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    expect(changes).toBe(1);
    void upstream.ask("tools/list", {}, new AbortController().signal).catch(() => {});
    await sleep(20);
    channels[1]!.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    expect(changes).toBe(2);
  });
});

describe("sessions", () => {
  it("an initialize that is refused leaves nothing behind", async () => {
    const { upstream, channels } = fixture({}, false);
    const seen = exchange(upstream, request("initialize"));
    await sleep(5);
    const error = { code: -32602, message: "no" };
    channels[0]!.say({ jsonrpc: "2.0", id: channels[0]!.sent[0].id, error });
    await seen.done;
    expect(seen.messages[0].error).toEqual(error);
    await sleep(5);
    expect(channels[0]!.closed).toBe(true);
    expect((await asked(upstream, call("a"), { sessionId: seen.head?.sessionId ?? "x" })).head?.status).toBe(
      404,
    );
  });

  it("a client that gives up while its session is being opened leaves nothing behind", async () => {
    const { upstream, channels } = fixture({}, false);
    const caller = new AbortController();
    const seen = exchange(upstream, request("initialize"), { signal: caller.signal });
    await sleep(5);
    caller.abort();
    await seen.done;
    expect(seen.failure?.ran).toBe("no");
    expect(channels[0]!.closed).toBe(true);
  });

  it("a server that does not answer initialize in time has no session", async () => {
    const { upstream, channels } = fixture({ openTimeoutMs: 30 }, false);
    const seen = await asked(upstream, request("initialize"));
    expect(seen.failure).toMatchObject({ kind: "timeout", ran: "no" });
    expect(channels[0]!.closed).toBe(true);
  });

  it("what can't be opened is told as it is", async () => {
    const { upstream, refuse } = fixture();
    refuse(new UpstreamError({ kind: "connect", status: null, ran: "no", message: "not there" }));
    expect((await asked(upstream, request("initialize"))).failure?.message).toBe("not there");
    expect(upstream.state()).toEqual({ reachable: false, problem: "not there", processes: 0 });
    refuse(null);
    await openSession(upstream);
    expect(upstream.state()).toEqual({ reachable: true, problem: null, processes: 1 });
  });

  it("a message without a session is refused, and one of another session is not found", async () => {
    const { upstream, channels } = fixture();
    const sessionId = await openSession(upstream);
    expect((await asked(upstream, call("a"))).head?.status).toBe(400);
    for (const wrong of ["", `${sessionId} `, "__proto__"]) {
      const seen = await asked(upstream, call("a"), { sessionId: wrong });
      expect([seen.head?.status, seen.messages[0].error.code]).toEqual([404, -32001]);
    }
    expect(channels).toHaveLength(1);
  });

  it("a client's own cancellation names the request as the server knows it", async () => {
    const { upstream, channels } = fixture({ cancelGraceMs: 20 });
    const sessionId = await openSession(upstream);
    const server = channels[0]!;
    const message = { ...call("a"), id: "mine" };
    const seen = exchange(upstream, message, { sessionId });
    const cancelled = (requestId: unknown) =>
      asked(
        upstream,
        { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId, reason: "why" } },
        { sessionId },
      );
    const before = server.sent.length;
    await cancelled("unknown");
    expect(server.sent).toHaveLength(before);
    expect((await cancelled("mine")).head?.status).toBe(202);
    const wireId = server.sent.at(-2).id;
    expect(server.sent.at(-1).params).toEqual({ requestId: wireId, reason: "why" });
    await seen.done;
    expect(seen.failure).toMatchObject({ ran: "maybe" });
    server.say({ jsonrpc: "2.0", id: wireId, result: {} });
    expect(seen.messages).toEqual([]);
  });

  it("a silent server fails the call, unless it waits for the client", async () => {
    const { upstream, channels } = fixture({ requestIdleMs: 60 });
    const sessionId = await openSession(upstream);
    const server = channels[0]!;
    const seen = exchange(upstream, call("a"), { sessionId });
    server.say(serverRequest("ask"));
    await sleep(150);
    expect(seen.failure).toBe(null);
    await asked(upstream, { jsonrpc: "2.0", id: "ask", result: {} }, { sessionId });
    await seen.done;
    expect(seen.failure).toMatchObject({ kind: "timeout", ran: "maybe" });
    expect(server.sent.at(-1).method).toBe("notifications/cancelled");
  });

  it("progress of a task goes on after the answer that names it", async () => {
    const { upstream, channels } = fixture();
    const sessionId = await openSession(upstream);
    const server = channels[0]!;
    const params = { name: "a", task: { ttl: 1 }, _meta: { progressToken: "mine" } };
    const seen = exchange(upstream, request("tools/call", params), { sessionId });
    const { id } = server.sent.at(-1);
    server.say({ jsonrpc: "2.0", id, result: { task: { taskId: "t" } } });
    await seen.done;
    const closing = new AbortController();
    const stream = listening(upstream, sessionId, closing.signal);
    server.say({
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken: id, progress: 1 },
    });
    expect(stream.messages[0].params).toEqual({ progressToken: "mine", progress: 1 });
    closing.abort();
  });
});

describe("the shared channel", () => {
  it("opens once for all who come, and again when it died", async () => {
    const { upstream, channels } = fixture();
    const first = [1, 2, 3].map(() =>
      exchange(upstream, stateless({ ...call("a"), id: 1 }), { era: "stateless" }),
    );
    await sleep(20);
    expect(channels).toHaveLength(1);
    const calls = channels[0]!.sent.filter(({ method }) => method === "tools/call");
    expect(new Set(calls.map(({ id }) => id)).size).toBe(3);
    channels[0]!.die();
    await Promise.all(first.map(({ done }) => done));
    for (const { failure } of first) expect(failure).toMatchObject({ kind: "broken", ran: "maybe" });
    // The session is gone, which is found out by using it: the call goes to another one, once.
    const next = exchange(upstream, stateless(call("b")), { era: "stateless" });
    await sleep(20);
    expect(channels).toHaveLength(2);
    const { id } = channels[1]!.sent.find(({ method }) => method === "tools/call");
    channels[1]!.say({ jsonrpc: "2.0", id, result: { content: [] } });
    await next.done;
    expect(next.messages[0].result).toEqual({ resultType: "complete", content: [] });
  });

  it("what it can't attribute reaches no caller, and what the server asks is declined", async () => {
    const { upstream, channels } = fixture();
    const meta = { "io.modelcontextprotocol/logLevel": "debug" };
    const seen = exchange(upstream, stateless(call("a"), meta), { era: "stateless" });
    await sleep(20);
    const server = channels[0]!;
    server.say(note("of another caller"));
    server.say(serverRequest("ask"));
    server.say({ jsonrpc: "2.0", id: "still there?", method: "ping" });
    expect(seen.head).toBe(null);
    expect(server.sent.slice(-2)).toEqual([
      { jsonrpc: "2.0", id: "ask", error: { code: -32601, message: expect.any(String) } },
      { jsonrpc: "2.0", id: "still there?", result: {} },
    ]);
  });

  it("takes the newer era's protocol out of requests", async () => {
    const { upstream, channels } = fixture();
    const message = request("tools/call", {
      name: "a",
      arguments: { "io.modelcontextprotocol/x": 1 },
      requestState: "s",
      _meta: { progressToken: "p", "example.com/own": 1 },
    });
    exchange(upstream, stateless(message), { era: "stateless" });
    await sleep(20);
    const sent = channels[0]!.sent.at(-1);
    expect(sent.params).toEqual({
      name: "a",
      arguments: { "io.modelcontextprotocol/x": 1 },
      _meta: { progressToken: expect.any(Number), "example.com/own": 1 },
    });
  });

  it("subscriptions hear of changes while they are open", async () => {
    const { upstream, channels } = fixture();
    const closing = new AbortController();
    const wanted = { toolsListChanged: true, promptsListChanged: true };
    const message = stateless(request("subscriptions/listen", { notifications: wanted }, "s"));
    const seen = exchange(upstream, message, { era: "stateless", signal: closing.signal });
    await seen.until(({ method }) => method === "notifications/subscriptions/acknowledged");
    expect(seen.messages[0].params).toEqual({
      notifications: { toolsListChanged: true },
      _meta: { "io.modelcontextprotocol/subscriptionId": "s" },
    });
    const server = channels[0]!;
    server.say({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" });
    server.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    expect(seen.messages.slice(1)).toEqual([
      {
        jsonrpc: "2.0",
        method: "notifications/tools/list_changed",
        params: { _meta: { "io.modelcontextprotocol/subscriptionId": "s" } },
      },
    ]);
    closing.abort();
    await seen.done;
  });
});
