import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createLog } from "../../../kernel/log.ts";
import { answerAtOnce } from "../channel/delivery.ts";
import { asked, call, exchange, request, stateless } from "../channel/testing/exchange.ts";
import type { Message, UpstreamFailure, UpstreamListener, UpstreamRequest } from "../types.ts";
import { createBridge, type StatelessFace } from "./index.ts";
import type { BridgeLimits } from "./limits.ts";

const era = "stateless" as const;
const open: StatelessFace[] = [];
afterEach(async () => {
  for (const bridge of open.splice(0)) await bridge.close();
});

type Answer = (request: UpstreamRequest, listener: UpstreamListener) => void;

/** A bridge in front of a server with sessions whose answers to calls the test writes. */
function fixture(answer: Answer, limits: Partial<BridgeLimits> = {}) {
  const seen = { opened: 0, ended: [] as string[], sent: [] as UpstreamRequest[], listens: [] as Listen[] };
  const bridge = createBridge(
    {
      send(sent, listener) {
        const { message } = sent;
        seen.sent.push(sent);
        if (message.method === "initialize") {
          seen.opened += 1;
          listener.onHead({ status: 200, sessionId: `session-${seen.opened}`, streaming: false });
          const result = {
            protocolVersion: "2025-03-26",
            capabilities: { tools: {} },
            serverInfo: { name: "old" },
          };
          const text = JSON.stringify({ jsonrpc: "2.0", id: message.id, result });
          void listener.onMessage({ text, eventId: null });
          listener.onEnd();
        } else if (message.id === undefined || message.method === undefined)
          answerAtOnce(listener, 202, null);
        else answer(sent, listener);
      },
      listen: (session, listener) => void seen.listens.push({ ...session, listener }),
      async endSession(sessionId) {
        seen.ended.push(sessionId);
      },
    },
    { log: createLog("silent"), clientInfo: { name: "test", version: "1" }, limits },
  );
  open.push(bridge);
  return { bridge, seen };
}

type Listen = {
  sessionId: string;
  lastEventId: string | null;
  signal: AbortSignal;
  listener: UpstreamListener;
};

const result = ({ message }: UpstreamRequest, value: object) =>
  JSON.stringify({ jsonrpc: "2.0", id: message.id, result: value });
const error = ({ message }: UpstreamRequest, code: number) =>
  JSON.stringify({ jsonrpc: "2.0", id: message.id, error: { code, message: "no" } });
const send = (bridge: StatelessFace, message: Message) => asked(bridge, stateless(message), { era });
const refused = (status: number): UpstreamFailure => ({
  kind: "refused",
  status,
  ran: "no",
  message: `${status}`,
});

describe("a session the server has forgotten", () => {
  const forgets: Record<string, Answer> = {
    "404 with a message": (sent, listener) => answerAtOnce(listener, 404, error(sent, -32001)),
    "404 without a message": (_, listener) => listener.onFailure(refused(404)),
    "400 as the examples of its makers have it": (sent, listener) =>
      answerAtOnce(listener, 400, error(sent, -32000)),
  };
  it.each(Object.keys(forgets))("is replaced, and the call made once more: %s", async (how) => {
    const { bridge, seen } = fixture((sent, listener) => {
      if (sent.sessionId === "session-1") forgets[how]!(sent, listener);
      else answerAtOnce(listener, 200, result(sent, { content: [] }));
    });
    let renewed = 0;
    bridge.onToolsChanged(() => {
      renewed += 1;
    });
    const message = call("a", {}, { progressToken: "p" });
    const answer = await send(bridge, message);
    expect(answer.messages).toEqual([
      { jsonrpc: "2.0", id: message.id, result: { resultType: "complete", content: [] } },
    ]);
    expect([seen.opened, renewed]).toEqual([2, 1]);
    const calls = seen.sent.filter(({ message: { method } }) => method === "tools/call");
    expect(calls.map(({ sessionId }) => sessionId)).toEqual(["session-1", "session-2"]);
    expect(calls[1]!.headers).toEqual({ "mcp-protocol-version": "2025-03-26" });
    expect(seen.listens[0]!.signal.aborted).toBe(true);
  });

  it("is not replaced again and again", async () => {
    const { bridge, seen } = fixture((sent, listener) => answerAtOnce(listener, 404, error(sent, -32001)));
    const answer = await send(bridge, call("a"));
    expect(answer.messages[0].error.code).toBe(-32001);
    expect(seen.opened).toBe(2);
  });

  it("is none of these: other refusals are the caller's", async () => {
    const failing = fixture((_, listener) => listener.onFailure(refused(403)));
    expect((await send(failing.bridge, call("a"))).failure).toEqual(refused(403));
    const unknown = fixture((sent, listener) => answerAtOnce(listener, 404, error(sent, -32601)));
    expect((await send(unknown.bridge, call("a"))).messages[0].error.code).toBe(-32601);
    const broken = fixture((_, listener) =>
      listener.onFailure({ kind: "broken", status: null, ran: "maybe", message: "gone" }),
    );
    expect((await send(broken.bridge, call("a"))).failure?.ran).toBe("maybe");
    expect([failing, unknown, broken].map(({ seen }) => seen.opened)).toEqual([1, 1, 1]);
  });
});

