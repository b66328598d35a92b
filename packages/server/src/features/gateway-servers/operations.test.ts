import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import type { Caller } from "../../testing/caller.ts";
import { builtinIdOf } from "./builtin.ts";
import { limits } from "./limits.ts";
import { startMcpServer, type TestMcpServer, tool } from "./testing/mcp-server.ts";
import { type Node, openStand, type Stand } from "./testing/stand.ts";

let stand: Stand;
let node: Node;
let upstream: TestMcpServer;
let organizationId: string;
let caller: Caller;
const SECRET = "Bearer upstream-secret-value";
const AGENT = { keyKind: "agent" } as const;

interface Added {
  readonly server_id: string;
  readonly proxy_url: string;
}

beforeAll(async () => {
  stand = await openStand();
  upstream = await startMcpServer(tool("read_note"), tool("delete_note"));
  node = stand.node({ allowPrivateFetch: [upstream.host], stdioAllow: ["node"] });
});
afterAll(async () => {
  await stand.stop();
  await upstream.close();
});
beforeEach(async () => {
  organizationId = await stand.organization();
  caller = node.caller(organizationId);
});
const add = (over: Record<string, unknown> = {}, key = {}) =>
  caller.call<Added>(
    "gateway.add_server",
    { name: "notes", transport: "http", url: upstream.url, ...over },
    key,
  );

