import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  startMcpServer,
  type TestMcpServer,
  tool,
} from "../../packages/server/src/features/gateway-servers/testing/mcp-server.ts";
import { type Ids, pathOf, type Route, routesFor } from "../gateway/stand/routes.ts";
import { ask, connectEra } from "../mcp/connect.ts";
import { type Api, apiAs } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { addGrant, addServer, connectClient, type Issued, type Registered } from "../support/gateway.ts";
import { connectRealtime } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { openStream } from "./stream.ts";

const ALLOW = { version: "1", default: "allow" } as const;

let server: Server;
let upstream: TestMcpServer;
let owner: Api;
let appId: string;
let registered: Registered;
let other: Registered;
let grant: Issued;
let ids: Ids;

beforeAll(async () => {
  upstream = await startMcpServer(tool("read_note"));
  server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: upstream.host });
  owner = apiAs(server.apiUrl, server.apiKey);
  appId = await notesApp(owner);
  const target = { transport: "http", url: upstream.url } as const;
  [registered, other] = [await addServer(owner, target), await addServer(owner, target)];
  grant = await addGrant(owner, registered.server_id, ALLOW);
  const { policy_id } = must(await owner("GET", `/v1/gateway/grants/${grant.grant_id}`));
  ids = { server_id: registered.server_id, grant_id: grant.grant_id, policy_id, url: upstream.url };
});
afterAll(async () => {
  await discard(server);
  await upstream.close();
});

const mint = async (body: object): Promise<{ api: Api; key: string }> => {
  const { key } = must(await owner("POST", "/api-keys", { name: "test", ...body }));
  return { api: apiAs(server.apiUrl, key), key };
};
const codeOf = (answer: { body: any }) => answer.body?.error?.code;
const named = ({ method, path }: Route) => `${method} ${path}`;
const state = async () =>
  Promise.all(
    ["servers", "policies", "grants"].map(async (path) => {
      const [list] = Object.values<any[]>(must(await owner("GET", `/v1/gateway/${path}`)));
      return list!.map(({ last_used_at: _used, ...rest }) => rest);
    }),
  );

describe("keys that open something else", () => {
  it("open nothing of the gateway: the substrate, or one app", async () => {
    const before = await state();
    for (const body of [
      { scope: "substrate" },
      { scope: "substrate", kind: "person" },
      { key_scope: "app", target_app_id: appId },
      { key_scope: "app", target_app_id: appId, kind: "person" },
      { scope: "both", key_scope: "app", target_app_id: appId, kind: "person" },
    ]) {
      const { api, key } = await mint(body);
      for (const route of routesFor(ids)) {
        const answer = await api(route.method, pathOf(route, ids), route.body);
        const code =
          route.person && !("kind" in body) ? "AUTH_PERSON_REQUIRED" : "AUTH_INSUFFICIENT_PERMISSIONS";
        expect([body, named(route), answer.status, codeOf(answer)]).toEqual([body, named(route), 403, code]);
      }
      const client = await connectEra(server.mcpUrl, key, "2026-07-28");
      for (const args of [
        { action: "list_servers" },
        { action: "add_server", name: "mine", transport: "http", url: upstream.url },
        { action: "list_decisions" },
      ]) {
        const { error } = await ask(client, "manage_gateway", args);
        expect([body, args.action, error?.code]).toEqual([
          body,
          args.action,
          "AUTH_INSUFFICIENT_PERMISSIONS",
        ]);
      }
      await client.close();
    }
    expect(await state()).toEqual(before);
  });

  it("are no grants: whatever they open, no server's URL is among it", async () => {
    const keys = [server.apiKey, server.agentKey, (await mint({ scope: "substrate" })).key];
    for (const { proxy_url } of [registered, { proxy_url: `${server.apiUrl}/mcp/ambit/` }]) {
      for (const token of keys) {
        for (const era of ["session", "stateless"] as const) {
          await expect(connectClient({ proxy_url, token }, era)).rejects.toThrow(/401|[Uu]nauthorized|grant/);
        }
      }
    }
  });
});

describe("a grant's token", () => {
  const call = async ({ proxy_url }: { proxy_url: string }, era: "session" | "stateless") => {
    const client = await connectClient({ proxy_url, token: grant.token }, era);
    const answer = await client.callTool({ name: "read_note", arguments: {} });
    await client.close();
    return answer;
  };

  it("opens its server's URL", async () => {
    for (const era of ["session", "stateless"] as const)
      expect(await call(registered, era)).toMatchObject({ content: [{ text: "read_note {}" }] });
  });

  it("opens no other server's, nor Ambit's own tools, by any of their names", async () => {
    const builtin = must(await owner("GET", "/v1/gateway/servers")).servers.filter(
      ({ transport }: any) => transport === "builtin",
    );
    expect(builtin.length).toBeGreaterThan(0);
    const urls = [
      other.proxy_url,
      ...builtin.map(({ proxy_url }: any) => proxy_url),
      ...["", "/", "/ambit", "/ambit/", "?tools=verbs", "/none/"].map((end) => `${server.mcpUrl}${end}`),
    ];
    for (const proxy_url of urls) {
      for (const era of ["session", "stateless"] as const)
        await expect(call({ proxy_url }, era)).rejects.toThrow();
      for (const method of ["POST", "GET", "DELETE"]) {
        const sends = method === "POST";
        const statusFor = async (headers: Record<string, string>) => {
          const type: Record<string, string> = sends ? { "content-type": "application/json" } : {};
          const body = sends ? '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' : null;
          const signal = AbortSignal.timeout(5_000);
          return (await fetch(proxy_url, { method, headers: { ...type, ...headers }, body, signal })).status;
        };
        const status = await statusFor({ authorization: `Bearer ${grant.token}` });
        // Of its own keys' URL Ambit tells everybody that there is no stream and no session.
        if (sends) expect([proxy_url, status]).toEqual([proxy_url, expect.toBeOneOf([401, 404])]);
        else expect([proxy_url, method, status]).toEqual([proxy_url, method, await statusFor({})]);
      }
    }
  });

  it("opens no documented route: there its holder is nobody, or unknown", async () => {
    const before = await state();
    const { paths } = must(await owner("GET", "/openapi.json"));
    const [nobody, holder] = [apiAs(server.apiUrl, null), apiAs(server.apiUrl, grant.token)];
    const values: Record<string, string> = { app_id: appId, ...ids, id: "x", version: "1", table: "notes" };
    let refused = 0;
    for (const [path, methods] of Object.entries<object>(paths)) {
      const at = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? "none");
      for (const method of Object.keys(methods).map((name) => name.toUpperCase())) {
        const body = method === "GET" || method === "DELETE" ? undefined : {};
        const { status } = await holder(method, at, body);
        if (status === 401) refused += 1;
        else expect([method, path, status]).toEqual([method, path, (await nobody(method, at, body)).status]);
      }
    }
    expect(refused).toBeGreaterThan(150);
    expect(await state()).toEqual(before);
  });

  it("opens no stream: rows, the substrate, metrics", async () => {
    const socket = await connectRealtime(server.apiUrl, appId, grant.token).catch(() => null);
    expect((await socket?.waitClosed())?.code ?? 1008).toBe(1008);
    for (const credential of [{ token: grant.token }, { bearer: grant.token }, { ticket: grant.token }]) {
      expect((await (await openStream(server.apiUrl, credential)).closed).code).toBe(1008);
    }
    expect((await apiAs(server.apiUrl, grant.token)("GET", "/metrics")).status).toBe(401);
  });
});
