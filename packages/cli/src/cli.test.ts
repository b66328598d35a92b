import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { AGENT_KEY, PERSON_KEY, startDoor } from "../../server/src/doors/mcp/testing/door.ts";

const BIN = fileURLToPath(new URL("../bin/ambit.js", import.meta.url));
/** A Node of the machine, often older than the one Ambit brings along. */
const SYSTEM_NODE = "/usr/bin/node";

let door: Awaited<ReturnType<typeof startDoor>>;
let dataDir: string;
/** Of a port where nothing listens. */
let nowhere: string;
beforeAll(async () => {
  door = await startDoor();
  const gone = await startDoor();
  await gone.stop();
  nowhere = `${gone.url}/mcp`;
  dataDir = await mkdtemp(join(tmpdir(), "ambit-cli-"));
  const credentials = { mcp_url: `${door.url}/mcp`, api_key: PERSON_KEY, agent_key: AGENT_KEY };
  await writeFile(join(dataDir, "credentials.json"), JSON.stringify(credentials));
});
afterAll(async () => {
  await door.stop();
  await rm(dataDir, { recursive: true });
});

async function ambit(args: string[], { input = "", node = process.execPath, env = {} } = {}) {
  const child = spawn(node, [BIN, ...args], {
    env: { PATH: process.env.PATH, AMBIT_DATA_DIR: dataDir, ...env },
  });
  child.stdin.end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

describe.each(["legacy", "auto"] as const)("ambit mcp, with a client whose era is %s", (mode) => {
  it("carries messages both ways", async () => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [BIN, "mcp"],
      env: { PATH: process.env.PATH!, AMBIT_DATA_DIR: dataDir },
      stderr: "pipe",
    });
    let complaints = "";
    transport.stderr?.on("data", (chunk) => (complaints += chunk));
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
    await client.connect(transport);
    expect(client.getNegotiatedProtocolVersion()).toBe(mode === "auto" ? "2026-07-28" : "2025-11-25");
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toContain("manage_things");
    const said = await client.callTool({ name: "echo", arguments: { text: "hé\n" } });
    expect(said.structuredContent).toMatchObject({ text: "hé\n" });
    await expect(client.callTool({ name: "nothing", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await expect(client.request({ method: "resources/list" })).rejects.toMatchObject({ code: -32601 });
    const aborts = door.aborts();
    const slow = new AbortController();
    const call = client.callTool({ name: "fail", arguments: { how: "slow" } }, { signal: slow.signal });
    setTimeout(() => slow.abort(), 100);
    await expect(call).rejects.toThrow();
    await vi.waitFor(() => expect(door.aborts()).toBe(aborts + 1));
    expect((await client.callTool({ name: "echo", arguments: { text: "still here" } })).isError).toBeFalsy();
    await client.close();
    expect(complaints).toBe("");
  });
});

describe("ambit mcp that can't work", () => {
  it.each([
    [
      "no server",
      () => ({ AMBIT_MCP_URL: nowhere, AMBIT_API_KEY: "bb_sk_x" }),
      /^ambit: No Ambit answers at .*ECONNREFUSED.*\n$/,
    ],
    ["a bad key", () => ({ AMBIT_API_KEY: "bb_sk_x" }), /^ambit: The API key is unknown.*\n$/],
    ["no data directory", () => ({ AMBIT_DATA_DIR: "/nowhere" }), /^ambit: No server is known.*\n$/],
    ["no key for that server", () => ({ AMBIT_MCP_URL: nowhere }), /^ambit: No key is known for .*\n$/],
  ])("says so in one line on standard error: %s", async (_what, environment, line) => {
    const env: Record<string, string> = environment();
    const { code, stdout, stderr } = await ambit(["mcp"], { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(line);
  });

  it("ends when its input does", async () => {
    const started = performance.now();
    expect(await ambit(["mcp"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe("the other commands", () => {
  it("list tools", async () => {
    const { stdout } = await ambit(["tools"]);
    expect(stdout).toMatch(/^manage_things +can destroy +Manage Things$/m);
    expect(JSON.parse((await ambit(["tools", "--verbs", "--json"])).stdout)[0]).toMatchObject({
      name: "echo_say",
    });
  });

  it("call a tool", async () => {
    expect(await ambit(["call", "echo", '{"text":"hi"}'])).toEqual({ code: 0, stdout: "hi\n", stderr: "" });
    const piped = await ambit(["call", "echo", "-", "--json"], { input: '{"text":"hi"}' });
    expect(JSON.parse(piped.stdout)).toMatchObject({ text: "hi" });
    const refused = await ambit(["call", "manage_things", '{"app_id":"a","action":"delete"}', "--json"]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: "AUTH_PERSON_REQUIRED" } });
    const person = await ambit(["call", "manage_things", '{"app_id":"a","action":"delete"}', "--person"]);
    expect(person.code).toBe(0);
    const wrong = await ambit(["call", "echo", '{"words":1}']);
    expect(wrong).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining('unknown argument "words"'),
    });
    expect(await ambit(["call", "echo", "text"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("must be a JSON object"),
    });
  });

  it("tell the state of a server, and that there is none", async () => {
    const body = { status: "not_ready", checks: { database: "no answer" } };
    const server = createServer((_request, response) => response.writeHead(503).end(JSON.stringify(body)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    const told = await ambit(["status", "--url", url]);
    expect(told).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/is not ready\n {2}database: no answer\n$/),
    });
    expect(JSON.parse((await ambit(["status", "--url", url, "--json"])).stdout)).toEqual(body);
    server.close();
    server.closeAllConnections();
    expect(await ambit(["status", "--url", nowhere])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("No Ambit answers"),
    });
  });

  it.skipIf(!existsSync(SYSTEM_NODE))("run when an older Node starts them", async () => {
    expect(await ambit(["call", "echo", '{"text":"hi"}'], { node: SYSTEM_NODE })).toEqual({
      code: 0,
      stdout: "hi\n",
      stderr: "",
    });
  });
});
