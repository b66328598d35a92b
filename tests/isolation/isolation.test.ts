import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { connectRealtime } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let server: Server;
let owner: Api;
let red: string;
let blue: string;
let ada: Person;

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
  red = await notesApp(owner);
  blue = await notesApp(owner);
  ada = await signUp(server.apiUrl, red, "ada");
  must(await owner("POST", `/v1/${blue}/notes`, { owner_id: ada.id, title: "blue secret" }));
  must(await owner("POST", `/v1/${red}/notes`, { owner_id: ada.id, title: "red note" }));
});
afterAll(() => discard(server));

const codeOf = (answer: { body: any }) => answer.body?.error?.code;

describe("one app can't reach another", () => {
  it("a user's token of one app is nobody's in another", async () => {
    // Used in its own app first: a token that was verified once must not be known everywhere.
    expect((await ada.api("GET", `/v1/${red}/notes`)).status).toBe(200);
    const answer = await ada.api("GET", `/v1/${blue}/notes`);
    expect([answer.status, codeOf(answer)]).toEqual([401, "AUTH_INVALID_END_USER_JWT"]);
    await expect(connectRealtime(server.apiUrl, blue, ada.token)).rejects.toThrow("HTTP 401");
    expect((await apiAs(server.apiUrl, ada.token)("GET", `/auth/${blue}/me`)).status).toBe(401);
  });

  it.each([
    [
      "a column default",
      (b: string) => ({ type: "text", default: `(select title from ${b}.notes limit 1)` }),
    ],
    [
      "a default that changes role",
      (b: string) => ({ type: "text", default: `set_config('role', '${b}_owner', true)` }),
    ],
    [
      "a default that runs SQL",
      (b: string) => ({
        type: "text",
        default: `query_to_xml('select * from ${b}.notes', true, true, '')::text`,
      }),
    ],
    [
      "a default that breaks out",
      (b: string) => ({ type: "text", default: `''); drop schema ${b} cascade; --` }),
    ],
    ["a type that breaks out", (b: string) => ({ type: `text; drop schema ${b} cascade` })],
    ["a foreign key", (b: string) => ({ type: "uuid", references: `${b}.notes.id` })],
  ])("%s is refused", async (_what, column) => {
    const answer = await owner("POST", `/v1/${red}/schema/apply`, {
      schema: { tables: { attack: { columns: { id: { type: "int", primaryKey: true }, x: column(blue) } } } },
    });
    expect(answer.status).toBe(400);
    expect(must(await owner("GET", `/v1/${blue}/notes`))).toHaveLength(1);
    expect(Object.keys(must(await owner("GET", `/v1/${red}/schema`)).schema.tables)).toEqual(["notes"]);
  });

  it.each([
    ["another app's table", (b: string) => `exists (select from ${b}.notes)`],
    ["Ambit's own tables", () => "exists (select from ambit.api_keys)"],
    ["the system's", () => "exists (select from pg_catalog.pg_authid)"],
    ["a change of role", (b: string) => `set_config('role', '${b}_owner', true) is not null`],

    ["a lock", () => "pg_advisory_lock(1) is null"],
    ["a nap", () => "pg_sleep(60) is null"],
    ["a file", () => "pg_read_file('/etc/passwd') is null"],
  ])("a policy that names %s is refused", async (_what, expression) => {
    const answer = await owner("POST", `/v1/${red}/rls/policies`, {
      table_name: "notes",
      policy_name: "attack",
      using_expression: expression(blue),
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, "RLS_UNSAFE_EXPRESSION"]);
  });

  it.each([
    (b: string) => `select * from ${b}.notes`,
    () => "select * from ambit.api_keys",
    () => "select * from pg_authid",
    () => "select rolname from pg_roles",
    (b: string) => `set role ${b}_owner`,
    (b: string) => `select set_config('role', '${b}_owner', false)`,
    (b: string) => `select 1; drop schema ${b} cascade`,
    () => "copy (select 1) to program 'id'",
    () => "do $$ begin perform 1; end $$",
    () => "create table x (id int)",
    () => "select pg_terminate_backend(pid) from pg_stat_activity",
    () => "select lo_import('/etc/passwd')",
    () => "select pg_notify('x', 'y')",
    () => "select pg_logical_emit_message(true, 'ambit.change', '{}')",
    () => "select ambit_helpers.announce_change('schema')",
  ])("raw SQL can't leave its app: %s", async (sql) => {
    const { callTool, connectMcp } = await import("../support/mcp.ts");
    const client = await connectMcp(server.mcpUrl, server.agentKey);
    await expect(callTool(client, "run_sql", { app_id: red, sql: sql(blue) })).rejects.toThrow();
    await client.close();
  });

  it("users, names and settings of apps are apart", async () => {
    const login = await apiAs(server.apiUrl, null)("POST", `/auth/${blue}/login`, {
      email: ada.email,
      password: ada.password,
    });
    expect(login.status).toBe(401);
    await signUp(server.apiUrl, blue, "ada");
    expect(must(await owner("GET", `/v1/${red}/admin/auth/users`)).users).toHaveLength(1);
    expect(must(await owner("GET", `/v1/${blue}/admin/auth/users`)).users).toHaveLength(1);
  });

  it("changes of one app never show in another, also for keys", async () => {
    const watcher = await connectRealtime(server.apiUrl, blue, server.apiKey);
    const own = await connectRealtime(server.apiUrl, red, server.apiKey);
    await watcher.subscribe("notes");
    await own.subscribe("notes");
    must(await owner("POST", `/v1/${red}/notes`, { owner_id: "x", title: "red only" }));
    await own.waitFor((frame) => frame.record?.title === "red only");
    must(await owner("POST", `/v1/${blue}/notes`, { owner_id: "x", title: "blue only" }));
    await watcher.waitFor((frame) => frame.record?.title === "blue only");
    expect(watcher.changes()).toHaveLength(1);
    await watcher.close();
    await own.close();
  });

  it("a deleted app leaves nothing behind", async () => {
    const gone = await notesApp(owner);
    await signUp(server.apiUrl, gone, "eve");
    must(await owner("DELETE", `/apps/${gone}`));
    for (const path of [`/v1/${gone}/notes`, `/v1/${gone}/schema`, `/v1/${gone}/admin/auth/users`]) {
      expect((await owner("GET", path)).status).toBe(404);
    }
    must(await owner("GET", `/v1/${red}/notes`));
  });
});
