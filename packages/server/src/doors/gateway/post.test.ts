import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { UpstreamFailure } from "../../engines/upstream/types.ts";
import { errors } from "../../kernel/errors.ts";
import { callOf, json, legacy, repeats } from "./testing/requests.ts";
import { call, lastEnd, send, sendCall, stand, upstream } from "./testing/scene.ts";
import { answersText, answersWith } from "./testing/test-upstream.ts";

describe("a call that is let through", () => {
  it("goes up as it was judged, without the client's headers", async () => {
    const text =
      '{ "jsonrpc":"2.0", "id":7,\n"method":"tools/call","params":{"name":"echo","arguments":{"__proto__":{"a":1},"n":1.0},"extra":[1]}}';
    const answer = await send(text, {
      cookie: "a=b",
      "x-forwarded-for": "1.2.3.4",
      "x-api-key": "k",
      "mcp-protocol-version": "2025-11-25",
      "mcp-param-region": "eu",
    });
    expect(answer.status).toBe(200);
    const [request] = upstream.requests;
    expect(request).toMatchObject({ era: "session", sessionId: null });
    expect(request?.headers).toEqual({ "mcp-protocol-version": "2025-11-25" });
    expect(JSON.stringify(request?.message)).toBe(
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"__proto__":{"a":1},"n":1},"extra":[1]}}',
    );
    const { arguments: sent } = request!.message.params as { arguments: object };
    expect(stand.gateway.judged[0]?.args).toBe(sent);
  });

  it("comes down byte for byte, with nothing of the upstream's headers", async () => {
    const text =
      '{"result" : {"big":12345678901234567890, "content":[],"_meta":{"a":1}},\n"id":$id,"jsonrpc":"2.0"}';
    upstream.onSend = answersText(text, 200, "session-of-the-upstream");
    const answer = await sendCall();
    expect(await answer.text()).toBe(text.replace("$id", "7"));
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-request-id")).toBe(stand.gateway.judged[0]?.requestId);
    expect(answer.headers.get("mcp-session-id")).toBeNull();
    expect(lastEnd()).toEqual({ ran: "yes", status: 200, problem: null, result: null });
  });

  it.each([
    [60, 120, ["told", "recorded", "settled", "answered"]],
    [120, 60, ["told", "settled", "recorded", "answered"]],
  ])(
    "is answered only once the decision is recorded (%i ms) and its end is known (%i ms)",
    async (recordMs, settleMs, order) => {
      const steps: string[] = [];
      stand.gateway.record = async () => {
        await sleep(recordMs);
        steps.push("recorded");
        return "led_1";
      };
      stand.gateway.settle = async () => {
        steps.push("told");
        await sleep(settleMs);
        steps.push("settled");
      };
      await sendCall().then((answer) => answer.text());
      steps.push("answered");
      expect(steps).toEqual(order);
    },
  );

  it("has no session in the stateless era, whatever the headers say", async () => {
    const headers = { ...repeats("tools/call", "echo"), "mcp-session-id": "x" };
    expect((await send(call(), headers)).status).toBe(200);
    expect(upstream.requests[0]).toMatchObject({ era: "stateless", sessionId: null });
    expect(stand.gateway.judged[0]).toMatchObject({ sessionId: null });
  });

  it("leaks nothing when it can't be recorded", async () => {
    upstream.onSend = answersWith({ content: [{ type: "text", text: "very secret" }] });
    for (const part of ["record", "settle"] as const) {
      const fails = () => Promise.reject(new Error("no ledger at db.internal"));
      Object.assign(stand.gateway, { [part]: fails });
      const answer = await sendCall();
      const text = await answer.text();
      expect(answer.status).toBe(503);
      expect(JSON.parse(text)).toMatchObject({ id: 7, error: { code: -32603 } });
      expect(text).not.toMatch(/secret|internal:|db\.internal/);
      const older = await send(legacy("tools/call", callOf("echo")));
      expect(older.status).toBe(200);
      expect(await older.text()).not.toContain("secret");
      stand.gateway.record = async () => "led_1";
    }
  });

  it("can't be judged: then it is not passed on", async () => {
    stand.gateway.verdict = () => Promise.reject(errors.DATABASE_UNAVAILABLE());
    const answer = await json(sendCall());
    expect(answer).toMatchObject({ status: 503, body: { id: 7, error: { code: -32603 } } });
    expect(await json(send(legacy("tools/call", callOf("echo"))))).toMatchObject({ status: 200 });
    expect(upstream.requests).toEqual([]);
  });

  it("settles by what the upstream says", async () => {
    const error = (code: number) => `{"jsonrpc":"2.0","id":$id,"error":{"code":${code},"message":"m"}}`;
    upstream.onSend = answersText(error(-32602), 400);
    expect(await json(sendCall())).toMatchObject({ status: 400, body: { error: { code: -32602 } } });
    expect(lastEnd()).toMatchObject({ ran: "no", problem: "-32602", status: 400 });
    upstream.onSend = answersText(error(-32000), 401);
    expect((await sendCall()).status).toBe(502);
    expect(lastEnd()).toMatchObject({ ran: "no", status: 401 });
    upstream.onSend = answersText(error(-32000), 500);
    expect((await sendCall()).status).toBe(500);
    expect(lastEnd()).toMatchObject({ ran: "maybe", problem: "-32000" });
    upstream.onSend = answersWith({ content: [], isError: true });
    expect((await sendCall()).status).toBe(200);
    expect(lastEnd()).toMatchObject({ ran: "yes", problem: "isError" });
  });

  it("whose id the upstream could not read is told so under it", async () => {
    upstream.onSend = answersText('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}', 400);
    expect(await json(sendCall())).toMatchObject({ status: 400, body: { id: 7, error: { code: -32700 } } });
  });

  it.each([
    "{",
    "[]",
    '"x"',
    '{"jsonrpc":"2.0","id":99,"result":{"content":["other"]}}',
    '{"jsonrpc":"2.0","method":"x"}',
  ])("never gets %s for an answer", async (text) => {
    upstream.onSend = answersText(text);
    const answer = await json(sendCall());
    expect(answer).toMatchObject({ status: 502, body: { id: 7, error: { code: -32603 } } });
    expect(JSON.stringify(answer.body)).not.toContain("other");
    expect(lastEnd()).toMatchObject({ ran: "maybe", problem: "body" });
  });

  it("keeps the result of what a person approved", async () => {
    stand.gateway.keepsResult = true;
    upstream.onSend = answersWith({ content: [{ type: "text", text: "paid" }] });
    await sendCall().then((answer) => answer.text());
    expect(JSON.parse(lastEnd()!.result!)).toEqual({ content: [{ type: "text", text: "paid" }] });
  });
});

