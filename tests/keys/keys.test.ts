import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let server: Server;
let owner: Api;
let appA: string;
let appB: string;

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
  appA = (await owner("POST", "/init", { name: "a" })).body.app_id;
  appB = (await owner("POST", "/init", { name: "b" })).body.app_id;
});
afterAll(() => discard(server));

async function mint(body: object): Promise<{ api: Api; id: string; key: string }> {
  const answer = await owner("POST", "/api-keys", { name: "test", ...body });
  expect(answer.status).toBe(201);
  return { api: apiAs(server.apiUrl, answer.body.key), id: answer.body.id, key: answer.body.key };
}
const codeOf = (answer: { body: any }) => answer.body?.error?.code;

/** One route of each kind, from reading to destroying. */
const writes = (app: string) =>
  [
    ["PATCH", `/v1/${app}/config/access-mode`, { access_mode: "public" }],
    ["PATCH", `/v1/${app}/config/cors`, { allowed_origins: [] }],
    ["PATCH", `/v1/${app}/env`, { envVars: { A: "1" } }],
    ["POST", `/v1/${app}/schema/apply`, { schema: { tables: {} } }],
    ["POST", `/v1/${app}/rls/enable`, { table_name: "t" }],
    ["POST", `/v1/${app}/realtime/configure`, { tables: ["t"] }],
    ["POST", `/v1/${app}/t`, { id: 1 }],
    ["DELETE", `/apps/${app}`, undefined],
  ] as const;
const reads = (app: string) =>
  ["config", "env", "audit-logs", "schema", "rls", "realtime/config"].map((path) => `/v1/${app}/${path}`);

