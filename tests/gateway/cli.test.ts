import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientOptions } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { snippet } from "../../packages/cli/src/gateway-issued.ts";
import { BIN, type Ran, run, start } from "../../packages/cli/src/testing/ambit.ts";
import {
  type RunningServer,
  startEverything,
} from "../../packages/server/src/engines/upstream/http/testing/everything.ts";
import {
  startAuthority,
  type TestAuthority,
} from "../../packages/server/src/features/gateway-credentials/testing/authority.ts";
import { must } from "../support/app.ts";
import type { Nodes } from "../support/functions.ts";
import { freePort, type Issued, installed, type Registered, startGateway } from "../support/gateway.ts";

interface Config {
  readonly mcpServers: Record<string, { command: string; args: string[]; env: Record<string, string> }>;
}

let nodes: Nodes;
let everything: RunningServer;
let authority: TestAuthority;
let directory: string;
beforeAll(async () => {
  [everything, authority] = await Promise.all([startEverything("streamableHttp"), startAuthority()]);
  directory = await mkdtemp(join(tmpdir(), "ambit-gateway-cli-"));
  // The same port after a restart, as it is where people run it.
  const variables = { AMBIT_PORT: String(await freePort()) };
  const ports = [everything.port, authority.port];
  nodes = await startGateway(inject("postgres"), { ports, env: variables });
});
afterAll(async () => {
  await nodes?.close();
  await Promise.all([everything.stop(), authority.stop()]);
  await rm(directory, { recursive: true });
});

const env = (more: Record<string, string> = {}) => ({ AMBIT_DATA_DIR: nodes.server.dataDir, ...more });
const ambit = (args: string[], input = ""): Promise<Ran> => run(args, { cwd: directory, env: env(), input });
/** Runs it as a person; what goes wrong fails the test. */
async function person(args: string[], input = ""): Promise<string> {
  const told = await ambit([...args.slice(0, 2), "--person", ...args.slice(2)], input);
  expect(told.code, `${args.join(" ")}: ${told.stderr}`).toBe(0);
  return told.stdout;
}
const asJson = async (args: string[], input = "") =>
  JSON.parse(await person([...args.slice(0, 2), "--json", ...args.slice(2)], input));
const file = async (name: string, content: unknown) => {
  await writeFile(join(directory, name), JSON.stringify(content));
  return name;
};

const PROGRAM = installed("server-everything", ["stdio"]);

let made = 0;
/** A server of its own: over HTTP, or a program. */
function newServer(
  transport: "http" | "stdio",
  name = `server-${++made}`,
): Promise<Registered & { name: string }> {
  const how = transport === "http" ? { url: `http://127.0.0.1:${everything.port}/mcp` } : PROGRAM;
  return api("/v1/gateway/servers", { name, transport, ...how });
}
const api = async (path: string, body: object) => must(await nodes.owner("POST", path, body));
const POLICY = {
  version: "1",
  default: "allow",
  hide: ["get-env"],
  tools: {
    echo: {
      deny_if: [{ conditions: [{ path: "args.message", op: "eq", value: "bad" }], on_deny: "Not that." }],
      approve_if: [{ conditions: [{ path: "args.message", op: "eq", value: "ask" }] }],
    },
  },
};
/** A grant with the policy above, which is named like its label. */
async function newGrant(transport: "http" | "stdio", label = `label-${++made}`) {
  const server = await newServer(transport);
  const { server_id } = server;
  const { policy_id } = await api(`/v1/gateway/servers/${server_id}/policies`, {
    name: label,
    document: POLICY,
  });
  const issued: Issued = await api(`/v1/gateway/servers/${server_id}/grants`, { label, policy_id });
  return { server, grant: { ...issued, config: snippet(server.name, issued) as Config } };
}

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
/** A client that is configured with the snippet of a grant, as it is printed. */
async function configured(
  { mcpServers }: Config,
  options: ClientOptions = { versionNegotiation: { mode: "legacy" } },
  prepare: (client: Client) => void = () => {},
): Promise<Client> {
  const { command, args, env: variables } = Object.values(mcpServers)[0]!;
  expect([command, args[0]]).toEqual(["npx", "ambit"]);
  const client = new Client({ name: "test", version: "1" }, options);
  prepare(client);
  await client.connect(
    new StdioClientTransport({
      ...{ command: process.execPath, args: [BIN, ...args.slice(1)], stderr: "ignore" },
      env: { PATH: process.env.PATH!, ...variables },
    }),
  );
  clients.push(client);
  return client;
}
/** A person's yes to a tool that is new, with the hash that is shown for it. */
async function approveNew(server: string, tool: string): Promise<void> {
  const shown = await person(["gateway", "changes", server]);
  const pair = new RegExp(`^(${tool}=[0-9a-f]{64})  new$`, "m").exec(shown)![1]!;
  expect(shown).toContain(`"name": "${tool}"`);
  expect(await person(["gateway", "changes", server, "--approve", pair])).toBe(`approved: ${tool}\n`);
}

