import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, connectEra } from "../mcp/connect.ts";
import type { Found, Step } from "../mcp/step.ts";
import { mergedArgsOf } from "../mcp/step.ts";
import { STEPS } from "../mcp/steps.ts";
import { type Api, apiAs } from "../support/api.ts";
import { must, newApp, notesApp } from "../support/app.ts";
import { connectRealtime } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { execute, propose, SUBSTRATE } from "../support/substrate.ts";
import { pathOf, type Route, SHARED_ROUTES, SUBSTRATE_ROUTES } from "./routes.ts";
import { openStream } from "./stream.ts";

let server: Server;
let owner: Api;
let appId: string;

beforeAll(async () => {
  server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: "127.0.0.1:1" });
  owner = apiAs(server.apiUrl, server.apiKey);
  appId = await notesApp(owner);
  must(await owner("POST", `/v1/${appId}/notes`, { owner_id: "x", title: "a row" }));
  await execute(owner, "record_decision", { title: "The secret recipe", kind: "strategic" });
});
afterAll(() => discard(server));

interface Minted {
  readonly api: Api;
  readonly key: string;
  readonly id: string;
}
async function mint(body: object): Promise<Minted> {
  const { key, id } = must(await owner("POST", "/api-keys", { name: "test", ...body }));
  return { api: apiAs(server.apiUrl, key), key, id };
}
const codeOf = (answer: { body: any }) => answer.body?.error?.code;
const send = (api: Api, route: Route) => api(route.method, pathOf(route), route.body);
const named = ({ method, path }: Route) => `${method} ${path}`;
/** What a step would be called with where only its refusal is looked at. */
const anything = new Proxy({ appId: "" } as Found, {
  get: (_found, name) => (name === "appId" ? appId : name === "archive" ? {} : `${String(name)}_0`),
});
const askFor = (client: Client, step: Step) => ask(client, step.tool, mergedArgsOf(step, anything));

/** The tools that belong to the substrate, or that it shares with the rest. */
const OF_SUBSTRATE = new Set(["manage_substrate"]);
const SHARED = new Set(["manage_approvals", "manage_ledger"]);
/** Steps that anybody may take. */
const OPEN = new Set(["docs_read", "apps_list_regions"]);

it("this suite knows every route of the substrate, the inbox and the ledger", async () => {
  const { paths } = must(await owner("GET", "/openapi.json"));
  const documented = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const below = (base: string) => documented.filter((route) => route.includes(` ${base}/`)).sort();
  expect(SUBSTRATE_ROUTES.map(named).sort()).toEqual(below("/v1/me/substrate"));
  // Of the ledger, its key and what is signed belong to nobody in particular.
  const nobodys = /ledger\/(key|checkpoints|consistency)$/;
  const shared = documented.filter(
    (route) => / \/v1\/(approvals|ledger)/.test(route) && !nobodys.test(route),
  );
  expect(SHARED_ROUTES.map(named).sort()).toEqual(shared.sort());
});

