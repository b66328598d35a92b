/**
 * The promise: whoever may know is told why somebody sees a row or does not, over HTTP, as a tool and on the socket
 * alike; end users are told about themselves alone, and nothing of rows and columns they can't see.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { connectRealtime, type Frame, type RealtimeClient } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let server: Server;
let owner: Api;
let appId: string;
let ada: Person;
let ben: Person;
const HIDDEN = "5e5a3c1e-0000-4000-8000-000000000001";

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
  appId = await newApp(owner);
  [ada, ben] = await Promise.all([signUp(server.apiUrl, appId, "ada"), signUp(server.apiUrl, appId, "ben")]);
  await applySchema(owner, appId, {
    members: {
      columns: { team: { type: "int", nullable: false }, user_id: { type: "text", nullable: false } },
      primaryKey: ["team", "user_id"],
    },
    notes: {
      columns: {
        id: { type: "int", primaryKey: true },
        owner_id: { type: "text" },
        team: { type: "int" },
        plan: { type: "text" },
        archived: { type: "boolean", nullable: false, default: "false" },
        secret: { type: "text", readableBy: ["service"] },
      },
    },
    pairs: {
      columns: { a: { type: "int", nullable: false }, b: { type: "uuid", nullable: false } },
      primaryKey: ["a", "b"],
    },
    vault: { columns: { id: { type: "int", primaryKey: true, readableBy: ["service"] } } },
  });
  must(await owner("POST", `/v1/${appId}/members`, [{ team: 1, user_id: ada.id }]));
  must(
    await owner("POST", `/v1/${appId}/notes`, [
      { id: 1, owner_id: ada.id, secret: "s3cret-1" },
      { id: 2, owner_id: ben.id, secret: "s3cret-2" },
      { id: 3, owner_id: ada.id, archived: true },
      { id: 4, owner_id: ben.id, team: 1 },
    ]),
  );
  must(await owner("POST", `/v1/${appId}/pairs`, [{ a: 1, b: HIDDEN }]));
  must(await owner("POST", `/v1/${appId}/rls/enable`, { table_name: "notes" }));
  must(await owner("POST", `/v1/${appId}/rls/enable`, { table_name: "pairs" }));
  const policies = [
    ["own", "owner_id = current_user_id()"],
    ["team", "exists (select 1 from members m where m.team = notes.team and m.user_id = current_user_id())"],
    ["paying", "plan = current_setting('request.jwt.claims', true)::json ->> 'plan'"],
    ["fresh", "not archived", { restrictive: true }],
    ["guests", "plan = 'free'", { role: "anon" }],
  ] as const;
  for (const [policy_name, using_expression, more = {}] of policies) {
    must(
      await owner("POST", `/v1/${appId}/rls/policies`, {
        ...{ table_name: "notes", policy_name, command: "SELECT", role: "user", using_expression },
        ...more,
      }),
    );
  }
  must(await owner("POST", `/v1/${appId}/realtime/configure`, { tables: ["notes"] }));
});
afterAll(() => discard(server));

const user = (person: Person, claims?: object) => ({
  ...{ role: "user", user_id: person.id },
  ...(claims === undefined ? {} : { claims }),
});
const explainPath = () => `/v1/${appId}/realtime/explain`;
const explain = async (question: object) => must(await owner("POST", explainPath(), question));

/** Asks on a socket; the answer, or the error. */
async function onSocket(client: RealtimeClient, question: object): Promise<Frame> {
  const from = client.frames.length;
  client.send({ type: "explain", ...question });
  return client.waitFor(
    (frame) => client.frames.indexOf(frame) >= from && (frame.type === "explained" || frame.type === "error"),
  );
}
const open = (token: string | null, app = appId) => connectRealtime(server.apiUrl, app, token);
const policy = (told: any, name: string) => told.policies.find((one: any) => one.name === name);