const echo = async (client: Client, message: string) =>
  JSON.stringify(await client.callTool({ name: "echo", arguments: { message } }));

describe("ambit gateway: servers and policies", () => {
  it("registers a server and shows its tools, and what comes next", async () => {
    const url = `http://127.0.0.1:${everything.port}/mcp`;
    const told = await person(["gateway", "add", "shown", "--url", url, "--header", "X-Key=s3cret"]);
    const id = /^shown: ([0-9a-f-]{36})$/m.exec(told)![1]!;
    expect(told).toContain(`proxy URL: ${nodes.server.apiUrl}/mcp/${id}/\n`);
    expect(told).toMatch(/^echo +\w+ +\w+ +/m);
    expect(told).toContain(`ambit policy suggest --server ${id} > policy.json`);
    expect(told).not.toContain("s3cret");
    const listed = await ambit(["gateway", "servers"]);
    expect(listed.stdout).toMatch(new RegExp(`^shown +${id} +http +http://127`, "m"));
    expect((await ambit(["gateway", "scan", "shown", "--person"])).stdout).toMatch(/^echo +/m);
    const suggested = await ambit(["policy", "suggest", "--server", "shown", "--person"]);
    expect(JSON.parse(suggested.stdout)).toMatchObject({ version: "1", default: "deny" });
    expect(suggested.stderr).toMatch(/^echo +/m);
  });

  it.each<[string[], RegExp]>([
    [
      ["gateway", "add", "x", "--", PROGRAM.command, ...PROGRAM.args],
      /This takes a person's key\. Add --person/,
    ],
    [["gateway", "grant", "ambit", "--label", "x"], /This takes a person's key\. Add --person/],
    [["gateway", "add", "x"], /Either --url <url>, or -- <command>/],
    [["gateway", "add", "x", "--url", "http://a", "--", "b"], /Either --url <url>, or -- <command>/],
    [["gateway", "add", "--url", "http://a"], /<name> is missing/],
    [["gateway", "add", "x", "--person", "--", "/bin/false"], /AMBIT_STDIO_ALLOW/],
    [["gateway", "add", "x", "--person", "--url", "http://127.0.0.1:9/mcp"], /private|address/],
    [["gateway", "scan", "nowhere"], /There is no server nowhere; there are ambit/],
    [["gateway", "grant", "ambit"], /--label <label>/],
    [["gateway", "grant", "ambit", "--label", "x", "--expire", "1h"], /There is no flag --expire\./],
    [["gateway", "grant", "ambit", "--label", "x", "--expires", "soon"], /--expires takes a duration/],
    [["gateway", "grant", "ambit", "--label", "x", "--person", "--policy", "none"], /has no policy none/],
    [["gateway", "revoke", "nobody"], /There is no grant nobody/],
    [["gateway", "logs", "--outcome", "maybe"], /--outcome takes one of allow, deny/],
    [["gateway", "logs", "--limit", "0"], /--limit takes a whole number/],
    [["approvals", "show", "../keys"], /is no approval's id/],
    [["policy", "simulate", "nothing.json", "--server", "ambit"], /nothing\.json can't be read/],
  ])("says in one line what is wrong: %j", async (args, message) => {
    const told = await ambit(args);
    expect([told.code, told.stdout]).toEqual([1, ""]);
    expect(told.stderr).toMatch(message);
    expect(told.stderr).toMatch(/^ambit: .*\n$/);
  });

  it("saves a policy and its next version, and names what is wrong with one", async () => {
    const { server_id } = await newServer("http");
    const saved = await person(["gateway", "policy", server_id, await file("first.json", POLICY)]);
    const id = /^([0-9a-f-]{36}): version 1\n$/.exec(saved)![1]!;
    const next = JSON.stringify({ ...POLICY, tools: { "no-such": {} } });
    const told = await ambit(["gateway", "policy", server_id, "-", "--policy", "first", "--person"], next);
    expect(told).toMatchObject({ code: 0, stdout: `${id}: version 2\n` });
    expect(told.stderr).toMatch(/^\/tools\/no-such: warning: /m);
    const twice = `{"version":"1","default":"deny","default":"allow","tolls":{}}`;
    const bad = await ambit(["gateway", "policy", server_id, "-", "--name", "bad", "--person"], twice);
    expect([bad.code, bad.stdout]).toEqual([1, ""]);
    expect(bad.stderr).toMatch(/^\/default: .*\n/m);
    expect(bad.stderr).toMatch(/^\/tolls: .*\n/m);
    expect(bad.stderr).toMatch(/^ambit: The policy document has 2 problems\..*\n$/m);
    const checked = await ambit(["policy", "validate", "-", "--server", server_id], next);
    expect(checked).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\/tools\/no-such: warning: /m),
    });
    expect((await ambit(["policy", "validate", "-", "--server", server_id], twice)).code).toBe(1);
  });
});