describe("a key with the scope substrate", () => {
  it("opens every route of the substrate; an agent's not those for people", async () => {
    const agent = await mint({ scope: "substrate" });
    const person = await mint({ scope: "substrate", kind: "person" });
    expect([agent.key, person.key].every((key) => key.startsWith("bb_sub_"))).toBe(true);
    for (const route of [...SUBSTRATE_ROUTES, ...SHARED_ROUTES]) {
      const asAgent = await send(agent.api, route);
      if (route.person)
        expect([named(route), codeOf(asAgent)]).toEqual([named(route), "AUTH_PERSON_REQUIRED"]);
      else expect([401, 403], named(route)).not.toContain(asAgent.status);
      expect([401, 403, 500, 503], named(route)).not.toContain((await send(person.api, route)).status);
    }
  });

  it("opens nothing of any app, over no door", async () => {
    for (const { api, key } of [
      await mint({ scope: "substrate" }),
      await mint({ scope: "substrate", kind: "person" }),
    ]) {
      for (const [method, path, body] of [
        ["GET", `/v1/${appId}/notes`, undefined],
        ["POST", `/v1/${appId}/notes`, { owner_id: "x", title: "mine" }],
        ["GET", `/v1/${appId}/schema`, undefined],
        ["GET", `/v1/${appId}/config`, undefined],
        ["GET", `/v1/${appId}/admin/auth/users`, undefined],
        ["POST", `/v1/${appId}/fn/hello`, {}],
        ["GET", `/v1/${appId}/do/room/lobby`, undefined],
        ["GET", "/apps", undefined],
        ["POST", "/init", { name: "mine" }],
        ["GET", "/api-keys", undefined],
        ["POST", "/api-keys", { name: "wider", scope: "both" }],
        ["GET", "/v1/organizations", undefined],
        ["GET", `/v1/me/apps/${appId}/substrate-link`, undefined],
        ["POST", `/v1/me/apps/${appId}/substrate-link`, {}],
        ["PUT", `/v1/me/apps/${appId}/substrate-autopropagate`, { users: true }],
        ["DELETE", `/v1/me/apps/${appId}/substrate-link`, undefined],
      ] as const) {
        const { status } = await api(method, path, body);
        // What is not there is as good as refused: nothing of it was shown.
        expect([401, 403, 404], `${method} ${path}`).toContain(status);
      }
      const socket = await connectRealtime(server.apiUrl, appId, key).catch(() => null);
      expect((await socket?.waitClosed())?.code ?? 1008).toBe(1008);
    }
    expect(must(await owner("GET", `/v1/${appId}/notes`))).toHaveLength(1);
  });

  it("has manage_substrate over MCP, and no tool beside it but inbox and ledger", async () => {
    const { key } = await mint({ scope: "substrate" });
    const client = await connectEra(server.mcpUrl, key, "2026-07-28");
    const proposed = { capability: "record_learning", payload: { title: "By tool", description: "It." } };
    expect((await ask(client, "propose_action", proposed)).error).toBeNull();
    for (const step of STEPS) {
      if (OPEN.has(step.verb)) continue;
      const { error } = await askFor(client, step);
      const refused = expect.stringMatching(/^AUTH_(INSUFFICIENT_PERMISSIONS|PERSON_REQUIRED)$/);
      if (!OF_SUBSTRATE.has(step.tool) && !SHARED.has(step.tool)) {
        expect([step.verb, error?.code]).toEqual([step.verb, refused]);
      } else if (step.person === undefined) {
        expect([step.verb, error?.code ?? ""]).not.toEqual([step.verb, refused]);
      }
    }
    await client.close();
  });
});

