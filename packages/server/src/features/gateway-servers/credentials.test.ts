import { afterAll, beforeAll, expect, it } from "vitest";
import { buildCatalogue } from "../../doors/mcp/index.ts";
import { createGatewayServers } from "./index.ts";
import type { GatewayServer } from "./service.ts";
import { startMcpServer, type TestMcpServer, tool } from "./testing/mcp-server.ts";
import { openStand, type Stand } from "./testing/stand.ts";

let stand: Stand;
let upstream: TestMcpServer;
beforeAll(async () => {
  stand = await openStand();
  upstream = await startMcpServer(tool("read_note"));
});
afterAll(async () => {
  await stand.stop();
  await upstream.close();
});

it("credentials of another kind are asked for with every request, renewed on 401, and give way to static headers", async () => {
  let token = "first";
  const renewed: string[] = [];
  const credentials = {
    headersOf: async ({ name }: GatewayServer) => ({
      authorization: `Bearer ${token}`,
      "x-kind": `oauth ${name}`,
    }),
    async renew({ name }: GatewayServer) {
      renewed.push(name);
      token = "second";
      upstream.fails = null;
      return true;
    },
  };
  const node = stand.node({ allowPrivateFetch: [upstream.host] }, { credentials });
  const caller = node.caller(await stand.organization());
  const { server_id } = await caller.call<{ server_id: string }>("gateway.add_server", {
    ...{ name: "notes", transport: "http", url: upstream.url, headers: { "X-Kind": "static" } },
  });
  await caller.call("gateway.scan_server", { server_id });
  expect(upstream.requests.at(-1)).toMatchObject({ authorization: "Bearer first", "x-kind": "static" });
  upstream.fails = 401;
  await caller.call("gateway.scan_server", { server_id });
  expect(renewed).toContain("notes");
  expect(upstream.requests.at(-1)).toMatchObject({ authorization: "Bearer second" });
});

it("credentials that can't be opened any more are said to be lost, and nothing is called without them", async () => {
  const node = stand.node({ allowPrivateFetch: [upstream.host] });
  const caller = node.caller(await stand.organization());
  const { server_id } = await caller.call<{ server_id: string }>("gateway.add_server", {
    ...{ name: "notes", transport: "http", url: upstream.url, headers: { authorization: "Bearer x" } },
  });
  // As if moved over from another server: what is sealed for one can't be opened for another.
  await stand.test.platform.database.query(
    `update ambit.gateway_servers set revision = revision + 1,
       sealed_secrets = (select s.sealed_secrets from ambit.gateway_servers s
         where s.id <> $1 and s.sealed_secrets is not null limit 1) where id = $1`,
    [server_id],
  );
  const asked = upstream.requests.length;
  await expect(caller.call("gateway.scan_server", { server_id })).rejects.toMatchObject({
    code: "GATEWAY_SECRETS_LOST",
  });
  expect(upstream.requests.length).toBe(asked);
  await caller.call("gateway.update_server", { server_id, headers: { authorization: "Bearer y" } });
  await caller.call("gateway.scan_server", { server_id });
  expect(upstream.requests.at(-1)).toMatchObject({ authorization: "Bearer y" });
});

it("all of it is the tool manage_gateway over MCP", () => {
  const { platform } = stand.test;
  const { feature } = createGatewayServers(platform, {
    ledger: { append: () => "" },
    builtinTools: () => [],
  });
  const catalogue = buildCatalogue(feature.operations, feature.tools!);
  expect([...catalogue.merged.callable.get("manage_gateway")!.forms.keys()].sort()).toEqual([
    ...["add_server", "approve_tools", "delete_server", "get_server", "list_servers", "list_tool_changes"],
    ...["scan", "update_server"],
  ]);
  expect([...catalogue.verbs.callable.keys()].every((name) => name.startsWith("gateway_"))).toBe(true);
});