describe("whoever develops the app", { timeout: 30_000 }, () => {
  it("is told the same over HTTP, as a tool and on the socket", async () => {
    const agent = await connectMcp(server.mcpUrl, server.agentKey);
    const client = await open(server.apiKey);
    const questions = [
      { table: "notes", key: 1, as: user(ada) },
      { table: "notes", key: { id: 2 }, as: user(ada) },
      { table: "notes", key: 3, as: user(ada) },
      { table: "notes", key: 99, as: user(ada) },
      { table: "notes", record: { id: 7, plan: "free" }, as: { role: "anon" } },
      { table: "notes", key: 2, as: { role: "service" } },
      { table: "pairs", key: { a: 1, b: HIDDEN }, as: { role: "anon" } },
    ];
    for (const [n, question] of questions.entries()) {
      const overHttp = await explain(question);
      const asTool = await callTool(agent, "manage_realtime", {
        action: "explain",
        app_id: appId,
        ...question,
      });
      expect(asTool).toEqual(overHttp);
      const { type, id, ...told } = await onSocket(client, { id: `q${n}`, ...question });
      expect([type, id]).toEqual(["explained", `q${n}`]);
      const { realtime_enabled, captured, ...same } = overHttp;
      expect([realtime_enabled, captured]).toEqual(Array(2).fill(question.table === "notes"));
      expect(told).toEqual(same);
    }
    await client.close();
    await agent.close();
  });

  it("is told which policy shows a row, and which one hides it", async () => {
    const own = await explain({ table: "notes", key: 1, as: user(ada) });
    expect(own).toMatchObject({ visible: true, reason: "Shown by own.", row_found: true, rls_enabled: true });
    expect(policy(own, "own")).toMatchObject({ type: "permissive", applies: true, result: true });
    expect(policy(own, "own").expression).toContain("owner_id");
    expect(policy(own, "guests")).toMatchObject({ applies: false, why_not: "role" });
    expect(own.hidden_columns).toEqual(["secret"]);
    const archived = await explain({ table: "notes", key: 3, as: user(ada) });
    expect(archived).toMatchObject({ visible: false, reason: "Hidden by the restrictive policy fresh." });
    expect(policy(archived, "fresh")).toMatchObject({ type: "restrictive", result: false });
    const hers = await explain({ table: "notes", key: 2, as: user(ada) });
    expect(hers).toMatchObject({ visible: false, row_found: true });
    expect(hers.reason).toMatch(/own, paying, team/);
    const team = await explain({ table: "notes", key: 4, as: user(ada) });
    expect(team).toMatchObject({ visible: true, reason: "Shown by team." });
    expect((await explain({ table: "notes", key: 4, as: user(ben) })).reason).toBe("Shown by own.");
    const service = await explain({ table: "notes", key: 3, as: { role: "service" } });
    expect([service.visible, service.hidden_columns]).toEqual([true, []]);
    expect(await explain({ table: "notes", key: 99, as: user(ada) })).toMatchObject({
      ...{ visible: false, row_found: false, reason: "notes has no row with this key." },
    });
    // What it says is what reading says.
    const seen = must(await ada.api("GET", `/v1/${appId}/notes`)).map(({ id }: any) => id);
    for (const key of [1, 2, 3, 4]) {
      expect((await explain({ table: "notes", key, as: user(ada) })).visible).toBe(seen.includes(key));
    }
  });

  it("can ask about a row that does not exist yet, and about somebody with other claims", async () => {
    const record = { id: 50, owner_id: ada.id, plan: "gold" };
    expect(await explain({ table: "notes", record, as: user(ada) })).toMatchObject({
      // `archived` was left out and is null: what is unknown lets nothing through.
      ...{ visible: false, reason: "Hidden by the restrictive policy fresh." },
    });
    const fresh = { ...record, archived: false };
    expect((await explain({ table: "notes", record: fresh, as: user(ada) })).reason).toBe("Shown by own.");
    expect((await explain({ table: "notes", record: fresh, as: user(ben) })).visible).toBe(false);
    const paying = await explain({ table: "notes", record: fresh, as: user(ben, { plan: "gold" }) });
    expect(paying).toMatchObject({ visible: true, reason: "Shown by paying.", as: { user_id: ben.id } });
    const byClaims = { role: "user", claims: { sub: "nobody", plan: "tin" } };
    expect(await explain({ table: "notes", record: fresh, as: byClaims })).toMatchObject({
      ...{ visible: false, as: { role: "user", user_id: "nobody" } },
    });
    expect(must(await owner("GET", `/v1/${appId}/notes?id=eq.50`))).toEqual([]);
  });

  it("is told what is wrong with a question", async () => {
    const bad: [object, number][] = [
      [{ table: "nowhere", key: 1, as: user(ada) }, 404],
      [{ table: "notes", as: user(ada) }, 400],
      [{ table: "notes", key: 1, record: {}, as: user(ada) }, 400],
      [{ table: "notes", key: "x'; drop table notes", as: user(ada) }, 400],
      [{ table: "notes", key: { owner_id: ada.id }, as: user(ada) }, 400],
      [{ table: "pairs", key: 1, as: user(ada) }, 400],
      [{ table: "notes", record: { nothing: 1 }, as: user(ada) }, 400],
      [{ table: "notes", key: 1, as: { role: "user" } }, 400],
      [{ table: "notes", key: 1, as: { role: "anon", user_id: "x" } }, 400],
      [{ table: "notes", key: 1, as: { role: "postgres" } }, 400],
      [{ table: "notes", key: 1 }, 400],
    ];
    const client = await open(server.apiKey);
    for (const [question, status] of bad) {
      const refused = await owner("POST", explainPath(), question);
      expect([question, refused.status]).toEqual([question, status]);
      expect(refused.body.error.remediation).toBeTruthy();
      // A key that names nobody asks for itself.
      if ("as" in question) expect((await onSocket(client, question)).type).toBe("error");
    }
    expect((await onSocket(client, { table: "notes", key: 2 })).visible).toBe(true);
    await client.close();
  });
});

