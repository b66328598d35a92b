import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tablesWith } from "../ledger/secrets.ts";
import { ask, connectEra } from "../mcp/connect.ts";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { addServer, installed } from "../support/gateway.ts";
import type { Caller } from "../support/substrate.ts";
import { call, decisions } from "./stand/calls.ts";
import { argumentsOf, type Ids, NOBODYS, pathOf, type Route, routesFor } from "./stand/routes.ts";
import { allowing, type Grant, startWorld, type World } from "./stand/world.ts";

let world: World;
let grant: Grant;
let ids: Ids;

beforeAll(async () => {
  world = await startWorld({ nodes: 2 });
  grant = await world.grant(allowing({}));
  const { server_id, grant_id } = grant;
  ids = { server_id, grant_id, policy_id: grant.policy_id!, url: world.upstream.url };
});
afterAll(() => world?.close());

const owner = () => world.staff.owner.api;
const url = () => world.urls()[0]!;
const send = (api: Api, route: Route, on: Ids) => api(route.method, pathOf(route, on), route.body);
const named = ({ method, path }: Route) => `${method} ${path}`;
const codeOf = (answer: { body: any }) => answer.body?.error?.code;

const RIGHTS: Record<Caller["role"], readonly Route["right"][]> = {
  viewer: ["view"],
  developer: ["view"],
  policy_manager: ["view", "policy"],
  admin: ["view", "policy", "administer"],
  owner: ["view", "policy", "administer"],
};
const may = ({ role, human, app }: Caller, { right, person }: Route): boolean =>
  app === null && (human || !person) && RIGHTS[role].includes(right);

