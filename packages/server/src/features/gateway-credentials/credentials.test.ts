import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createGuardedFetch } from "../../kernel/guarded-fetch.ts";
import { newUuid } from "../../kernel/ids.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { callerOf } from "../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";
import { createGatewayCredentials } from "./index.ts";
import { startAuthority, type TestAuthority } from "./testing/authority.ts";

let world: TestPlatform;
let authority: TestAuthority;
let server: GatewayServer;
let nowMs = Date.UTC(2030, 0, 1);

/** One node: all of them share the database, the master key and the clock. */
function node() {
  const urlOf = async (id: string) => {
    const [row] = await world.platform.database.query<{ url: string | null }>(
      "select url from ambit.gateway_servers where id = $1",
      [id],
    );
    return row?.url ?? null;
  };
  const { feature, service } = createGatewayCredentials(
    { ...world.platform, metrics: new Metrics(), clock: () => nowMs },
    {
      fetch: createGuardedFetch({ allowPrivate: [`127.0.0.1:${authority.port}`] }),
      servers: { find: async (id) => (id === server.id ? server : null), urlOf },
    },
  );
  const caller = callerOf(feature.operations, { organizationId: world.organizationId }, () => nowMs);
  return { service, ...caller };
}
type Node = ReturnType<typeof node>;

beforeAll(async () => {
  [world, authority] = await Promise.all([testPlatform(), startAuthority()]);
});
afterAll(() => Promise.all([world.stop(), authority.stop()]));
beforeEach(async () => {
  Object.assign(authority, { expiresIn: 3_600, refusing: false, registering: true, delayMs: 0 });
  authority.asked.length = 0;
  server = {
    ...{ id: newUuid(), organizationId: world.organizationId, name: `s-${Math.random()}` },
    ...{ transport: "http", face: null, capturesValues: false },
  };
  await world.platform.database.query(
    `insert into ambit.gateway_servers (id, organization_id, name, transport, url, created_at, updated_at)
     values ($1, $2, $3, 'http', $4, now(), now())`,
    [server.id, server.organizationId, server.name, authority.resourceUrl],
  );
});

/** The browser's part: follows the authorization URL, and gives what the callback was sent. */
async function consent(url: string): Promise<Record<string, string>> {
  const answer = await fetch(url, { redirect: "manual" });
  return Object.fromEntries(new URL(answer.headers.get("location")!).searchParams);
}

const page = async (
  at: Node,
  callback: Record<string, string>,
): Promise<{ status: number; body: string }> => {
  const reply = (await at.call("gateway.oauth_callback", callback)) as unknown as {
    status: number;
    body: string;
  };
  return { status: reply.status, body: reply.body };
};
const codeOn = (body: string) => /<pre>([^<]+)<\/pre>/.exec(body)?.[1];

async function connect(at: Node): Promise<void> {
  const begun = await at.call("gateway.connect_server", { server_id: server.id });
  const { body } = await page(at, await consent(begun.authorization_url as string));
  await at.call("gateway.finish_connection", { server_id: server.id, confirmation: codeOn(body) });
}
const bearerOf = async (at: Node) =>
  (await at.service.headersOf(server)).authorization?.slice("Bearer ".length);