describe("servers", () => {
  it("are registered, listed, changed and deleted", async () => {
    const added = await add();
    expect(added).toEqual({
      ...{ server_id: added.server_id, name: "notes", transport: "http" },
      proxy_url: `http://127.0.0.1:4000/mcp/${added.server_id}/`,
    });
    const { servers } = await caller.call<{ servers: object[] }>("gateway.list_servers");
    expect(servers).toMatchObject([
      { server_id: builtinIdOf(organizationId), name: "ambit", transport: "builtin" },
      { server_id: builtinIdOf(organizationId, "verbs"), name: "ambit-verbs", transport: "builtin" },
      { server_id: added.server_id, name: "notes", url: upstream.url, looked_at: null, tools_to_review: 0 },
    ]);
    const changed = { server_id: added.server_id, name: "other", capture_values: true };
    expect(await caller.call("gateway.update_server", changed)).toMatchObject({
      ...{ name: "other", url: upstream.url, capture_values: true, header_names: [] },
    });
    expect(await node.service.find(added.server_id)).toMatchObject({ name: "other", capturesValues: true });
    await caller.call("gateway.delete_server", { server_id: added.server_id });
    expect(await node.service.find(added.server_id)).toBeNull();
    await expect(caller.call("gateway.get_server", { server_id: added.server_id })).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
    expect(
      caller.audited.map(({ eventType, action, resourceId }) => [eventType, action, resourceId]),
    ).toEqual([
      ["gateway.add_server", "create", "notes"],
      ["gateway.update_server", "update", added.server_id],
      ["gateway.delete_server", "delete", added.server_id],
    ]);
  });

  it("keep credentials sealed: they reach the server, and are rotated online, and appear nowhere", async () => {
    const { server_id } = await add({ headers: { Authorization: SECRET, "X-Team": "team-secret" } });
    await caller.call("gateway.scan_server", { server_id });
    expect(upstream.requests.at(-1)).toMatchObject({ authorization: SECRET, "x-team": "team-secret" });
    const warm = await node.service.upstream((await node.service.find(server_id))!);
    const rotated = "Bearer rotated-secret-value";
    await caller.call("gateway.update_server", { server_id, headers: { Authorization: rotated } });
    await caller.call("gateway.scan_server", { server_id });
    expect(upstream.requests.at(-1)).toMatchObject({ authorization: rotated });
    expect(upstream.requests.at(-1)).not.toHaveProperty("x-team");
    expect(await node.service.upstream((await node.service.find(server_id))!)).toBe(warm);
    const shown = await caller.call<object>("gateway.get_server", { server_id });
    expect(shown).toMatchObject({ header_names: ["authorization"], connection: { reachable: true } });
    const everything = JSON.stringify([
      shown,
      await caller.call("gateway.list_servers"),
      caller.audited,
      await stand.test.platform.database.query("select * from ambit.gateway_servers"),
      await stand.entries(organizationId),
    ]);
    for (const secret of ["secret-value", "team-secret"]) expect(everything).not.toContain(secret);
    await caller.call("gateway.update_server", { server_id, headers: {} });
    await caller.call("gateway.scan_server", { server_id });
    expect(upstream.requests.at(-1)).not.toHaveProperty("authorization");
  });

  it.each([
    ["http://127.0.0.1:1/mcp", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://169.254.169.254/latest/meta-data", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://[::1]:9/", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://[::ffff:10.0.0.1]/", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://localhost:9/", "EXTERNAL_ADDRESS_REFUSED"],
    ["https://user:pass@93.184.216.34/", "EXTERNAL_ADDRESS_REFUSED"],
    ["file:///etc/passwd", "VALIDATION_INVALID_SCHEMA"],
    ["https://93.184.216.34/#x", "GATEWAY_SERVER_FIELDS"],
  ])("refuse the URL %s, new or changed", async (url, code) => {
    await expect(add({ url })).rejects.toMatchObject({ code });
    const { server_id } = await add();
    await expect(caller.call("gateway.update_server", { server_id, url })).rejects.toMatchObject({ code });
    expect(await caller.call("gateway.get_server", { server_id })).toMatchObject({ url: upstream.url });
  });

  it("leave programs, credentials and where they lead to persons; the rest to who administers", async () => {
    const person = { code: "AUTH_PERSON_REQUIRED" };
    const { server_id } = await add({}, AGENT);
    await caller.call("gateway.update_server", { server_id, name: "renamed" }, AGENT);
    await expect(add({ name: "b", headers: { a: "b" } }, AGENT)).rejects.toMatchObject(person);
    const stdio = { name: "b", transport: "stdio", url: undefined, command: "node" };
    await expect(add(stdio, AGENT)).rejects.toMatchObject(person);
    for (const change of [{ headers: { a: "b" } }, { headers: {} }, { url: upstream.url }]) {
      await expect(
        caller.call("gateway.update_server", { server_id, ...change }, AGENT),
      ).rejects.toMatchObject(person);
    }
    const { server_id: program } = await add(stdio);
    for (const change of [{ name: "c" }, { args: ["x"] }, { env: { A: "b" } }, { command: "node" }]) {
      await expect(
        caller.call("gateway.update_server", { server_id: program, ...change }, AGENT),
      ).rejects.toMatchObject(person);
    }
    await expect(caller.call("gateway.delete_server", { server_id }, AGENT)).rejects.toMatchObject(person);
    const tools = [{ name: "read_note", hash: "0".repeat(64) }];
    await expect(caller.call("gateway.approve_tools", { server_id, tools }, AGENT)).rejects.toMatchObject(
      person,
    );
    const grant = { ...AGENT, grant: { label: "ci" } };
    await expect(caller.call("gateway.delete_server", { server_id }, grant)).rejects.toMatchObject(person);
  });

  it("follow the roles", async () => {
    const { server_id } = await add();
    const refused = { code: "AUTH_INSUFFICIENT_PERMISSIONS" };
    for (const role of ["viewer", "developer", "policy_manager"] as const) {
      await caller.call("gateway.list_servers", {}, { role });
      await caller.call("gateway.list_tool_changes", { server_id }, { role });
      await expect(add({ name: "x" }, { role })).rejects.toMatchObject(refused);
      await expect(
        caller.call("gateway.update_server", { server_id, name: "x" }, { role }),
      ).rejects.toMatchObject(refused);
      await expect(caller.call("gateway.delete_server", { server_id }, { role })).rejects.toMatchObject(
        refused,
      );
      const scan = caller.call("gateway.scan_server", { server_id }, { role });
      if (role === "policy_manager") await scan;
      else await expect(scan).rejects.toMatchObject(refused);
    }
    await expect(
      caller.call("gateway.list_servers", {}, { scopes: ["app:app_x", "substrate"] }),
    ).rejects.toMatchObject(refused);
  });

  it("are nobody else's: another organisation's id is like none", async () => {
    const { server_id } = await add();
    const other = node.caller(await stand.organization());
    const tools = [{ name: "read_note", hash: "0".repeat(64) }];
    const asks: [string, object][] = [
      ["gateway.get_server", {}],
      ["gateway.update_server", { name: "mine" }],
      ["gateway.delete_server", {}],
      ["gateway.scan_server", {}],
      ["gateway.list_tool_changes", {}],
      ["gateway.approve_tools", { tools }],
    ];
    const nowhere = [
      server_id,
      server_id.toUpperCase(),
      builtinIdOf(organizationId),
      builtinIdOf(organizationId, "verbs"),
      newUuid(),
      "notes",
      "",
      "../x",
    ];
    for (const [name, input] of asks) {
      for (const id of nowhere) {
        await expect(other.call(name, { ...input, server_id: id })).rejects.toMatchObject({
          code: "RESOURCE_NOT_FOUND",
        });
      }
    }
    expect((await other.call<{ servers: object[] }>("gateway.list_servers")).servers).toHaveLength(2);
    expect(await caller.call("gateway.get_server", { server_id })).toMatchObject({ name: "notes" });
  });

  it("have names of their own in an organisation, also when registered at once; `ambit` is the built-in's", async () => {
    const both = await Promise.allSettled([add(), add()]);
    expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(both.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "RESOURCE_ALREADY_EXISTS" },
    });
    const { server_id } = await add({ name: "second" });
    const taken = { code: "RESOURCE_ALREADY_EXISTS" };
    await expect(caller.call("gateway.update_server", { server_id, name: "notes" })).rejects.toMatchObject(
      taken,
    );
    await expect(add({ name: "ambit" })).rejects.toMatchObject(taken);
    await node.caller(await stand.organization()).call("gateway.add_server", {
      ...{ name: "notes", transport: "http", url: upstream.url },
    });
  });

  it("are limited in number, also when registered at the same time", async () => {
    await stand.test.platform.database.query(
      `insert into ambit.gateway_servers (id, organization_id, name, transport, url, created_at, updated_at)
       select gen_random_uuid(), $1, 's' || n, 'http', 'http://x.example/', now(), now() from generate_series(1, $2) n`,
      [organizationId, limits.servers - 1],
    );
    const last = await Promise.allSettled([1, 2, 3].map((n) => add({ name: `last ${n}` })));
    expect(last.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(last.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "QUOTA_GATEWAY_SERVERS" },
    });
    expect(await node.metrics.registry.getSingleMetricAsString("ambit_limit_hit_total")).toContain(
      'limit="gateway_servers"} 2',
    );
  });
});

