import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { UpstreamFailure } from "../../engines/upstream/types.ts";
import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";
import { callOf, json, legacy, post, raw, repeats, stateless } from "./testing/requests.ts";
import {
  BUILTIN_ID,
  BUILTIN_TOKEN,
  EMPTY_TOKEN,
  type Stand,
  startStand,
  TOKEN,
  VERBS_ID,
  VERBS_TOKEN,
} from "./testing/stand.ts";
import { answersText, answersWith, TestUpstream } from "./testing/test-upstream.ts";

let upstream: TestUpstream;
let stand: Stand;
beforeEach(async () => {
  upstream = new TestUpstream();
  stand = await startStand({ upstream });
});
afterEach(() => stand.stop());

const call = (name = "echo", args: object = { text: "hi" }) => stateless("tools/call", callOf(name, args));
const send = (body: unknown, headers: Record<string, string> = {}) => post(stand.proxyUrl, body, headers);
const sendCall = (name = "echo", args?: object) => send(call(name, args), repeats("tools/call", name));
const lastEnd = () => stand.gateway.ends.at(-1)?.end;

describe("who may come in", () => {
  it("only a grant of this server, and says how", async () => {
    for (const authorization of ["", "Bearer nobody", `Bearer ${BUILTIN_TOKEN}`]) {
      const answer = await send(call(), { ...repeats("tools/call", "echo"), authorization });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toMatch(
        /^Bearer .*resource_metadata="http.*scope="mcp"/,
      );
      expect(await answer.json()).toMatchObject({ error: { code: "AUTH_INVALID_TOKEN" } });
    }
    const nobody = await fetch(stand.proxyUrl, { method: "POST", body: "{}" });
    expect(nobody.headers.get("www-authenticate")).not.toContain("invalid_token");
    expect(upstream.requests).toEqual([]);
    expect(stand.gateway.notes).toEqual([]);
  });

  it("no page of another origin", async () => {
    const from = (origin: string, method = "POST") =>
      fetch(stand.proxyUrl, {
        method,
        headers: {
          ...repeats("tools/call", "echo"),
          origin,
          authorization: `Bearer ${TOKEN}`,
          "content-type": "application/json",
          ...(method === "OPTIONS" ? { "access-control-request-method": "POST" } : {}),
        },
        ...(method === "POST" ? { body: JSON.stringify(call()) } : {}),
      });
    const foreign = await from("https://evil.example");
    expect(foreign.status).toBe(403);
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
    expect((await from("https://evil.example", "OPTIONS")).status).toBe(403);
    expect(stand.gateway.judged).toEqual([]);
    const own = await from("https://console.example");
    expect(own.status).toBe(200);
    expect(own.headers.get("access-control-allow-origin")).toBe("https://console.example");
    const preflight = await from("https://console.example", "OPTIONS");
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("DELETE");
  });

  it("authenticates before it reads the body", async () => {
    const head = `POST /mcp/ambit/ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n`;
    expect(await raw(stand.port, [head, "{"], true)).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe("what is not even judged", () => {
  it.each([
    ["another content type", call(), { "content-type": "text/plain" }, 415, -32600],
    ["an encoded body", call(), { "content-encoding": "gzip" }, 415, -32600],
    ["a batch", [call()], {}, 400, -32600],
    ["invalid UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), {}, 400, -32700],
    ["duplicate keys", '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', {}, 400, -32700],
    ["an empty body", "", {}, 400, -32700],
    ["headers that disagree", call(), repeats("tools/call", "other"), 400, -32020],
    ["params that don't decode", legacy("tools/call", { name: 7 }), {}, 400, -32602],
  ])("%s", async (_what, body, headers, status, code) => {
    const answer = await json(send(body, headers as Record<string, string>));
    expect(answer).toMatchObject({ status, body: { jsonrpc: "2.0", error: { code } } });
    expect(stand.gateway.notes).toMatchObject([{ outcome: "error", rule: "(malformed)" }]);
    expect(stand.gateway.judged).toEqual([]);
    expect(upstream.requests).toEqual([]);
  });

  it("keeps the id of what is refused", async () => {
    const { body } = await json(send(legacy("tools/call", {})));
    expect(body).toMatchObject({ id: "a1" });
  });

  it("a body beyond the cap, announced or not", async () => {
    const large = JSON.stringify(legacy("ping", { x: "x".repeat(limits.bodyBytes) }));
    expect(await json(send(large))).toMatchObject({ status: 413, body: { error: { code: -32600 } } });
    const pieces = new ReadableStream({
      start(controller) {
        for (let at = 0; at < large.length; at += 100_000) {
          controller.enqueue(new TextEncoder().encode(large.slice(at, at + 100_000)));
        }
        controller.close();
      },
    });
    const streamed = await post(stand.proxyUrl, "", {}, {
      body: pieces,
      duplex: "half",
    } as RequestInit).catch((error) => error as Error);
    // The client may still be sending when the answer and the end of the connection come.
    if (!(streamed instanceof Error)) expect(streamed.status).toBe(413);
    await expect.poll(() => stand.gateway.notes.length).toBe(2);
    expect(await stand.limitsHit("gateway_body_bytes")).toBe(2);
    expect(upstream.requests).toEqual([]);
  });

  it("answers 503 where the refusal can't be recorded", async () => {
    stand.gateway.noted = () => Promise.reject(errors.DATABASE_UNAVAILABLE());
    expect(await json(send("{"))).toMatchObject({ status: 503, body: { error: { code: -32603 } } });
  });

  it("headers that repeat arguments, as the tool's schema says", async () => {
    const schema = { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } };
    stand.tools = [{ name: "echo", inputSchema: schema }];
    const body = call("echo", { region: "eu" });
    const right = repeats("tools/call", "echo");
    for (const headers of [right, { ...right, "mcp-param-region": "us" }]) {
      expect(await json(send(body, headers))).toMatchObject({
        status: 400,
        body: { error: { code: -32020 } },
      });
    }
    expect(upstream.requests).toEqual([]);
    const same = await send(body, { ...right, "mcp-param-region": "eu", "mcp-param-x": "1", "x-other": "2" });
    expect(same.status).toBe(200);
    expect(upstream.requests[0]?.headers).toEqual({
      "mcp-protocol-version": "2026-07-28",
      "mcp-param-region": "eu",
      "mcp-param-x": "1",
    });
    // A change of the tool is seen before anything is refused for it.
    stand.tools = [{ name: "echo", inputSchema: { type: "object" } }];
    expect((await send(body, { ...right, "mcp-param-region": "us" })).status).toBe(200);
  });
});

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

  it("is answered only once the decision is recorded and its end is known", async () => {
    const steps: string[] = [];
    stand.gateway.record = async () => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      steps.push("recorded");
      return "led_1";
    };
    stand.gateway.settle = async () => {
      steps.push("told");
      await new Promise((resolve) => setTimeout(resolve, 120));
      steps.push("settled");
    };
    await sendCall().then((answer) => answer.text());
    steps.push("answered");
    expect(steps).toEqual(["told", "recorded", "settled", "answered"]);
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

describe("a call that is not let through", () => {
  it("denied: a result that the model can read", async () => {
    const { status, body } = await json(sendCall("secret"));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: 7,
      result: { isError: true, resultType: "complete", _meta: { "ambit/decision": { rule: "(hidden)" } } },
    });
    const older = await json(send(legacy("tools/call", callOf("pay", { amount: 101 }))));
    expect(older.body.result._meta["ambit/decision"].rule).toBe("/tools/pay/deny_if/args.amount-gt");
    expect(older.body.result).not.toHaveProperty("resultType");
    expect(upstream.requests).toEqual([]);
  });

  it("refused, replayed, or with a state that is not right", async () => {
    const empty = { authorization: `Bearer ${EMPTY_TOKEN}` };
    const refused = await json(send(stateless("tools/list"), { ...repeats("tools/list"), ...empty }));
    expect(refused).toMatchObject({ status: 200, body: { id: 7, error: { code: -32600 } } });
    const told = { jsonrpc: "2.0", method: "notifications/roots/list_changed" };
    expect(await json(send(told, empty))).toMatchObject({ status: 403, body: { id: null } });
    stand.gateway.verdict = () => ({ kind: "replay", result: '{"content":[],"n":1}' });
    expect((await json(sendCall())).body.result).toEqual({ resultType: "complete", content: [], n: 1 });
    const older = await send(legacy("tools/call", callOf("echo")));
    expect(await older.text()).toBe('{"jsonrpc":"2.0","id":"a1","result":{"content":[],"n":1}}');
    stand.gateway.verdict = () => ({ kind: "bad_state", message: "used" });
    expect(await json(sendCall())).toMatchObject({ status: 400, body: { id: 7, error: { code: -32602 } } });
    expect(upstream.requests).toEqual([]);
  });

  it("needs a person: the page, and a state that comes back to the judge and goes no further", async () => {
    stand.gateway.verdict = ({ requestState }) =>
      requestState === null
        ? { kind: "ask", approvalUrl: "http://x.example/approve/1", requestState: "v1.s", message: "why" }
        : null;
    const { body } = await json(
      send(
        stateless("tools/call", callOf("echo"), { elicitation: { url: {} } }),
        repeats("tools/call", "echo"),
      ),
    );
    expect(body.result).toEqual({
      resultType: "input_required",
      inputRequests: {
        approval: {
          method: "elicitation/create",
          params: { mode: "url", message: "why", url: "http://x.example/approve/1" },
        },
      },
      requestState: "ambit.v1.s",
    });
    expect(stand.gateway.judged[0]).toMatchObject({ opensUrls: true, requestState: null });
    const again = {
      ...callOf("echo", { a: 1 }),
      inputResponses: { approval: { action: "accept" } },
      requestState: body.result.requestState,
    };
    const retried = await send(stateless("tools/call", again), repeats("tools/call", "echo"));
    expect(retried.status).toBe(200);
    expect(stand.gateway.judged[1]).toMatchObject({ requestState: "v1.s" });
    expect(upstream.requests[0]?.message.params).toEqual({
      ...callOf("echo", { a: 1 }),
      _meta: expect.anything(),
    });
  });

  it("passes on what answers a question of the upstream's", async () => {
    const again = { ...callOf("echo"), inputResponses: { q: { action: "accept" } }, requestState: "theirs" };
    await send(stateless("tools/call", again), repeats("tools/call", "echo"));
    expect(stand.gateway.judged[0]).toMatchObject({ requestState: null });
    expect(upstream.requests[0]?.message.params).toMatchObject(again);
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

describe("lists of tools", () => {
  const tools = [
    { name: "zeta", description: "z", _meta: { a: 1 } },
    { name: "secret" },
    { name: "alpha", inputSchema: { type: "object" } },
  ];
  const list = { nextCursor: "n", tools, ttlMs: 5, cacheScope: "public", _meta: { keep: [1] }, other: null };
  const asks = (headers = {}) => send(stateless("tools/list"), { ...repeats("tools/list"), ...headers });

  it("have what the grant may see, in their order, with every other field", async () => {
    upstream.onSend = answersWith(list);
    const { body } = await json(asks());
    expect(body.result).toEqual({ ...list, tools: [tools[0], tools[2]], cacheScope: "private" });
    expect(Object.keys(body.result)).toEqual(Object.keys(list));
  });

  it("that can't be read are not passed on", async () => {
    for (const broken of [{}, { tools: { secret: 1 } }, { tools: null, content: ["secret"] }]) {
      upstream.onSend = answersWith(broken);
      const answer = await asks();
      const text = await answer.text();
      expect(answer.status).toBe(502);
      expect(JSON.parse(text)).toMatchObject({ id: 7, error: { code: -32603 } });
      expect(text).not.toContain("secret");
      expect(lastEnd()).toMatchObject({ problem: "body" });
    }
    upstream.onSend = answersWith({ tools });
    stand.gateway.filterTools = () => Promise.reject(new Error("no"));
    const unfiltered = await asks();
    expect(unfiltered.status).toBe(503);
    expect(await unfiltered.text()).not.toContain("zeta");
  });

  it("are filtered whatever was asked for", async () => {
    upstream.onSend = answersWith({ content: [], tools });
    const { body } = await json(sendCall());
    expect(body.result.tools.map(({ name }: { name: string }) => name)).toEqual(["zeta", "alpha"]);
  });
});

describe("the built-in server", () => {
  const toBuiltin = (path: string, body: unknown = call(), headers = repeats("tools/call", "echo")) =>
    post(`${stand.url}${path}`, body, {
      ...headers,
      authorization: `Bearer ${BUILTIN_TOKEN}`,
      "user-agent": "agent/1",
    });

  it("gets what was judged, as the grant, with the tools the path says", async () => {
    stand.onBuiltin = ({ message }, listener) =>
      answersWith({ content: ["built in"] })({ message } as never, listener);
    for (const path of [`/mcp/${BUILTIN_ID}`, `/mcp/${BUILTIN_ID}/`, "/mcp/ambit"]) {
      expect((await json(toBuiltin(path))).body.result.content).toEqual(["built in"]);
    }
    const verbs = { ...repeats("tools/call", "echo"), authorization: `Bearer ${VERBS_TOKEN}` };
    for (const path of [`/mcp/${VERBS_ID}/`, "/mcp/ambit", "/mcp/ambit/?tools=verbs"]) {
      expect((await post(stand.url + path, call(), verbs)).status).toBe(200);
    }
    const asked = stand.builtinRequests.map(({ request }) => request.verbs);
    expect(asked).toEqual([false, false, false, true, true, true]);
    // A policy for the one kind of tools says nothing of the other.
    expect((await toBuiltin("/mcp/ambit?tools=verbs")).status).toBe(400);
    expect(stand.builtinRequests).toHaveLength(6);
    const { grantId, request } = stand.builtinRequests[0]!;
    expect(grantId).toBe(`gra_${BUILTIN_TOKEN}`);
    expect(request).toMatchObject({ userAgent: "agent/1", ip: "127.0.0.1" });
    expect(request.headers).toEqual({
      ...repeats("tools/call", "echo"),
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
    });
    expect(request.message).toMatchObject(call());
  });

  it("is denied like any other, and has no streams of its own", async () => {
    const hidden = await json(toBuiltin("/mcp/ambit", call("secret"), repeats("tools/call", "secret")));
    expect(hidden.body.result.isError).toBe(true);
    expect((await toBuiltin("/mcp/ambit?tools=all")).status).toBe(400);
    const headers = { authorization: `Bearer ${BUILTIN_TOKEN}`, "mcp-session-id": "x" };
    expect((await fetch(`${stand.url}/mcp/ambit`, { headers })).status).toBe(405);
    expect(stand.builtinRequests).toEqual([]);
  });

  it("failing is no leak", async () => {
    stand.onBuiltin = () => {
      throw new Error("very secret");
    };
    const text = await toBuiltin("/mcp/ambit").then((answer) => answer.text());
    expect(text).toContain("-32603");
    expect(text).not.toContain("secret");
  });
});

describe("bounds", () => {
  it("so many messages of one grant at once, and others are not hindered", async () => {
    const waiting: (() => void)[] = [];
    upstream.onSend = (request, listener) =>
      void waiting.push(() => answersWith({ content: [] })(request, listener));
    const calls = Array.from({ length: limits.requestsPerGrant }, () => sendCall());
    await expect.poll(() => waiting.length).toBe(limits.requestsPerGrant);
    const refused = await sendCall();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ error: { code: "GATEWAY_REQUESTS_BUSY" } });
    expect(stand.gateway.notes).toMatchObject([{ outcome: "error", rule: "(busy)" }]);
    expect(await stand.limitsHit("gateway_requests_per_grant")).toBe(1);
    for (const answer of waiting) answer();
    for (const answer of await Promise.all(calls)) expect(answer.status).toBe(200);
    upstream.onSend = answersWith({ content: [] });
    expect((await sendCall()).status).toBe(200);
  });

  it("sessions, as the judge counts them", async () => {
    stand.gateway.sessionsLeft = 1;
    const open = () => send(legacy("initialize", { protocolVersion: "2025-11-25" }));
    expect((await open()).status).toBe(200);
    const refused = await open();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("60");
    expect(stand.gateway.notes).toMatchObject([{ method: "initialize", outcome: "error" }]);
    expect(upstream.requests).toHaveLength(1);
  });

  it("methods", async () => {
    for (const method of ["PUT", "PATCH", "HEAD", "OPTIONS"]) {
      const answer = await fetch(stand.proxyUrl, { method });
      expect([method, answer.status]).toEqual([method, 405]);
    }
  });
});