describe("connecting", () => {
  it("takes a person's consent, with PKCE and the resource, and a last step by the same member", async () => {
    const at = node();
    expect(await at.service.headersOf(server)).toEqual({});
    await connect(at);
    expect(authority.isLatest((await bearerOf(at))!)).toBe(true);
    expect(authority.asked[0]!.get("resource")).toBe(authority.resourceUrl);
    expect(await at.call("gateway.get_connection", { server_id: server.id })).toMatchObject({
      ...{ connected: true, client_id: "registered", grant_type: "authorization_code", problem: null },
      expires_at: new Date(nowMs + 3_600_000).toISOString(),
    });
    expect(authority.isLatest((await bearerOf(node()))!)).toBe(true);
  });

  it("counts for nobody but the member who began, and once", async () => {
    const at = node();
    const begun = await at.call("gateway.connect_server", { server_id: server.id });
    const callback = await consent(begun.authorization_url as string);
    const confirmation = codeOn((await page(at, callback)).body);
    expect((await page(at, callback)).status).toBe(400);
    const finish = (over = {}) =>
      at.call("gateway.finish_connection", { server_id: server.id, confirmation }, over);
    await expect(finish({ accountId: newUuid() })).rejects.toMatchObject({
      code: "GATEWAY_OAUTH_NOT_STARTED",
    });
    await expect(finish({ keyKind: "agent" })).rejects.toMatchObject({ code: "AUTH_PERSON_REQUIRED" });
    await finish();
    await expect(finish()).rejects.toMatchObject({ code: "GATEWAY_OAUTH_NOT_STARTED" });
  });

  it("is over after a quarter of an hour, after five wrong codes, and for a state nobody issued", async () => {
    const at = node();
    const late = await at.call("gateway.connect_server", { server_id: server.id });
    const callback = await consent(late.authorization_url as string);
    nowMs += 15 * 60_000;
    expect((await page(at, callback)).status).toBe(400);
    expect((await page(at, { state: "forged", code: "x" })).status).toBe(400);
    const begun = await at.call("gateway.connect_server", { server_id: server.id });
    const { body } = await page(at, await consent(begun.authorization_url as string));
    for (let tries = 0; tries < 5; tries += 1) {
      const wrong = at.call("gateway.finish_connection", {
        server_id: server.id,
        confirmation: `no-${tries}`,
      });
      await expect(wrong).rejects.toMatchObject({ code: "GATEWAY_OAUTH_NOT_STARTED" });
    }
    const finish = at.call("gateway.finish_connection", { server_id: server.id, confirmation: codeOn(body) });
    await expect(finish).rejects.toMatchObject({ code: "GATEWAY_OAUTH_NOT_STARTED" });
    expect(await at.service.headersOf(server)).toEqual({});
  });

  it("says what is missing where the authorization server registers nobody, and takes a client of its own", async () => {
    authority.registering = false;
    const at = node();
    await expect(at.call("gateway.connect_server", { server_id: server.id })).rejects.toMatchObject({
      ...{ code: "GATEWAY_OAUTH_CLIENT_NEEDED" },
      details: { redirect_uri: "http://127.0.0.1:4000/v1/gateway/oauth/callback" },
    });
    const own = { server_id: server.id, client_id: "mine", client_secret: "hush" };
    const begun = await at.call("gateway.connect_server", own);
    expect(new URL(begun.authorization_url as string).searchParams.get("client_id")).toBe("mine");
    expect(JSON.stringify(at.audited)).not.toContain("hush");
    const direct = await at.call("gateway.connect_server", { ...own, grant_type: "client_credentials" });
    expect(direct).toMatchObject({ connected: true });
    expect(authority.isLatest((await bearerOf(at))!)).toBe(true);
  });

  it("reaches no server of another organisation, and none at a private address that is not allowed", async () => {
    const at = node();
    const foreign = at.call(
      "gateway.connect_server",
      { server_id: server.id },
      { organizationId: newUuid() },
    );
    await expect(foreign).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
    await world.platform.database.query("update ambit.gateway_servers set url = $2 where id = $1", [
      ...[server.id, "http://127.0.0.1:9/mcp"],
    ]);
    const inside = at.call("gateway.connect_server", { server_id: server.id });
    await expect(inside).rejects.toMatchObject({ code: "EXTERNAL_ADDRESS_REFUSED" });
  });
});

describe("a token", () => {
  it("is renewed before it ends: once, whoever asks on whatever node", async () => {
    const nodes = [node(), node()] as const;
    await connect(nodes[0]);
    authority.asked.length = 0;
    authority.delayMs = 50;
    nowMs += 3_590_000;
    const all = await Promise.all(Array.from({ length: 16 }, (_, at) => bearerOf(nodes[at % 2]!)));
    expect(new Set(all).size).toBe(1);
    expect(authority.isLatest(all[0]!)).toBe(true);
    expect(authority.asked.map((body) => body.get("grant_type"))).toEqual(["refresh_token"]);
  });

  it("that the server refused is renewed, and that it could not be is said", async () => {
    const at = node();
    await connect(at);
    const first = await bearerOf(at);
    nowMs += 60_000;
    expect(await at.service.renew(server)).toBe(true);
    expect(await bearerOf(at)).not.toBe(first);
    authority.refusing = true;
    nowMs += 60_000;
    expect(await at.service.renew(server)).toBe(false);
    expect((await at.call("gateway.get_connection", { server_id: server.id })).problem).toMatch(/refused/);
    nowMs += 3_600_000;
    await expect(at.service.headersOf(server)).rejects.toMatchObject({ code: "GATEWAY_OAUTH_FAILED" });
  });

  it("goes to no other URL than the one it was given for, and is gone at once when a person says so", async () => {
    const at = node();
    await connect(at);
    await world.platform.database.query("update ambit.gateway_servers set url = $2 where id = $1", [
      ...[server.id, "https://elsewhere.example/mcp"],
    ]);
    expect(await node().service.headersOf(server)).toEqual({});
    const gone = await at.call("gateway.disconnect_server", { server_id: server.id });
    expect(gone).toEqual({ disconnected: true });
    expect(await at.service.headersOf(server)).toEqual({});
  });

  it("stands nowhere in clear", async () => {
    const at = node();
    await connect(at);
    const token = (await bearerOf(at))!;
    const rows = await world.asSuperuser("select * from ambit.gateway_oauth");
    expect(rows).not.toEqual([]);
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(JSON.stringify(at.audited)).not.toContain(token);
  });
});
