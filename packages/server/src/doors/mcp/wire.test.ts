import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import { post, startDoor } from "./testing/door.ts";

let door: Awaited<ReturnType<typeof startDoor>>;
beforeAll(async () => {
  door = await startDoor();
});
afterAll(() => door.stop());

const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};
const stateless = (method: string, params: object = {}, meta: object = envelope) => ({
  jsonrpc: "2.0",
  id: 7,
  method,
  params: { ...params, _meta: meta },
});
const headers = (method: string, name?: string) => ({
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": method,
  ...(name === undefined ? {} : { "mcp-name": name }),
});
const json = async (response: Response): Promise<{ status: number; body: any }> => ({
  status: response.status,
  body: await response.json(),
});

describe("the stateless revision", () => {
  const call = stateless("tools/call", { name: "echo", arguments: { text: "hi" } });

  it("answers server/discover, and stamps every result", async () => {
    const { status, body } = await json(
      await post(door.url, stateless("server/discover"), headers("server/discover")),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: 7,
      result: {
        resultType: "complete",
        supportedVersions: ["2026-07-28"],
        _meta: { "io.modelcontextprotocol/serverInfo": { name: "ambit", version: "9.9.9" } },
      },
    });
  });

  it("makes lists cacheable for the one who asked", async () => {
    const { body } = await json(await post(door.url, stateless("tools/list"), headers("tools/list")));
    expect(body.result).toMatchObject({ cacheScope: "private", ttlMs: 60_000 });
  });

  it("compares every header with the body", async () => {
    const right = headers("tools/call", "echo");
    expect((await post(door.url, call, right)).status).toBe(200);
    expect((await post(door.url, call, { ...right, "mcp-name": "=?base64?ZWNobw==?=" })).status).toBe(200);
    const wrong: Record<string, string>[] = [
      { ...right, "mcp-name": "fail" },
      { ...right, "mcp-name": "=?base64?ZmFpbA==?=" },
      { ...right, "mcp-method": "tools/list" },
      { ...right, "mcp-protocol-version": "2025-11-25" },
      { "mcp-protocol-version": "2026-07-28", "mcp-name": "echo" },
      { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call" },
      { "mcp-method": "tools/call", "mcp-name": "echo" },
    ];
    for (const set of wrong) {
      const { status, body } = await json(await post(door.url, call, set));
      expect({ set, status, code: body.error?.code }).toEqual({ set, status: 400, code: -32020 });
    }
  });

  it("refuses other versions, unknown methods and broken envelopes as the specification says", async () => {
    const future = stateless(
      "tools/list",
      {},
      { ...envelope, "io.modelcontextprotocol/protocolVersion": "2027-01-01" },
    );
    expect(
      await json(
        await post(door.url, future, { ...headers("tools/list"), "mcp-protocol-version": "2027-01-01" }),
      ),
    ).toMatchObject({
      status: 400,
      body: { id: 7, error: { code: -32022, data: { supported: ["2026-07-28"], requested: "2027-01-01" } } },
    });
    for (const method of ["ping", "initialize", "resources/list", "made/up"]) {
      const answer = await json(await post(door.url, stateless(method), headers(method)));
      expect(answer, method).toMatchObject({ status: 404, body: { id: 7, error: { code: -32601 } } });
    }
    const partial = stateless("tools/list", {}, { "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    expect(await json(await post(door.url, partial, headers("tools/list")))).toMatchObject({
      status: 400,
      body: { error: { code: -32602 } },
    });
  });

  it("opens a listening stream, and ends it when the server stops", async () => {
    const own = await startDoor();
    const listen = stateless("subscriptions/listen", { notifications: {} });
    const response = await post(own.url, listen, headers("subscriptions/listen"));
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("x-request-id")).toBeTruthy();
    const stream = response.text();
    await own.stop();
    expect(await stream).toContain("notifications/subscriptions/acknowledged");
  });
});