/** Everything there is, as the owner sees it, but for when grants were used last. */
const everything = async () => {
  const parts = [];
  for (const path of ["servers", "policies", "grants"]) {
    parts.push(must(await owner()("GET", `/v1/gateway/${path}`)));
  }
  return JSON.stringify(parts).replaceAll(/"last_used_at":("[^"]*"|null)/g, "");
};

async function everyone(): Promise<Caller[]> {
  const { staff } = world;
  const agentOf = async (of: Caller, more: object): Promise<Caller> => {
    const { key, id } = must(await of.api("POST", "/api-keys", { name: "agent", kind: "agent", ...more }));
    return { ...of, name: `agent of ${of.role}`, key, keyId: id, human: false, api: apiAs(url(), key) };
  };
  const { owner: boss, admin, manager, developer, viewer, appKey } = staff;
  const agents = await Promise.all(
    [boss, admin, manager, developer].map((of) => agentOf(of, { scope: "app" })),
  );
  return [boss, admin, manager, developer, viewer, ...agents, appKey];
}

it("this suite knows every route of the gateway", async () => {
  const { paths } = must(await owner()("GET", "/openapi.json"));
  const documented = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const known = routesFor(ids).map(({ method, path }) => `${method} /v1/gateway/${path}`);
  expect([...known, "GET /v1/gateway/oauth/callback"].sort()).toEqual(
    documented.filter((route) => route.includes(" /v1/gateway")).sort(),
  );
});

describe("every operation, by every kind of key", () => {
  it("refuses whoever may not, with nothing changed; and nobody else", async () => {
    const before = await everything();
    const routes = routesFor(ids);
    for (const caller of await everyone()) {
      for (const route of routes) {
        const allowed = may(caller, route);
        const on = allowed ? NOBODYS : ids;
        const answer = await send(caller.api, allowed ? { ...route, body: route.body && {} } : route, on);
        const what = `${caller.name}: ${named(route)} → ${answer.status} ${codeOf(answer)}`;
        if (!allowed) expect(answer.status, what).toBe(403);
        else expect([200, 201, 400, 404], what).toContain(answer.status);
        if (!allowed && route.person && !caller.human)
          expect(codeOf(answer), what).toBe("AUTH_PERSON_REQUIRED");
      }
    }
    expect(await everything()).toBe(before);
  });

  it("over MCP as over HTTP", async () => {
    const before = await everything();
    const { owner: boss, viewer, agents } = world.staff;
    for (const caller of [viewer, agents[0]!, boss]) {
      const client = await connectEra(`${url()}/mcp`, caller.key, "2026-07-28");
      for (const route of routesFor(ids)) {
        const allowed = may(caller, route);
        if (allowed && caller === boss && route.right !== "view") continue;
        const on = allowed && route.right !== "view" ? NOBODYS : ids;
        const { error } = await ask(client, "manage_gateway", argumentsOf(route, on));
        const what = `${caller.name}: ${route.action} → ${error?.code}`;
        const refusals = ["AUTH_PERSON_REQUIRED", "AUTH_INSUFFICIENT_PERMISSIONS"];
        if (allowed) expect(refusals, what).not.toContain(error?.code);
        else expect(refusals, what).toContain(error?.code);
      }
      await client.close();
    }
    // An agent of the owner's may register a server; that is what it did.
    const { servers } = must(await owner()("GET", "/v1/gateway/servers"));
    const intruder = servers.find(({ name }: any) => name === "intruder");
    if (intruder) must(await owner()("DELETE", `/v1/gateway/servers/${intruder.server_id}`));
    expect(await everything()).toBe(before);
  });

  it("a key that only reads changes nothing", async () => {
    const { key } = must(
      await owner()("POST", "/api-keys", { name: "reader", kind: "person", read_only: true }),
    );
    for (const route of routesFor(ids)) {
      const answer = await send(apiAs(url(), key), route, ids);
      expect([named(route), answer.status === 403]).toEqual([named(route), route.right !== "view"]);
    }
  });

  it("what only people may: programs, credentials, where a server leads", async () => {
    const agent = world.staff.agents[0]!.api;
    const { command, args } = installed("server-memory");
    const servers = "/v1/gateway/servers";
    const path = `${servers}/${ids.server_id}`;
    const link = { transport: "http", url: ids.url };
    for (const [method, at, body] of [
      ["POST", servers, { name: "p", transport: "stdio", command, args }],
      ["POST", servers, { name: "p", ...link, headers: { "x-key": "v" } }],
      ["PATCH", path, { headers: {} }],
      ["PATCH", path, { headers: { "x-key": "v" } }],
      ["PATCH", path, { url: `${ids.url}/other` }],
    ] as const) {
      const answer = await agent(method, at, body);
      expect([JSON.stringify(body), codeOf(answer)]).toEqual([JSON.stringify(body), "AUTH_PERSON_REQUIRED"]);
    }
    const { server_id } = must(await agent("POST", servers, { name: "by an agent", ...link }));
    must(await agent("PATCH", `${servers}/${server_id}`, { name: "renamed by an agent" }));
    must(await owner()("DELETE", `${servers}/${server_id}`));
  });

  it("a policy manager attaches policies, and neither names nor prolongs grants", async () => {
    const { manager } = world.staff;
    const path = `/v1/gateway/grants/${ids.grant_id}`;
    for (const body of [{ label: "mine" }, { expires_at: null }, { policy_id: null, label: "mine" }]) {
      expect((await manager.api("PATCH", path, body)).status).toBe(403);
    }
    must(await manager.api("PATCH", path, { policy_id: null }));
    must(await manager.api("PUT", `${path}/policy`, { policy_id: ids.policy_id }));
    expect(must(await owner()("GET", path)).policy_id).toBe(ids.policy_id);
  });
});

describe("another organisation", () => {
  it("gets 404 for everything that is named, also in bodies, and sees nothing in lists", async () => {
    const stranger = world.nodes.owner;
    const before = await everything();
    for (const route of routesFor(ids)) {
      if (!/\{|validate|simulate|replay/.test(route.path)) continue;
      const answer = await send(stranger, route, ids);
      expect([named(route), answer.status]).toEqual([named(route), 404]);
      expect(answer.body.error.code).toBe("RESOURCE_NOT_FOUND");
    }
    const mine = must(
      await stranger("POST", "/v1/gateway/servers", { name: "mine", transport: "http", url: ids.url }),
    );
    const grants = `/v1/gateway/servers/${mine.server_id}/grants`;
    expect((await stranger("POST", grants, { label: "x", policy_id: ids.policy_id })).status).toBe(404);
    const own = must(await stranger("POST", grants, { label: "x" }));
    const attach = `/v1/gateway/grants/${own.grant_id}/policy`;
    expect((await stranger("PUT", attach, { policy_id: ids.policy_id })).status).toBe(404);
    for (const list of ["servers", "policies", "grants", "decisions"]) {
      const text = JSON.stringify(must(await stranger("GET", `/v1/gateway/${list}`)));
      for (const id of [ids.server_id, ids.policy_id, ids.grant_id]) expect(text).not.toContain(id);
    }
    for (const query of [`server_id=${ids.server_id}`, `grant_id=${ids.grant_id}`]) {
      expect(await decisions(stranger, `&${query}`)).toEqual([]);
    }
    expect(await everything()).toBe(before);
    const told = await call({ ...world.at(grant), token: own.token }, "echo");
    expect(told.status, "its grant opens no path of ours").toBe(401);
  });
});

describe("a token opens its own door and no other", () => {
  it("a grant's no route and not /mcp", async () => {
    const builtin = must(await owner()("GET", "/v1/gateway/servers/ambit"));
    const tokens = [grant.token, (await world.grant(allowing({}), builtin.server_id)).token];
    for (const token of tokens) {
      const api = apiAs(url(), token);
      for (const route of routesFor(ids)) {
        expect([named(route), (await send(api, route, ids)).status]).toEqual([named(route), 401]);
      }
      for (const path of [
        "/apps",
        "/api-keys",
        "/v1/approvals",
        "/v1/ledger/entries",
        "/v1/me/substrate/settings",
      ]) {
        expect([path, (await api("GET", path)).status]).toEqual([path, 401]);
      }
      const told = await call({ url: `${url()}/mcp`, token }, "manage_gateway", { action: "list_servers" });
      expect(told.status).toBe(401);
    }
    expect((await call({ ...world.at(grant), url: `${url()}/mcp/ambit/` }, "docs")).status).toBe(401);
  });

  it("a grant on Ambit's own tools is an agent that develops, and no more", async () => {
    const { server_id } = must(await owner()("GET", "/v1/gateway/servers/ambit"));
    const builtin = await world.grant(allowing({}), server_id);
    const manage = async (args: object) => {
      const told = await call(world.at(builtin), "manage_gateway", args);
      return (
        told.body.result.structuredContent?.error?.code ?? told.body.result.structuredContent ?? told.text
      );
    };
    expect(await manage({ action: "list_servers" })).toMatchObject({ servers: expect.any(Array) });
    for (const route of routesFor(ids)) {
      if (route.right === "view" && !route.person) continue;
      const told = JSON.stringify(await manage(argumentsOf(route, ids)));
      expect([route.action, told]).toEqual([
        route.action,
        expect.stringMatching(/AUTH_PERSON_REQUIRED|AUTH_INSUFFICIENT_PERMISSIONS/),
      ]);
    }
  });
});

describe("secrets", () => {
  it("of servers and grants are in no answer, log, audit, ledger, or column of the database", async () => {
    const secret = (name: string) => `zq${name}${Math.random().toString(36).slice(2)}secret`;
    const [first, second, variable] = [secret("header"), secret("header"), secret("env")];
    const { server_id } = await world.register({
      headers: { authorization: `Bearer ${first}`, "x-key": first },
    });
    const { command, args } = installed("server-memory");
    const program = await addServer(world.staff.owner.api, {
      ...{ transport: "stdio", command, args, env: { API_TOKEN: variable } },
    });
    const user = await world.grant(allowing({}), server_id);
    const headersOf = async (node: number) => {
      await call(world.at(user, node), "echo", {}, { era: "stateless" });
      return world.upstream.calls("echo").at(-1)!.headers;
    };
    expect(await headersOf(0)).toMatchObject({ authorization: `Bearer ${first}`, "x-key": first });
    const path = `/v1/gateway/servers/${server_id}`;
    must(await owner()("PATCH", path, { headers: { authorization: `Bearer ${second}` } }));
    const after = await headersOf(0);
    expect([after.authorization, after["x-key"]], "rotated online").toEqual([`Bearer ${second}`, undefined]);
    await expect
      .poll(async () => (await headersOf(1)).authorization, { timeout: 2_000 })
      .toBe(`Bearer ${second}`);
    const rotated = must(await owner()("POST", `/v1/gateway/grants/${user.grant_id}/rotate`, {}));
    must(await owner()("POST", `/v1/gateway/servers/${program.server_id}/scan`, {}));

    const secrets = [first, second, variable, user.token, rotated.token, grant.token];
    const paths = routesFor({ ...ids, server_id, grant_id: user.grant_id })
      .filter(({ method }) => method === "GET")
      .map((route) => pathOf(route, { ...ids, server_id, grant_id: user.grant_id }));
    const more = [
      ...[`/v1/gateway/servers/${program.server_id}`, "/v1/ledger/export", "/v1/ledger/entries?limit=200"],
      ...["/v1/approvals", "/metrics"],
    ];
    for (const each of [...paths, ...more]) {
      const answer = await owner()("GET", each);
      const text = JSON.stringify(answer.body);
      for (const one of secrets) expect(text.includes(one), `${each} tells ${one}`).toBe(false);
    }
    for (const { output } of [world.nodes.server, ...world.nodes.others]) {
      for (const one of secrets) expect(output()).not.toContain(one);
    }
    const database = world.nodes.database as unknown as pg.Client;
    for (const one of secrets) expect([one, await tablesWith(database, one)]).toEqual([one, []]);
  });

  it("of a client never reach the server", async () => {
    const response = await fetch(world.at(grant).url, {
      method: "POST",
      headers: {
        ...{
          authorization: `Bearer ${grant.token}`,
          cookie: "session=mine",
          "proxy-authorization": "Basic x",
        },
        ...{
          "x-forwarded-for": "203.0.113.9",
          forwarded: "for=203.0.113.9",
          "x-api-key": "mine",
          te: "trailers",
        },
        ...{ "content-type": "application/json", "user-agent": "somebody" },
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } }),
    });
    expect(response.status).toBe(200);
    const { headers } = world.upstream.calls("echo").at(-1)!;
    const sent = JSON.stringify(headers);
    for (const own of [grant.token, "session=mine", "203.0.113.9", '"mine"', "Basic x", "somebody"]) {
      expect(sent).not.toContain(own);
    }
  });
});