describe.each(["http", "stdio"] as const)("a grant's snippet, before a server over %s", (transport) => {
  it("works in a client that starts its servers: sessions, both ways, and what the policy says", async () => {
    const { grant, server } = await newGrant(transport);
    const options = {
      ...({ versionNegotiation: { mode: "legacy" }, capabilities: { sampling: {}, roots: {} } } as const),
    };
    let rootsAsked = 0;
    const client = await configured(grant.config, options, (made) => {
      made.setRequestHandler("roots/list", async () => {
        rootsAsked += 1;
        return { roots: [{ uri: "file:///here", name: "here" }] };
      });
      made.setRequestHandler("sampling/createMessage", async () => ({
        ...{ model: "m", role: "assistant" as const },
        content: { type: "text" as const, text: "sampled by the client" },
      }));
    });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("echo");
    expect(tools.map(({ name }) => name)).not.toContain("get-env");
    expect(await echo(client, "hé")).toContain("Echo: hé");
    const denied = await client.callTool({ name: "echo", arguments: { message: "bad" } });
    expect(denied).toMatchObject({ isError: true, _meta: { "ambit/decision": { outcome: "deny" } } });
    expect(JSON.stringify(denied.content)).toContain("Denied by policy: Not that.");
    // It is there only for clients that can sample, so nobody has seen it before.
    await approveNew(server.name, "trigger-sampling-request");
    const sampling = { name: "trigger-sampling-request", arguments: { prompt: "p", maxTokens: 5 } };
    expect(JSON.stringify(await client.callTool(sampling))).toContain("sampled by the client");
    await vi.waitFor(() => expect(rootsAsked).toBeGreaterThan(0), 5_000);
    const stop = new AbortController();
    const long = { name: "trigger-long-running-operation", arguments: { duration: 30, steps: 30 } };
    const call = client.callTool(long, { signal: stop.signal, onprogress: () => stop.abort() });
    await expect(call).rejects.toThrow();
    expect(await echo(client, "on")).toContain("Echo: on");
  });

  it("works in a client of either era", async () => {
    const { grant } = await newGrant(transport);
    const client = await configured(grant.config, { versionNegotiation: { mode: "auto" } });
    expect(await echo(client, "auto")).toContain("Echo: auto");
  });
});

describe("a grant of Ambit's own tools", () => {
  it("works without sessions, in today's era", async () => {
    const policy = { version: "1", default: "deny", tools: { manage_gateway: {} } };
    await person(["gateway", "policy", "ambit", await file("own.json", policy)]);
    const { config } = await asJson([
      "gateway",
      "grant",
      "ambit",
      "--label",
      "own",
      "--policy",
      "own",
      "--expires",
      "1h",
    ]);
    const client = await configured(config, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["manage_gateway"]);
    const listed = await client.callTool({ name: "manage_gateway", arguments: { action: "list_servers" } });
    expect(listed.isError).toBeFalsy();
  });
});

