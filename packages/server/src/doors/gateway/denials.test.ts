import { describe, expect, it } from "vitest";
import { callOf, json, legacy, post, repeats, stateless } from "./testing/requests.ts";
import { call, lastEnd, send, sendCall, stand, upstream } from "./testing/scene.ts";
import { BUILTIN_ID, BUILTIN_TOKEN, EMPTY_TOKEN, VERBS_ID, VERBS_TOKEN } from "./testing/stand.ts";
import { answersWith } from "./testing/test-upstream.ts";

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
    for (const path of [`/mcp/${VERBS_ID}/`, "/mcp/ambit-verbs", "/mcp/ambit/?tools=verbs"]) {
      expect((await post(stand.url + path, call(), verbs)).status).toBe(200);
    }
    const asked = stand.builtinRequests.map(({ request }) => request.verbs);
    expect(asked).toEqual([false, false, false, true, true, true]);
    // A policy for the one kind of tools says nothing of the other.
    expect((await toBuiltin("/mcp/ambit?tools=verbs")).status).toBe(401);
    expect((await toBuiltin(`/mcp/${BUILTIN_ID}?tools=verbs`)).status).toBe(400);
    expect((await post(`${stand.url}/mcp/ambit`, call(), verbs)).status).toBe(401);
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
