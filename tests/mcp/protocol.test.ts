import { spawn } from "node:child_process";
import { Client, type ProtocolError } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { newApp } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { ask, connectEra, ERAS, run } from "./connect.ts";

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => discard(server));

const VERSION = "2026-07-28";
const envelope = (version = VERSION) => ({
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientCapabilities": {},
});
/** A message of the stateless revision, and the headers that go with it. */
const message = (method: string, params: object = {}, version = VERSION) => ({
  jsonrpc: "2.0",
  id: 7,
  method,
  params: { ...params, _meta: envelope(version) },
});
const headersFor = (method: string, name?: string, version = VERSION) => ({
  "mcp-protocol-version": version,
  "mcp-method": method,
  ...(name === undefined ? {} : { "mcp-name": name }),
});
const legacy = (method: string, params: object = {}) => ({ jsonrpc: "2.0", id: "a", method, params });
const hello = (protocolVersion: string) =>
  legacy("initialize", { protocolVersion, capabilities: {}, clientInfo: { name: "t", version: "1" } });

async function post(
  body: unknown,
  headers: Record<string, string> = {},
  key: string | null = server.agentKey,
) {
  const response = await fetch(server.mcpUrl, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith("{") ? JSON.parse(text) : null,
  };
}
const outcome = ({ status, body }: { status: number; body: any }) => [status, body?.error?.code];

describe("beginning", () => {
  it.each(["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])("shakes hands in %s", async (version) => {
    const answer = await post(hello(version));
    expect(answer.headers.get("mcp-session-id")).toBeNull();
    expect(answer.body).toMatchObject({
      id: "a",
      result: {
        protocolVersion: version,
        serverInfo: { name: "ambit" },
        capabilities: { tools: {}, prompts: {} },
        instructions: expect.stringContaining("Ambit"),
      },
    });
  });

  it("needs no handshake in the stateless revision, and tells what it is", async () => {
    const answer = await post(message("server/discover"), headersFor("server/discover"));
    expect(answer.body.result).toMatchObject({
      resultType: "complete",
      supportedVersions: [VERSION],
      capabilities: { tools: {}, prompts: {} },
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "ambit" } },
    });
    const list = await post(message("tools/list"), headersFor("tools/list"));
    expect(list.body.result).toMatchObject({ cacheScope: "private", resultType: "complete" });
  });

  it.each(ERAS)("has the quickstart prompt (%s)", async (era) => {
    const client = await connectEra(server.mcpUrl, server.agentKey, era);
    const prompts = await client.listPrompts();
    expect(prompts.prompts).toMatchObject([{ name: "quickstart", arguments: [{ name: "app_name" }] }]);
    const { messages } = await client.getPrompt({ name: "quickstart", arguments: { app_name: "shop" } });
    expect(JSON.stringify(messages)).toContain("shop");
    await client.close();
  });

  it("chooses the newest the client can, by itself", async () => {
    const client = new Client({ name: "suite", version: "1" }, {
      versionNegotiation: { mode: "auto" },
    } as never);
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    await client.connect(
      new StreamableHTTPClientTransport(new URL(server.mcpUrl), {
        requestInit: { headers: { authorization: `Bearer ${server.agentKey}` } },
      }),
    );
    expect(client.getNegotiatedProtocolVersion()).toBe(VERSION);
    await client.close();
  });
});