describe("one shared session", () => {
  it("opens once for all who come at once, and ends when nobody used it", async () => {
    const { bridge, seen } = fixture(
      (sent, listener) => answerAtOnce(listener, 200, result(sent, { tools: [], big: 1 })),
      { idleMs: 30 },
    );
    const answers = await Promise.all(
      [1, 2, 3].map(() => send(bridge, { ...request("tools/list"), id: "same" })),
    );
    for (const { messages } of answers)
      expect(messages[0]).toEqual({
        jsonrpc: "2.0",
        id: "same",
        result: { resultType: "complete", ttlMs: 0, cacheScope: "private", tools: [], big: 1 },
      });
    const ids = seen.sent
      .filter(({ message }) => message.method === "tools/list")
      .map(({ message }) => message.id);
    expect(new Set(ids).size).toBe(3);
    expect(seen.opened).toBe(1);
    await sleep(60);
    expect(seen.ended).toEqual(["session-1"]);
    await send(bridge, request("tools/list"));
    expect(seen.opened).toBe(2);
  });

  it("listens on from where a stream ended, and not where there is none", async () => {
    const { bridge, seen } = fixture((sent, listener) => answerAtOnce(listener, 200, result(sent, {})), {
      firstListenRetryMs: 10,
    });
    await send(bridge, call("a"));
    const [first] = seen.listens;
    first!.listener.onHead({ status: 200, sessionId: null, streaming: true });
    void first!.listener.onMessage({ text: '{"jsonrpc":"2.0","method":"notifications/x"}', eventId: "e-1" });
    first!.listener.onEnd();
    await sleep(40);
    expect(seen.listens.map(({ lastEventId }) => lastEventId)).toEqual([null, "e-1"]);
    seen.listens[1]!.listener.onFailure({ ...refused(405), kind: "refused" });
    await sleep(60);
    expect(seen.listens).toHaveLength(2);
  });

  it("what a request's stream carries goes to its caller, under the caller's names", async () => {
    let told = 0;
    const { bridge, seen } = fixture((sent, listener) => {
      const say = (message: object) =>
        void listener.onMessage({ text: JSON.stringify(message), eventId: null });
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      const progressToken = (sent.message.params as any)._meta.progressToken;
      say({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: 1 } });
      say({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: -1, progress: 2 } });
      say({ jsonrpc: "2.0", method: "notifications/message", params: { data: "log" } });
      say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
      say({ jsonrpc: "2.0", id: "ask", method: "roots/list" });
      say({ jsonrpc: "2.0", id: sent.message.id, result: {} });
      listener.onEnd();
    });
    bridge.onToolsChanged(() => {
      told += 1;
    });
    const heard = await send(bridge, call("a", {}, { progressToken: "mine" }));
    expect(heard.head?.streaming).toBe(true);
    expect(heard.messages.map(({ method }) => method)).toEqual(["notifications/progress", undefined]);
    expect(heard.messages[0].params).toEqual({ progressToken: "mine", progress: 1 });
    expect(told).toBe(1);
    expect(seen.sent.at(-1)).toMatchObject({
      sessionId: "session-1",
      message: { id: "ask", error: { code: -32601 } },
    });
    const logged = stateless(call("a", {}, { progressToken: 1 }), {
      "io.modelcontextprotocol/logLevel": "info",
    });
    const methods = (await asked(bridge, logged, { era })).messages.map(({ method }) => method);
    expect(methods).toContain("notifications/message");
  });

  it("a stream that ends without an answer is no answer", async () => {
    const { bridge } = fixture((_, listener) => {
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      listener.onEnd();
    });
    expect((await send(bridge, call("a"))).failure).toMatchObject({ kind: "body", ran: "maybe" });
  });
});

describe("what comes from a stateless client", () => {
  it("in another version is refused with the versions there are", async () => {
    const { bridge, seen } = fixture(() => {});
    const version = { "io.modelcontextprotocol/protocolVersion": "2027-01-01" };
    const answer = await asked(bridge, stateless(request("tools/list"), version), { era });
    expect(answer.head?.status).toBe(400);
    expect(answer.messages[0].error).toMatchObject({
      code: -32022,
      data: { supported: ["2026-07-28"], requested: "2027-01-01" },
    });
    expect(seen.opened).toBe(0);
  });

  it("server/discover is answered from what the server said when the session began", async () => {
    const { bridge, seen } = fixture(() => {});
    const answer = await send(bridge, request("server/discover"));
    expect(answer.messages[0].result).toEqual({
      resultType: "complete",
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: {} },
      ttlMs: 0,
      cacheScope: "private",
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "old" } },
    });
    expect(seen.sent.map(({ message }) => message.method)).toEqual([
      "initialize",
      "notifications/initialized",
    ]);
  });

  it("and is no request goes nowhere", async () => {
    const { bridge, seen } = fixture(() => {});
    const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
    expect((await asked(bridge, cancelled, { era })).head?.status).toBe(202);
    expect((await asked(bridge, { jsonrpc: "2.0", id: 1, result: {} }, { era })).head?.status).toBe(400);
    for (const method of ["initialize", "ping", "logging/setLevel", "resources/unsubscribe", "tasks/get"])
      expect((await send(bridge, request(method))).head?.status).toBe(404);
    expect(seen.sent).toEqual([]);
  });

  it("too many subscriptions are refused", async () => {
    const { bridge } = fixture(() => {}, { maxSubscriptions: 1 });
    const message = () => stateless(request("subscriptions/listen", { notifications: {} }));
    const closing = new AbortController();
    const first = exchange(bridge, message(), { era, signal: closing.signal });
    await first.until(() => true);
    expect((await asked(bridge, message(), { era })).messages[0].error.code).toBe(-32603);
    closing.abort();
    await first.done;
    expect(bridge.underWay()).toBe(0);
  });
});