describe("key scopes", () => {
  it("a read-only key reads everything and changes nothing", async () => {
    const { api } = await mint({ read_only: true });
    for (const path of ["/apps", ...reads(appA)])
      expect([path, (await api("GET", path)).status]).toEqual([path, 200]);
    for (const [method, path, body] of writes(appA)) {
      const answer = await api(method, path, body);
      expect([path, answer.status, codeOf(answer)]).toEqual([path, 403, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
    expect(codeOf(await api("POST", "/init", { name: "c" }))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
  });

  it("an app-bound key works on its app alone", async () => {
    const { api } = await mint({ key_scope: "app", target_app_id: appA });
    for (const path of reads(appA)) expect([path, (await api("GET", path)).status]).toEqual([path, 200]);
    for (const path of reads(appB)) {
      expect([path, codeOf(await api("GET", path))]).toEqual([path, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
    for (const [method, path, body] of writes(appB)) {
      expect([path, codeOf(await api(method, path, body))]).toEqual([path, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
    expect(codeOf(await api("GET", "/apps"))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(codeOf(await api("POST", "/init", { name: "c" }))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(codeOf(await api("POST", "/api-keys", { name: "wider" }))).toBe("AUTH_PERSON_REQUIRED");
  });

  it("a substrate key opens no app", async () => {
    const { api, key } = await mint({ scope: "substrate" });
    expect(key.startsWith("bb_sub_")).toBe(true);
    for (const path of ["/apps", ...reads(appA)]) {
      expect([path, codeOf(await api("GET", path))]).toEqual([path, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
  });

  it("refuses unknown, malformed and expired keys with 401", async () => {
    for (const token of [
      "bb_sk_0000000000000000000000000000000000000000",
      "bb_sk_'; drop table",
      "nonsense",
      "a.b.c",
    ]) {
      expect((await apiAs(server.apiUrl, token)("GET", "/apps")).status).toBe(401);
    }
    expect(
      (await apiAs(server.apiUrl, null)("GET", "/apps", undefined, { authorization: "Basic eA==" })).status,
    ).toBe(401);
  });

  it("stops a revoked key within a second", async () => {
    const { api, id } = await mint({});
    expect((await api("GET", "/apps")).status).toBe(200);
    expect((await owner("DELETE", `/api-keys/${id}`)).body).toMatchObject({ revoked: true });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(codeOf(await api("GET", "/apps"))).toBe("AUTH_INVALID_API_KEY");
    expect((await owner("GET", "/api-keys")).body.keys.map((key: any) => key.id)).not.toContain(id);
  });
});

describe("people and agents", () => {
  it("an agent key can't mint, revoke a person's key, or touch members, whoever it belongs to", async () => {
    const agent = apiAs(server.apiUrl, server.agentKey);
    const { keys } = (await owner("GET", "/api-keys")).body;
    const person = keys.find((key: any) => key.kind === "person");
    const organization = person.organization_id;
    for (const [method, path, body] of [
      ["POST", "/api-keys", { name: "x" }],
      ["POST", "/api-keys", { name: "x", kind: "person" }],
      ["DELETE", `/api-keys/${person.id}`, undefined],
      ["POST", `/v1/organizations/${organization}/members`, { email: "x@example.com", role: "viewer" }],
      ["POST", "/v1/organizations", { name: "mine" }],
    ] as const) {
      const answer = await agent(method, path, body);
      expect([path, answer.status, codeOf(answer)]).toEqual([path, 403, "AUTH_PERSON_REQUIRED"]);
    }
  });

  it("mints agent keys unless a person asks otherwise", async () => {
    expect((await owner("POST", "/api-keys", { name: "x" })).body.kind).toBe("agent");
    expect((await owner("POST", "/api-keys", { name: "x", kind: "person" })).body.kind).toBe("person");
  });
});

describe("members", () => {
  it("gives a new member a key once, with that role's rights, until the member goes", async () => {
    const { organizations } = (await owner("GET", "/v1/organizations")).body;
    const path = `/v1/organizations/${organizations[0].id}/members`;
    const viewer = (await owner("POST", path, { email: "Vera@example.com", role: "viewer" })).body;
    const api = apiAs(server.apiUrl, viewer.key);
    expect((await api("GET", `/v1/${appA}/config`)).status).toBe(200);
    expect(codeOf(await api("PATCH", `/v1/${appA}/config/pause`, { paused: true }))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(codeOf(await api("POST", path, { email: "y@example.com", role: "viewer" }))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(codeOf(await owner("POST", path, { email: "vera@EXAMPLE.com", role: "viewer" }))).toBe(
      "MEMBER_ALREADY_EXISTS",
    );

    await owner("PATCH", `${path}/${viewer.account_id}`, { role: "developer" });
    expect((await api("PATCH", `/v1/${appA}/config/pause`, { paused: false })).status).toBe(200);
    expect(JSON.stringify((await owner("GET", path)).body)).not.toContain(viewer.key);

    expect((await owner("DELETE", `${path}/${viewer.account_id}`)).body.removed).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await api("GET", "/apps")).status).toBe(401);
  });

  it("keeps the last owner, and strangers out", async () => {
    const mine = (await owner("GET", "/v1/organizations")).body.organizations[0].id;
    const me = (await owner("GET", `/v1/organizations/${mine}/members`)).body.members.find(
      (m: any) => m.role === "owner",
    );
    expect(codeOf(await owner("DELETE", `/v1/organizations/${mine}/members/${me.account_id}`))).toBe(
      "LAST_OWNER",
    );
    const second = (await owner("POST", "/v1/organizations", { name: "Second" })).body;
    expect(codeOf(await owner("GET", `/v1/organizations/${second.id}`))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    const api = apiAs(server.apiUrl, second.key);
    expect((await api("GET", "/apps")).body.apps).toEqual([]);
    expect((await api("POST", "/api-keys", { name: "x" })).body.organization_id).toBe(second.id);
    for (const path of reads(appA)) {
      expect([path, codeOf(await api("GET", path))]).toEqual([path, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
  });

  it("a key for somebody's account in one organisation opens no other of theirs", async () => {
    const mine = (await owner("GET", "/v1/organizations")).body.organizations[0].id;
    const victim = { email: "dev@example.com", role: "developer" };
    await owner("POST", `/v1/organizations/${mine}/members`, victim);
    const other = (await owner("POST", "/v1/organizations", { name: "Other" })).body;
    const admin = apiAs(server.apiUrl, other.key);
    const added = await admin("POST", `/v1/organizations/${other.id}/members`, victim);
    const asVictim = apiAs(server.apiUrl, added.body.key);
    const wanted = { name: "x", kind: "person", organization_id: mine };
    expect(codeOf(await asVictim("POST", "/api-keys", wanted))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(codeOf(await asVictim("GET", `/v1/${appA}/config`))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
  });

  it("mints no key that outlives the key it is minted with", async () => {
    const { api } = await mint({ kind: "person", expires_in_days: 2 });
    const inDays = async (expires_in_days?: number) => {
      const { body } = await api("POST", "/api-keys", { name: "x", expires_in_days });
      return Math.round((Date.parse(body.expires_at) - Date.now()) / 86_400_000);
    };
    expect([await inDays(), await inDays(300), await inDays(1)]).toEqual([2, 2, 1]);
  });

  it("tells an authenticated stranger to an app from an app that is not there", async () => {
    const { api } = await mint({ key_scope: "app", target_app_id: appB });
    expect(codeOf(await api("GET", `/v1/${appA}/config`))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(codeOf(await owner("GET", "/v1/app_000000000000/config"))).toBe("RESOURCE_NOT_FOUND");
  });
});