describe("the built-in server", () => {
  it("is there for every organisation, made once, and can be named", async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => node.service.builtin(organizationId)));
    expect(new Set(made.map(({ id }) => id))).toEqual(new Set([builtinIdOf(organizationId)]));
    expect(await caller.call("gateway.get_server", { server_id: "ambit" })).toMatchObject({
      ...{ server_id: builtinIdOf(organizationId), name: "ambit", transport: "builtin", connection: null },
    });
    expect(
      await caller.call("gateway.add_server", { name: "our tools", transport: "builtin" }),
    ).toMatchObject({
      ...{ server_id: builtinIdOf(organizationId), name: "our tools", transport: "builtin" },
    });
    expect((await caller.call<{ servers: object[] }>("gateway.list_servers")).servers).toHaveLength(2);
    const verbs = await node.service.named(organizationId, "ambit-verbs");
    expect(verbs).toMatchObject({ id: builtinIdOf(organizationId, "verbs"), face: "verbs" });
    expect(await node.service.tools(verbs)).not.toEqual(
      await node.service.tools(await node.service.builtin(organizationId)),
    );
    const taken = caller.call("gateway.add_server", {
      name: "ambit-verbs",
      transport: "http",
      url: upstream.url,
    });
    await expect(taken).rejects.toMatchObject({ code: "RESOURCE_ALREADY_EXISTS" });
    await expect(node.service.builtin(newUuid())).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
  });

  it("has no credentials, no connection, and stays", async () => {
    for (const given of [
      { headers: { a: "b" } },
      { url: upstream.url },
      { env: { A: "b" } },
      { command: "node" },
    ]) {
      await expect(
        caller.call("gateway.update_server", { server_id: "ambit", ...given }),
      ).rejects.toMatchObject({ code: "GATEWAY_SERVER_FIELDS" });
    }
    await expect(caller.call("gateway.delete_server", { server_id: "ambit" })).rejects.toMatchObject({
      code: "GATEWAY_BUILTIN_FIXED",
    });
    const builtin = await node.service.builtin(organizationId);
    await expect(node.service.upstream(builtin)).rejects.toThrow();
    expect(await node.service.toolState(builtin, "select_rows")).toBe("approved");
    expect(node.service.peekToolState(builtin, "select_rows")).toBe("approved");
    expect((await node.service.observe(builtin, [{ name: "x" }])).size).toBe(0);
    expect((await node.service.tools(builtin)).map(({ name }) => name)).toEqual(["select_rows"]);
    expect(await caller.call("gateway.scan_server", { server_id: "ambit" })).toMatchObject({
      tools: [{ name: "select_rows", class: "read", risk: "low", state: "approved" }],
      suggested_policy: { version: "1", default: "deny", tools: { select_rows: {} } },
      changes: [],
    });
    expect(await stand.entries(organizationId)).toEqual([]);
  });
});