describe("an end user", { timeout: 30_000 }, () => {
  it("is told about themselves and a record they give, without expressions", async () => {
    const client = await open(ada.token);
    const told = await onSocket(client, {
      ...{ table: "notes", id: "mine" },
      record: { id: 2, owner_id: ada.id, archived: false },
    });
    expect(told).toEqual({
      ...{
        type: "explained",
        id: "mine",
        table: "notes",
        visible: true,
        reason: "Shown by own.",
        rls_enabled: true,
      },
      policies: [
        { name: "fresh", type: "restrictive", result: true },
        { name: "own", type: "permissive", result: true },
        { name: "paying", type: "permissive", result: null },
        { name: "team", type: "permissive", result: false },
      ],
    });
    // The key of a row that is there and hidden says nothing about that row.
    const [there, nowhere] = [
      await onSocket(client, { table: "notes", record: { id: 2 } }),
      await onSocket(client, { table: "notes", record: { id: 987 } }),
    ];
    expect(there).toEqual(nowhere);
    expect(there.visible).toBe(false);
    await client.close();
  });

  it("may not ask about rows by key, nor as anybody else, nor over HTTP, nor in columns they can't read", async () => {
    const [client, nobody] = [await open(ada.token), await open(null)];
    const record = { id: 1 };
    const refused: object[] = [
      { table: "notes", key: 1 },
      { table: "notes", key: 2 },
      { table: "notes", record, key: 1 },
      { table: "notes", record, as: user(ben) },
      { table: "notes", record, as: user(ada) },
      { table: "notes", record, as: { role: "service" } },
      { table: "notes" },
      { table: "notes", record: { ...record, secret: "s3cret-2" } },
      { table: "nowhere", record },
      { table: "vault", record },
      { table: "vault", record: {} },
      { table: "members", record: { team: "x" } },
    ];
    for (const socket of [client, nobody]) {
      for (const question of refused) {
        const { type, message } = await onSocket(socket, question);
        expect([question, type]).toEqual([question, "error"]);
        expect(message).not.toContain("s3cret");
      }
    }
    // A column that can't be read is refused in the words for one that is not there.
    const words = async (column: string) =>
      (await onSocket(client, { table: "notes", record: { [column]: 1 } })).message.replaceAll(column, "…");
    expect(await words("secret")).toBe(await words("nothing"));
    const unknown = async (table: string) =>
      (await onSocket(client, { table, record: {} })).message.replaceAll(table, "…");
    expect(await unknown("vault")).toBe(await unknown("nowhere"));
    for (const api of [ada.api, apiAs(server.apiUrl, null)]) {
      const { status } = await api("POST", explainPath(), { table: "notes", key: 1, as: user(ada) });
      expect([401, 403]).toContain(status);
    }
    const open_ = await onSocket(nobody, { table: "notes", record: { plan: "free", archived: false } });
    expect(open_).toMatchObject({ visible: true, reason: "Shown by guests." });
    expect(open_.policies.map(({ name }: any) => name)).toEqual(["guests"]);
    for (const { frames } of [client, nobody]) {
      expect(JSON.stringify(frames)).not.toMatch(/current_user_id|owner_id =/);
      expect(JSON.stringify(frames)).not.toContain(ben.id);
    }
    await client.close();
    await nobody.close();
  });
});