describe("who may call", () => {
  it("nobody without a good key, whatever the message says", async () => {
    const metadata = `${server.apiUrl}/.well-known/oauth-protected-resource`;
    const challenge = `Bearer realm="ambit", resource_metadata="${metadata}", scope="mcp"`;
    for (const body of ["{", "", [], hello("2025-06-18"), message("tools/list")]) {
      const answer = await post(body, {}, null);
      expect([...outcome(answer), answer.headers.get("www-authenticate")]).toEqual([
        401,
        "AUTH_REQUIRED",
        challenge,
      ]);
      expect(answer.body.error.remediation).toBeTruthy();
    }
    for (const key of ["bb_sk_0000000000000000000000000000000000000000", "a.b.c", "x"]) {
      const answer = await post(hello("2025-06-18"), {}, key);
      expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([
        401,
        `${challenge}, error="invalid_token"`,
      ]);
    }
    const basic = await post(
      hello("2025-06-18"),
      { authorization: `Basic ${btoa(`${server.agentKey}:`)}` },
      null,
    );
    expect(basic.status).toBe(401);
  });

  it("the metadata says where the keys are good", async () => {
    for (const suffix of ["", "/mcp"]) {
      const answer = await apiAs(server.apiUrl, null)(
        "GET",
        `/.well-known/oauth-protected-resource${suffix}`,
      );
      expect(answer.body).toMatchObject({ resource: server.mcpUrl, bearer_methods_supported: ["header"] });
    }
  });

  it("no page of a foreign origin, whatever key it holds", async () => {
    const { port } = new URL(server.apiUrl);
    for (const origin of [
      "https://evil.example",
      "http://localhost.evil.example",
      `http://localhost.evil.example:${port}`,
      `http://evil.example:${port}`,
      "http://localhost:1",
      `https://localhost:${port}`,
      `http://127.0.0.1.evil.example:${port}`,
      "null",
      "file://",
    ]) {
      const answer = await post(hello("2025-06-18"), { origin });
      expect([origin, ...outcome(answer)]).toEqual([origin, 403, "AUTH_ORIGIN_FORBIDDEN"]);
      for (const method of ["GET", "DELETE"]) {
        expect((await fetch(server.mcpUrl, { method, headers: { origin } })).status).toBe(403);
      }
    }
    for (const origin of [server.apiUrl, `http://localhost:${port}`, `http://[::1]:${port}`]) {
      expect([origin, (await post(hello("2025-06-18"), { origin })).status]).toEqual([origin, 200]);
    }
  });

  it("there is no stream to GET and no session to DELETE", async () => {
    const got = await fetch(server.mcpUrl, { headers: { accept: "text/event-stream" } });
    expect([got.status, got.headers.get("allow")]).toEqual([405, "POST, DELETE"]);
    expect((await got.json()) as object).toMatchObject({ error: { code: -32_000 } });
    expect((await fetch(server.mcpUrl, { method: "DELETE" })).status).toBe(200);
  });
});