describe("a key without it", () => {
  it("is told so on every route, by every tool, and by the stream", async () => {
    for (const body of [{}, { key_scope: "app", target_app_id: appId }, { kind: "person" }]) {
      const { api, key } = await mint(body);
      for (const route of SUBSTRATE_ROUTES) {
        const answer = await send(api, route);
        if (route.person && !("kind" in body)) {
          expect([named(route), codeOf(answer)]).toEqual([named(route), "AUTH_PERSON_REQUIRED"]);
          continue;
        }
        expect([named(route), answer.status, codeOf(answer)]).toEqual([
          named(route),
          403,
          "AUTH_INSUFFICIENT_PERMISSIONS",
        ]);
        expect(`${answer.body.error.message} ${answer.body.error.remediation}`).toMatch(/scope/i);
      }
      const client = await connectEra(server.mcpUrl, key, "2026-07-28");
      for (const step of STEPS.filter(({ tool }) => OF_SUBSTRATE.has(tool))) {
        const { error } = await askFor(client, step);
        expect([step.verb, error?.code]).toEqual([
          step.verb,
          expect.stringMatching(/^AUTH_(INSUFFICIENT_PERMISSIONS|PERSON_REQUIRED)$/),
        ]);
      }
      await client.close();
      for (const credential of [{ token: key }, { bearer: key }]) {
        const { code, reason } = await (await openStream(server.apiUrl, credential)).closed;
        expect([code, reason]).toEqual([1008, expect.stringMatching(/scope/i)]);
      }
    }
  });

  it("sees of the substrate nothing in the inbox or the ledger", async () => {
    const entity = await execute(owner, "upsert_entity", { type: "project", display_name: "Manhattan" });
    const { approval_id } = must(
      await propose(owner, "delete_entity", { id: entity.entity_id, reason: "too secret" }),
    );
    const { api } = await mint({});
    const person = await mint({ kind: "person" });
    for (const each of [api, person.api]) {
      expect(must(await each("GET", "/v1/approvals?limit=100")).approvals).toEqual([]);
      expect((await each("GET", `/v1/approvals/${approval_id}`)).status).toBe(404);
      const entries = must(await each("GET", "/v1/ledger/entries?limit=100"));
      const kinds = entries.entries.map(({ entry }: any) => entry.kind);
      expect(kinds).toContain("substrate.action.executed");
      const byId = await Promise.all(
        entries.entries.map(async ({ entry }: any) =>
          must(await each("GET", `/v1/ledger/entries/${entry.id}`)),
        ),
      );
      const whole: string = must(await each("GET", "/v1/ledger/export"));
      for (const text of [JSON.stringify(entries), JSON.stringify(byId), whole]) {
        expect(text).not.toMatch(/Manhattan|too secret|secret recipe/);
      }
    }
    expect((await person.api("POST", `/v1/approvals/${approval_id}/approve`, {})).status).toBe(404);
    expect(must(await owner("GET", `/v1/approvals/${approval_id}`)).status).toBe("pending");
    const seen: string = must(await owner("GET", "/v1/ledger/export"));
    for (const secret of ["Manhattan", "too secret", "secret recipe"]) expect(seen).toContain(secret);
  });

  it("gets none with it, whoever holds it", async () => {
    const person = await mint({ kind: "person" });
    for (const wider of [
      { scope: "both" },
      { scope: "substrate" },
      { substrate_access: true },
      { additional_scopes: ["substrate"] },
    ]) {
      const answer = await person.api("POST", "/api-keys", { name: "wider", ...wider });
      const opens =
        answer.status === 201 &&
        (await apiAs(server.apiUrl, answer.body.key)("GET", `${SUBSTRATE}/settings`)).status === 200;
      expect([wider, opens]).toEqual([wider, false]);
    }
    expect((await person.api("POST", "/api-keys", { name: "alike" })).status).toBe(201);
  });
});

it("a key that is bound to an app is never one of the whole organisation", async () => {
  const other = await newApp(owner);
  const answer = await owner("POST", "/api-keys", {
    ...{ name: "bound", scope: "substrate", key_scope: "app", target_app_id: other },
  });
  if (answer.status >= 400) expect(answer.status).toBe(400);
  else {
    const asked = await apiAs(server.apiUrl, answer.body.key)("GET", `${SUBSTRATE}/entities`);
    expect([asked.status, codeOf(asked)]).toEqual([403, "SUBSTRATE_NOT_LINKED"]);
  }
});

describe("a read-only key of the substrate", () => {
  it("reads everything, and changes nothing", async () => {
    const state = async () => [
      must(await owner("GET", `${SUBSTRATE}/actions?limit=500`)),
      must(await owner("GET", `${SUBSTRATE}/memory/list?limit=100`)),
      must(await owner("GET", `${SUBSTRATE}/settings`)),
      must(await owner("GET", `${SUBSTRATE}/attention-rules`)),
      must(await owner("GET", `${SUBSTRATE}/outbox-targets`)),
      must(await owner("GET", "/v1/approvals?limit=100")),
    ];
    const before = await state();
    for (const body of [
      { scope: "substrate", read_only: true },
      { scope: "both", read_only: true, kind: "person" },
    ]) {
      const { api, key } = await mint(body);
      for (const route of [...SUBSTRATE_ROUTES, ...SHARED_ROUTES]) {
        const answer = await send(api, route);
        if (route.right === "view") expect([401, 403], named(route)).not.toContain(answer.status);
        else {
          const code =
            route.person && !("kind" in body) ? "AUTH_PERSON_REQUIRED" : "AUTH_INSUFFICIENT_PERMISSIONS";
          expect([named(route), answer.status, codeOf(answer)]).toEqual([named(route), 403, code]);
        }
      }
      const client = await connectEra(server.mcpUrl, key, "2026-07-28");
      const payload = { title: "Not to be", kind: "operational" };
      const refused = await ask(client, "propose_action", { capability: "record_decision", payload });
      expect(refused.error?.code).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      await client.close();
    }
    expect(await state()).toEqual(before);
  });
});