describe("ambit gateway: grants", () => {
  it("prints the token once, with what a client needs", async () => {
    const server = await newServer("http");
    const told = await person(["gateway", "grant", server.name, "--label", "laptop", "--expires", "90d"]);
    const token = /^token: +(amb_gr_\S+) /m.exec(told)![1]!;
    const config = JSON.parse(told.slice(told.indexOf("{")));
    expect(config.mcpServers[server.name]).toEqual({
      command: "npx",
      args: ["ambit", "mcp", "--url", server.proxy_url],
      env: { AMBIT_API_KEY: token },
    });
    const listed = (await ambit(["gateway", "grants", "--server", server.name])).stdout;
    expect(listed).toMatch(/^gra_\S+ +laptop +live +\S+ +no policy +never used +expires \d/);
    expect(listed).not.toContain(token);
    const { expires_at } = JSON.parse((await ambit(["gateway", "grants", "--json"])).stdout).grants[0];
    expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(89.9 * 86_400_000);
  });

  it("attaches, rotates and revokes; what a client has then ends", async () => {
    const { server, grant } = await newGrant("http", "mine");
    const client = await configured(grant.config);
    expect(await echo(client, "a")).toContain("Echo: a");
    await person([
      "gateway",
      "policy",
      server.name,
      await file("nothing.json", { version: "1", default: "deny" }),
    ]);
    expect(await person(["gateway", "attach", "mine", "nothing"])).toBe(`${grant.grant_id}: nothing\n`);
    expect(await echo(client, "a")).toContain("Denied by policy");
    await person(["gateway", "attach", "mine", "mine"]);
    expect(await echo(client, "a")).toContain("Echo: a");
    const rotated = await asJson(["gateway", "rotate", "mine"]);
    await expect(echo(client, "a")).rejects.toThrow(
      /revoked or rotated|does not take the key|GATEWAY_GRANT|grant/,
    );
    expect(await echo(await configured(rotated.config), "b")).toContain("Echo: b");
    expect(await person(["gateway", "revoke", "mine"])).toBe(`${grant.grant_id}: revoked\n`);
    const after = await run(["mcp", "--url", server.proxy_url], { env: { AMBIT_API_KEY: rotated.token } });
    expect(after).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^ambit: .*grant.*\n$/),
    });
  });
});

describe("ambit gateway logs", () => {
  it("shows decisions, the newest last, and follows what comes", async () => {
    const { grant, server } = await newGrant("http", "logged");
    const client = await configured(grant.config);
    await echo(client, "one");
    await echo(client, "bad");
    const shown = await ambit(["gateway", "logs", "--grant", "logged", "--tool", "echo"]);
    expect(shown.stderr).toBe("");
    const lines = shown.stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\d{4}-\S+Z +allow +logged +echo\(message\)/);
    expect(lines[1]).toMatch(
      / deny +logged +echo\(message\) +\/tools\/echo\/deny_if\/args\.message-eq +"Not that\."$/,
    );
    const denied = await ambit(["gateway", "logs", "--server", server.name, "--outcome", "deny", "--json"]);
    expect(JSON.parse(denied.stdout).decisions).toMatchObject([{ tool: "echo", outcome: "deny" }]);
    const last = await ambit(["gateway", "logs", "--grant", "logged", "--tool", "echo", "--limit", "1"]);
    expect(last.stdout).toBe(`${lines[1]}\n`);

    const following = start(
      ["gateway", "logs", "--grant", "logged", "--tool", "echo", "--limit", "1", "--follow", "--json"],
      { env: env() },
    );
    try {
      await vi.waitFor(() => expect(following.said.stdout).toContain('"deny"'), 10_000);
      for (const message of ["two", "bad", "three"]) await echo(client, message);
      const outcomes = () =>
        following.said.stdout
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line).outcome);
      await vi.waitFor(() => expect(outcomes()).toEqual(["deny", "allow", "deny", "allow"]), 10_000);
      await new Promise((resolve) => setTimeout(resolve, 2_200));
      expect(outcomes()).toHaveLength(4);
      expect(following.said.stderr).toBe("");
    } finally {
      following.child.kill();
      await following.ended;
    }
  });

  it("is what a policy is simulated over", async () => {
    const { grant, server } = await newGrant("http", "simulated");
    const client = await configured(grant.config);
    for (const message of ["one", "bad"]) await echo(client, message);
    const strict = await file("strict.json", { version: "1", default: "deny" });
    const told = await person(["policy", "simulate", strict, "--server", server.name, "--from", "1h"]);
    expect(told).toMatch(/^\S+: allow → deny \(default deny\)$/m);
    expect(told).toMatch(/^\d+ judged, 1 change/m);
    await file("simulated.json", POLICY);
    const calls = await file("calls.json", [
      { tool: "echo", arguments: { message: "bad" } },
      { tool: "echo", arguments: { message: "good" }, grant_id: grant.grant_id },
    ]);
    const given = await person([
      "policy",
      "simulate",
      "simulated.json",
      "--server",
      server.name,
      "--calls",
      calls,
    ]);
    expect(given.split("\n").slice(0, 2)).toEqual([
      "call 1: deny /tools/echo/deny_if/args.message-eq (Not that.)",
      "call 2: allow → allow",
    ]);
    const json = await asJson(["policy", "simulate", strict, "--server", server.name, "--calls", calls]);
    expect(json.results).toMatchObject([
      { outcome: "deny" },
      { outcome: "deny", before: { outcome: "allow" } },
    ]);
  });
});

