import { describe, expect, it } from "vitest";
import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";
import { json, legacy, post, raw, repeats } from "./testing/requests.ts";
import { call, send, sendCall, stand, upstream } from "./testing/scene.ts";
import { BUILTIN_TOKEN, TOKEN } from "./testing/stand.ts";
import { answersWith } from "./testing/test-upstream.ts";

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