describe("an upstream that fails", () => {
  const failure = (rest: Partial<UpstreamFailure>): UpstreamFailure => ({
    ...{ kind: "connect", status: null, ran: "no", message: "no route to secret.internal" },
    ...rest,
  });
  const fails = (rest: Partial<UpstreamFailure>) => {
    upstream.onSend = (_request, listener) => void setImmediate(() => listener.onFailure(failure(rest)));
  };

  it("is told in the client's id, by its kind, and in the status its era understands", async () => {
    fails({});
    const answer = await json(sendCall());
    expect(answer).toMatchObject({ status: 502, body: { id: 7, error: { code: -32603 } } });
    expect(answer.body.error.message).toContain("connect");
    expect(answer.body.error.message).not.toContain("secret.internal");
    expect(lastEnd()).toEqual({ ran: "no", status: 0, problem: "connect", result: null });
    fails({ kind: "timeout", ran: "maybe" });
    expect((await sendCall()).status).toBe(504);
    expect(lastEnd()).toMatchObject({ ran: "maybe", problem: "timeout" });
    fails({ kind: "refused", status: 503, ran: "maybe" });
    expect(await json(send(legacy("tools/call", callOf("echo"))))).toMatchObject({
      status: 200,
      body: { id: "a1", error: { code: -32603 } },
    });
    expect(lastEnd()).toMatchObject({ ran: "maybe", status: 503 });
  });

  it("ends without an answer", async () => {
    upstream.onSend = (_request, listener) => {
      listener.onHead({ status: 200, sessionId: null, streaming: false });
      listener.onEnd();
    };
    expect(await json(sendCall())).toMatchObject({ status: 502, body: { id: 7 } });
    expect(lastEnd()).toMatchObject({ ran: "maybe", problem: "broken" });
  });

  it("throws, or can't be had", async () => {
    upstream.onSend = () => {
      throw new Error("a bug at secret.internal");
    };
    const answer = await json(sendCall());
    expect(answer).toMatchObject({ status: 502, body: { error: { code: -32603 } } });
    expect(JSON.stringify(answer)).not.toContain("secret");
    expect(lastEnd()).toMatchObject({ ran: "maybe" });
  });
});

describe("what is no request", () => {
  it("a notification and an answer go up, and 202 comes back", async () => {
    const told = await send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
    expect([told.status, await told.text()]).toEqual([202, ""]);
    const answered = await send({ jsonrpc: "2.0", id: 3, result: { roots: [] } });
    expect(answered.status).toBe(202);
    expect(stand.gateway.judged.map(({ method }) => method)).toEqual([
      "notifications/cancelled",
      "(response)",
    ]);
    expect(upstream.requests.map(({ message }) => message.id)).toEqual([undefined, 3]);
  });

  it("is told when it could not be passed on", async () => {
    upstream.onSend = (_request, listener) => {
      listener.onHead({ status: 400, sessionId: null, streaming: false });
      listener.onEnd();
    };
    expect((await send({ jsonrpc: "2.0", method: "notifications/x" })).status).toBe(502);
    upstream.onSend = answersText("", 200);
    stand.gateway.record = () => Promise.reject(new Error("no ledger"));
    expect((await send({ jsonrpc: "2.0", method: "notifications/x" })).status).toBe(503);
  });
});