describe("broken messages are refused as the specification says", () => {
  it.each<[string, unknown, number, number]>([
    ["no JSON", "{", 400, -32_700],
    ["nothing", "", 400, -32_700],
    ["half a text", '{"jsonrpc":"2.0","id":1,"method":"pi', 400, -32_700],
    ["a batch", [legacy("ping"), legacy("ping")], 400, -32_600],
    ["an empty batch", [], 400, -32_600],
    ["no JSON-RPC", { id: 1, method: "ping" }, 400, -32_600],
    ["a text", '"ping"', 400, -32_600],
    ["a well without bottom", `{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, 400, -32_600],
  ])("%s", async (_what, body, status, code) => {
    expect(outcome(await post(body))).toEqual([status, code]);
  });

  it("headers that say otherwise than the body", async () => {
    const call = message("tools/call", { name: "list_regions", arguments: {} });
    const right: Record<string, string> = headersFor("tools/call", "list_regions");
    expect((await post(call, right)).body.result.isError).toBeFalsy();
    const wrong: Record<string, string>[] = [
      { ...right, "mcp-name": "init_app" },
      { ...right, "mcp-name": `=?base64?${btoa("init_app")}?=` },
      { ...right, "mcp-method": "tools/list" },
      { ...right, "mcp-protocol-version": "2025-11-25" },
      headersFor("tools/call"),
      { "mcp-method": "tools/call", "mcp-name": "list_regions" },
      { "mcp-protocol-version": VERSION, "mcp-name": "list_regions" },
    ];
    for (const headers of wrong)
      expect([headers, ...outcome(await post(call, headers))]).toEqual([headers, 400, -32_020]);
  });

  it("versions and methods it does not have", async () => {
    const future = "2027-01-01";
    const answer = await post(message("tools/list", {}, future), headersFor("tools/list", undefined, future));
    expect(outcome(answer)).toEqual([400, -32_022]);
    expect(answer.body.error.data).toEqual({ supported: [VERSION], requested: future });
    for (const method of ["ping", "initialize", "resources/list", "logging/setLevel", "made/up"]) {
      expect([method, ...outcome(await post(message(method), headersFor(method)))]).toEqual([
        method,
        404,
        -32_601,
      ]);
    }
    const old = await post(legacy("resources/list"));
    expect([old.status, old.text.includes('"code":-32601')]).toEqual([200, true]);
    expect((await post(legacy("tools/list"), { "mcp-protocol-version": "1999-01-01" })).status).toBe(400);
  });

  it("other content types and bodies without bound", async () => {
    expect((await post("a=1", { "content-type": "text/plain" })).status).toBe(415);
    const large = JSON.stringify(legacy("ping", { pad: "x".repeat(11 * 1024 * 1024) }));
    // The server answers before it has read everything; whether the answer or the cut is seen first is up to the network.
    const refused = await post(large).catch(() => null);
    expect(refused?.status ?? 413).toBe(413);
    expect((await post(legacy("ping"))).status).toBe(200);
  });

  it("stays silent on notifications", async () => {
    const answer = await post({ jsonrpc: "2.0", method: "notifications/initialized" });
    expect([answer.status, answer.text]).toEqual([202, ""]);
  });
});

describe.each(ERAS)("calls that break a tool's schema (%s)", (era) => {
  it.each<[string, string, Record<string, unknown>, RegExp]>([
    ["an unknown tool", "drop_everything", {}, /Unknown tool/],
    ["a tool that is JavaScript's", "constructor", {}, /Unknown tool/],
    ["an unknown argument", "list_regions", { region: "x" }, /unknown argument "region"/],
    [
      "an unknown argument of an action",
      "manage_app",
      { action: "list", app: "x" },
      /unknown argument "app"/,
    ],
    ["a missing argument", "insert_row", { app_id: "x", table: "t" }, /data is missing/],
    ["no action", "manage_app", {}, /action is missing. Actions: /],
    ["an unknown action", "manage_app", { action: "move" }, /unknown action "move"/],
    ["an action that is JavaScript's", "manage_app", { action: "toString" }, /unknown action/],
  ])("%s is -32602", async (_what, name, args, said) => {
    const client = await connectEra(server.mcpUrl, server.agentKey, era);
    const error = await client.callTool({ name, arguments: args }).then(
      (result) => result,
      (problem: ProtocolError) => problem,
    );
    expect(error).toMatchObject({ code: -32_602, message: expect.stringMatching(said) });
    await client.close();
  });

  it("what one action alone requires is told as a result, with the field", async () => {
    const client = await connectEra(server.mcpUrl, server.agentKey, era);
    const { error } = await ask(client, "manage_schema", { app_id: "app_x", action: "apply" });
    expect(error).toMatchObject({
      code: "VALIDATION_MISSING_FIELD",
      details: { field: "schema", action: "apply" },
    });
    await client.close();
  });

  it("what the operation refuses is a result with code, message and remediation, and nothing else", async () => {
    const client = await connectEra(server.mcpUrl, server.agentKey, era);
    const refused: [string, Record<string, unknown>, string][] = [
      ["manage_schema", { app_id: "app_none", action: "get" }, "RESOURCE_NOT_FOUND"],
      ["select_rows", { app_id: "app_none", table: "t" }, "RESOURCE_NOT_FOUND"],
      ["init_app", { name: "!!" }, "VALIDATION_INVALID_SCHEMA"],
      ["init_app", { name: "a\u0000b" }, "VALIDATION_INVALID_SCHEMA"],
      ["manage_app", { action: "pause", app_id: 7, paused: true }, "VALIDATION_INVALID_SCHEMA"],
    ];
    for (const [name, args, code] of refused) {
      const { error, structured, text } = await ask(client, name, args);
      expect([name, error?.code]).toEqual([name, code]);
      expect(error).toMatchObject({ message: expect.any(String), remediation: expect.any(String) });
      expect(structured).toBeUndefined();
      expect(text).toBe(JSON.stringify(JSON.parse(text), null, 2));
    }
    await client.close();
  });
});

describe("over standard input and output", () => {
  const BIN = new URL("../../packages/cli/bin/ambit.js", import.meta.url).pathname;
  const connect = async (mode: string, args: string[] = []) => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [BIN, "mcp", ...args],
      env: { PATH: process.env.PATH ?? "", AMBIT_DATA_DIR: server.dataDir },
      stderr: "pipe",
    });
    const client = new Client({ name: "suite", version: "1" }, { versionNegotiation: { mode } } as never);
    await client.connect(transport);
    return client;
  };

  it.each(["legacy", "auto"])("the same tools do the same, with the agent's key (%s)", async (mode) => {
    const [client, http] = [await connect(mode), await connectEra(server.mcpUrl, server.agentKey, "legacy")];
    expect((await client.listTools()).tools).toEqual((await http.listTools()).tools);
    const { app_id } = await run(client, "init_app", { name: `by-stdio-${mode}` });
    await run(client, "manage_schema", {
      app_id,
      action: "apply",
      schema: { tables: { notes: { columns: { id: { type: "int", primaryKey: true } } } } },
    });
    expect(await run(client, "insert_row", { app_id, table: "notes", data: { id: 1 } })).toEqual({ id: 1 });
    expect((await run(http, "select_rows", { app_id, table: "notes" })).rows).toEqual([{ id: 1 }]);
    expect((await ask(client, "manage_organizations", { action: "create", name: "x" })).error?.code).toBe(
      "AUTH_PERSON_REQUIRED",
    );
    await Promise.all([client.close(), http.close()]);
  });

  it("nothing but messages is on standard output, and the process ends with its input", async () => {
    const child = spawn(process.execPath, [BIN, "mcp"], {
      env: { PATH: process.env.PATH, AMBIT_DATA_DIR: server.dataDir },
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.stdin.write(
      `${JSON.stringify(hello("2025-06-18"))}\nnot JSON\n${JSON.stringify({ ...legacy("tools/list"), id: "b" })}\n`,
    );
    const deadline = Date.now() + 10_000;
    while (output.split("\n").length < 3 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.stdin.end();
    expect(await ended).toBe(0);
    const lines = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.every(({ jsonrpc }) => jsonrpc === "2.0")).toBe(true);
    expect(lines.filter(({ result }) => result !== undefined)).toHaveLength(2);
  });
});

describe("calls that take long", () => {
  /** Locks the row, then counts for minutes. */
  const SLOW =
    "with held as (update t set n = n + 1 where id = 1 returning 1) " +
    "select count(*) from held, generate_series(1, 100000) a, generate_series(1, 100000) b where a + b > 3";

  async function slowApp() {
    const app_id = await newApp(apiAs(server.apiUrl, server.apiKey));
    const client = await connectEra(server.mcpUrl, server.agentKey, VERSION);
    const columns = { id: { type: "int", primaryKey: true }, n: { type: "int" } };
    await run(client, "manage_schema", { app_id, action: "apply", schema: { tables: { t: { columns } } } });
    await run(client, "insert_row", { app_id, table: "t", data: { id: 1, n: 0 } });
    return { app_id, client };
  }

  it("are given up when their client goes away, and what they did is undone", async () => {
    const { app_id, client } = await slowApp();
    // At once, while the server makes itself a connection, and while the statement runs.
    for (const afterMs of [0, 5, 10, 20, 500]) {
      const controller = new AbortController();
      const slow = client.callTool(
        { name: "run_sql", arguments: { app_id, sql: SLOW } },
        { signal: controller.signal },
      );
      setTimeout(() => controller.abort(), afterMs);
      await expect(slow).rejects.toThrow();
      const started = performance.now();
      // Would wait for the lock as long as the other statement runs.
      await run(client, "update_rows", { app_id, table: "t", filters: { id: 1 }, data: { n: 10 } });
      expect([afterMs, performance.now() - started < 5_000]).toEqual([afterMs, true]);
    }
    expect((await run(client, "select_rows", { app_id, table: "t" })).rows).toEqual([{ id: 1, n: 10 }]);
    expect(server.output()).not.toMatch(/unexpected error/);
    await client.close();
  });

  it("end at their time limit, with an error that says so", async () => {
    const { app_id, client } = await slowApp();
    const { error } = await ask(client, "run_sql", { app_id, sql: SLOW });
    expect(error).toMatchObject({ code: "REQUEST_TIMEOUT", message: expect.stringContaining("10 seconds") });
    expect((await run(client, "select_rows", { app_id, table: "t" })).rows).toEqual([{ id: 1, n: 0 }]);
    await client.close();
  });
});