describe("ambit approvals", () => {
  it("shows what waits, and decides", async () => {
    const { grant } = await newGrant("http", "asking");
    const client = await configured(grant.config);
    const ask = async () => {
      const held = await client.callTool({ name: "echo", arguments: { message: "ask" } });
      return (held._meta as any)["ambit/decision"].approval_id as string;
    };
    const id = await ask();
    expect((await ambit(["approvals", "--person"])).stdout).toMatch(
      new RegExp(`^${id} +.*asking.* until `, "m"),
    );
    const shown = await person(["approvals", "show", id]);
    expect(shown).toContain(`${id}: pending`);
    expect(shown).toContain('"message": "ask"');
    expect(shown).toContain(`/approve/${id}`);
    const agent = await ambit(["approvals", "approve", id]);
    expect(agent).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/takes a person's key/),
    });
    expect(await person(["approvals", "approve", id])).toBe(`${id}: approved\n`);
    expect(await echo(client, "ask")).toContain("Echo: ask");
    const { grant: other } = await newGrant("http", "asking-too");
    const second = await configured(other.config);
    const held = await second.callTool({ name: "echo", arguments: { message: "ask" } });
    const secondId = (held._meta as any)["ambit/decision"].approval_id;
    expect((await ambit(["approvals", "reject", secondId, "--person"])).stderr).toMatch(/Why not\? --reason/);
    const rejected = await person(["approvals", "reject", secondId, "--reason", "not today"]);
    expect(rejected).toBe(`${secondId}: rejected\n`);
    expect(await echo(second, "ask")).toContain("not today");
    expect((await ambit(["approvals", "list", "--status", "rejected", "--person"])).stdout).toContain(
      secondId,
    );
  });
});

describe("ambit gateway connect", () => {
  it("prints where to agree, and finishes with the code that the browser shows", async () => {
    const added = await nodes.owner("POST", "/v1/gateway/servers", {
      ...{ name: "oauth", transport: "http", url: authority.resourceUrl },
    });
    expect(added.status).toBe(201);
    const connecting = start(["gateway", "connect", "oauth", "--person"], { env: env() });
    await vi.waitFor(() => expect(connecting.said.stderr).toMatch(/The code it shows then: $/), 10_000);
    const url = /^http\S+$/m.exec(connecting.said.stderr)![0];
    const agreed = await fetch(url);
    const code = /<pre>([^<]+)<\/pre>/.exec(await agreed.text())![1]!;
    connecting.child.stdin.end(`${code}\n`);
    const told = await connecting.ended;
    expect(told).toMatchObject({ code: 0, stdout: expect.stringMatching(/^connected with http\S+, until /) });
    const none = await ambit(["gateway", "connect", "oauth", "--person"]);
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toMatch(/^ambit: There was no code\. With one: .*--code <code>\n$/m);
  });
});

describe("ambit mcp when Ambit starts again", () => {
  it("begins another session of a program, without the client's doing", async () => {
    const { grant } = await newGrant("stdio", "lasting");
    const client = await configured(grant.config);
    expect(await echo(client, "before")).toContain("Echo: before");
    await nodes.server.stop();
    await expect(echo(client, "meanwhile")).rejects.toThrow(/No Ambit answers/);
    await nodes.restart();
    expect(await echo(client, "after")).toContain("Echo: after");
  });
});