describe("keys", { timeout: 30_000 }, () => {
  const mint = async (more: object): Promise<string> =>
    must(await owner("POST", "/api-keys", { name: "looker", ...more })).key;

  it("that only read may ask, and list rules, but not set them, send, show themselves or run functions", async () => {
    must(
      await owner("POST", `/v1/${appId}/functions`, {
        ...{ name: "shout", trigger: { type: "websocket", config: { event: "shout" } } },
        code: "export default async function handler() { return Response.json({ ran: true }); }",
      }),
    );
    const key = await mint({ read_only: true });
    const api = apiAs(server.apiUrl, key);
    const question = { table: "notes", key: 3, as: user(ada) };
    expect(must(await api("POST", explainPath(), question))).toEqual(await explain(question));
    const rules = `/v1/${appId}/realtime/rules`;
    expect(must(await api("GET", rules))).toEqual({ rules: [] });
    const put = await api("PUT", rules, { pattern: "a", receive: "true", send: "true" });
    expect(put.body.error.code).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    const [reader, whole] = [await open(key), await open(server.apiKey)];
    expect((await onSocket(reader, question)).reason).toBe("Hidden by the restrictive policy fresh.");
    for (const client of [reader, whole]) {
      client.send({ type: "broadcast_join", channel: "private:x" });
      await client.waitFor(({ type }) => type === "broadcast_joined");
    }
    const refused = [
      { type: "event", event: "shout", payload: {} },
      { type: "broadcast", channel: "private:x", event: "say", payload: 1, id: "no" },
      { type: "presence_track", room: "a" },
      { type: "presence_track" },
    ];
    for (const frame of refused) {
      const from = reader.frames.length;
      reader.send(frame);
      const told = await reader.waitFor(
        (got) => reader.frames.indexOf(got) >= from && !["heartbeat", "broadcast"].includes(got.type),
      );
      expect([frame.type, told.type, told.message]).toEqual([
        ...[frame.type, "error", expect.stringContaining("read-only")],
      ]);
    }
    whole.send({ type: "event", event: "shout", payload: {} });
    expect((await whole.waitFor(({ type }) => type === "event_response")).data).toEqual({ ran: true });
    // It hears what others say.
    whole.send({ type: "broadcast", channel: "private:x", event: "say", payload: 2 });
    expect((await reader.waitFor(({ type }) => type === "broadcast")).payload).toBe(2);
    expect(whole.frames.filter(({ type }) => type === "broadcast")).toEqual([]);
    await reader.close();
    await whole.close();
  });

  it("of another app, and people of another app, are told nothing", async () => {
    const other = await newApp(owner);
    const api = apiAs(server.apiUrl, await mint({ key_scope: "app", target_app_id: other }));
    const question = { table: "notes", key: 1, as: user(ada) };
    expect((await api("POST", explainPath(), question)).status).toBe(403);
    // In their own app there is no such table.
    expect((await api("POST", `/v1/${other}/realtime/explain`, question)).status).toBe(404);
    const client = await open(server.apiKey, other);
    expect((await onSocket(client, question)).type).toBe("error");
    await client.close();
  });
});