describe("the older revisions", () => {
  const legacy = (method: string, params: object = {}) => ({ jsonrpc: "2.0", id: "a", method, params });
  const hello = (protocolVersion: string) =>
    legacy("initialize", { protocolVersion, capabilities: {}, clientInfo: { name: "t", version: "1" } });

  it.each(["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])(
    "shakes hands in %s without a session",
    async (version) => {
      const response = await post(door.url, hello(version));
      expect(response.headers.get("mcp-session-id")).toBeNull();
      expect(await json(response)).toMatchObject({
        status: 200,
        body: {
          id: "a",
          result: { protocolVersion: version, serverInfo: { name: "ambit", version: "9.9.9" } },
        },
      });
    },
  );

  it("answers an unknown version with the newest it can shake hands in", async () => {
    expect((await json(await post(door.url, hello("1999-01-01")))).body.result.protocolVersion).toBe(
      "2025-11-25",
    );
  });

  it("needs no handshake before a call, and stays silent on notifications", async () => {
    const call = legacy("tools/call", { name: "echo", arguments: { text: "hi" } });
    const { body } = await json(await post(door.url, call, { "mcp-protocol-version": "2025-06-18" }));
    expect(body.result).toEqual({
      content: [{ type: "text", text: "hi" }],
      structuredContent: { text: "hi", at: "1970-01-01T00:00:00.000Z" },
    });
    const done = await post(door.url, { jsonrpc: "2.0", method: "notifications/initialized" });
    expect(done.status).toBe(202);
  });

  it("answers unknown methods inside an HTTP 200, and bad version headers with 400", async () => {
    const unknown = await post(door.url, legacy("resources/list"));
    expect(unknown.status).toBe(200);
    expect(await unknown.text()).toContain('"code":-32601');
    expect(
      (await post(door.url, legacy("tools/list"), { "mcp-protocol-version": "1999-01-01" })).status,
    ).toBe(400);
  });

  it("has no stream to GET and no session to DELETE", async () => {
    const got = await fetch(`${door.url}/mcp`, { headers: { accept: "text/event-stream" } });
    expect(got.headers.get("allow")).toBe("POST, DELETE");
    expect(await json(got)).toMatchObject({
      status: 405,
      body: { jsonrpc: "2.0", id: null, error: { code: -32000 } },
    });
    expect((await fetch(`${door.url}/mcp`, { method: "DELETE" })).status).toBe(200);
  });
});

describe("who may call", () => {
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
  const challenge = (url: string) =>
    `Bearer realm="ambit", resource_metadata="${url}/.well-known/oauth-protected-resource", scope="mcp"`;

  it("challenges callers without a good key, before it reads their message", async () => {
    const none = await fetch(`${door.url}/mcp`, {
      method: "POST",
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect(none.headers.get("www-authenticate")).toBe(challenge(door.url));
    expect(await json(none)).toMatchObject({
      status: 401,
      body: { error: { code: "AUTH_REQUIRED", remediation: expect.any(String) } },
    });
    const cases = [
      ["Bearer bb_sk_wrong", "AUTH_INVALID_API_KEY"],
      ["Bearer a.b.c", "AUTH_INVALID_TOKEN"],
      ["Basic YTpi", "AUTH_INVALID_TOKEN"],
    ] as const;
    for (const [authorization, code] of cases) {
      const response = await post(door.url, ping, { authorization });
      expect(response.headers.get("www-authenticate")).toBe(`${challenge(door.url)}, error="invalid_token"`);
      expect(await json(response)).toMatchObject({ status: 401, body: { error: { code } } });
    }
  });

  it("publishes the resource metadata the challenge points to", async () => {
    for (const suffix of ["", "/mcp"]) {
      const response = await fetch(`${door.url}/.well-known/oauth-protected-resource${suffix}`);
      expect(await json(response)).toMatchObject({
        status: 200,
        body: { resource: `${door.url}/mcp`, bearer_methods_supported: ["header"], resource_name: "Ambit" },
      });
    }
  });

  it("lets own pages in and keeps foreign ones out, whatever the method", async () => {
    const own = [
      door.url,
      `http://localhost:${door.port}`,
      `http://[::1]:${door.port}`,
      "https://console.example",
    ];
    for (const origin of own) expect((await post(door.url, ping, { origin })).status, origin).toBe(200);
    const foreign = [
      "https://evil.example",
      `http://evil.example:${door.port}`,
      "http://localhost:1",
      "null",
      `https://localhost:${door.port}`,
    ];
    for (const origin of foreign) {
      expect(await json(await post(door.url, ping, { origin })), origin).toMatchObject({
        status: 403,
        body: { error: { code: "AUTH_ORIGIN_FORBIDDEN" } },
      });
      expect((await fetch(`${door.url}/mcp`, { headers: { origin } })).status).toBe(403);
    }
  });
});

describe("broken messages", () => {
  it.each([
    ["no JSON", "{", 400, -32700],
    ["an empty body", "", 400, -32700],
    ["a batch", [{ jsonrpc: "2.0", id: 1, method: "ping" }], 400, -32600],
    ["no JSON-RPC", { id: 1 }, 400, -32600],
    ["deep nesting", `{"a":${"[".repeat(200)}${"]".repeat(200)}}`, 400, -32600],
  ])("refuses %s", async (_what, body, status, code) => {
    expect(await json(await post(door.url, body))).toMatchObject({
      status,
      body: { jsonrpc: "2.0", id: null, error: { code } },
    });
  });

  it("counts brackets only outside of strings", async () => {
    const text = `\\"${"[{".repeat(150)}`;
    const call = {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "echo", arguments: { text } },
    };
    expect((await json(await post(door.url, call))).body.result.structuredContent.text).toBe(text);
  });

  it("refuses other content types and bodies over the limit", async () => {
    expect((await post(door.url, "a=1", { "content-type": "text/plain" })).status).toBe(415);
    const large = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "ping",
      params: { pad: "x".repeat(kernelLimits.bodyBytes) },
    });
    expect(await json(await post(door.url, large))).toMatchObject({
      status: 413,
      body: { error: { code: -32000 } },
    });
  });

  it("knows one way to ask for other tools", async () => {
    const response = await fetch(`${door.url}/mcp?tools=all`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer bb_sk_agent" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
    });
    expect(await json(response)).toMatchObject({ status: 400, body: { error: { code: "REQUEST_ERROR" } } });
  });
});
