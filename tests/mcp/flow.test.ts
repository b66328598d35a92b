import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { connectRealtime } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { ask, connectEra, ERAS, run } from "./connect.ts";

let server: Server;
let owner: Api;
beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterAll(() => discard(server));

const COLUMNS = {
  id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
  owner_id: { type: "text", nullable: false },
  title: { type: "text", nullable: false },
};

describe.each(ERAS)("an agent makes a backend, from nothing to live changes (%s)", (era) => {
  it("through tools alone", async () => {
    const client = await connectEra(server.mcpUrl, server.agentKey, era);
    const made = await ask(client, "init_app", { name: `notes-${era}` });
    const { app_id, _meta } = made.structured;
    expect(_meta.next_actions.length).toBeGreaterThan(0);
    expect(made.text).toBe(JSON.stringify(made.structured, null, 2));
    expect((await run(client, "init_app", { name: `notes-${era}` })).app_id).toBe(app_id);

    const applied = await run(client, "manage_schema", {
      app_id,
      action: "apply",
      schema: { tables: { notes: { columns: COLUMNS } } },
    });
    expect(applied.applied).toBeGreaterThan(0);
    expect(applied.warnings.join()).toContain("no row-level security");
    const isolated = await run(client, "manage_rls", {
      app_id,
      action: "create_user_isolation",
      table_name: "notes",
      user_column: "owner_id",
    });
    expect(isolated).toMatchObject({ success: true, policy_name: "notes_user_isolation" });
    const live = await run(client, "manage_realtime", { app_id, action: "configure", tables: ["notes"] });
    expect(live.configured).toEqual([{ table: "notes", status: "enabled" }]);

    const [ada, ben] = [
      await signUp(server.apiUrl, app_id, "ada"),
      await signUp(server.apiUrl, app_id, "ben"),
    ];
    const socket = await connectRealtime(server.apiUrl, app_id, ada.token);
    await socket.subscribe("notes");
    const row = await run(client, "insert_row", {
      app_id,
      table: "notes",
      data: { owner_id: ada.id, title: "for ada" },
    });
    await run(client, "seed_database", {
      app_id,
      table: "notes",
      rows: [
        { owner_id: ben.id, title: "for ben" },
        { owner_id: ada.id, title: "second" },
      ],
    });
    await socket.waitFor((frame) => frame.record?.title === "second");
    expect(socket.changes("notes").map((frame) => frame.record.title)).toEqual(["for ada", "second"]);

    const seen = async (args: object) =>
      (await run(client, "select_rows", { app_id, table: "notes", order: "title", ...args })).rows.map(
        (each: any) => each.title,
      );
    expect(await seen({})).toEqual(["for ada", "for ben", "second"]);
    expect(await seen({ as_role: "user", as_user: ada.id })).toEqual(["for ada", "second"]);
    expect(await seen({ as_role: "user", as_user: ben.id })).toEqual(["for ben"]);
    expect(await seen({ as_role: "anon" })).toEqual([]);
    expect(await seen({ filters: { title: "like.for%" } })).toEqual(["for ada", "for ben"]);

    const preview = await run(client, "update_rows", {
      app_id,
      table: "notes",
      filters: { owner_id: ada.id },
      data: { title: "x" },
      dry_run: true,
    });
    expect(preview).toMatchObject({ updated: 2, dry_run: true });
    expect(await seen({})).toEqual(["for ada", "for ben", "second"]);
    await run(client, "update_rows", {
      app_id,
      table: "notes",
      filters: { id: row.id },
      data: { title: "changed" },
    });
    await socket.waitFor((frame) => frame.op === "UPDATE" && frame.record?.title === "changed");
    expect(
      await run(client, "delete_rows", { app_id, table: "notes", filters: { id: row.id } }),
    ).toMatchObject({ deleted: 1 });
    await socket.waitFor((frame) => frame.op === "DELETE");
    await socket.close();

    const { logs } = await run(client, "query_audit_logs", { app_id });
    for (const event of [
      "schema.apply",
      "rls.create_user_isolation",
      "realtime.configure",
      "data.insert",
      "data.delete",
    ]) {
      expect(logs.map((log: any) => log.event_type)).toContain(event);
    }
    const { policies, tables_with_rls } = await run(client, "manage_rls", { app_id, action: "list" });
    expect(tables_with_rls).toEqual(["notes"]);
    expect(policies.map((policy: any) => policy.policyname)).toContain("notes_user_isolation");
    expect(await ask(client, "manage_app", { app_id, action: "delete" })).toMatchObject({ error: null });
    expect((await ask(client, "manage_schema", { app_id, action: "get" })).error?.code).toMatch(
      /RESOURCE_NOT_FOUND|APP_DELETING/,
    );
    await client.close();
  });
});

describe("run_sql", () => {
  let appId: string;
  let ada: string;
  const asAgent = (key = server.agentKey) => connectEra(server.mcpUrl, key, "2026-07-28");
  beforeAll(async () => {
    appId = await newApp(owner);
    must(
      await owner("POST", `/v1/${appId}/schema/apply`, {
        schema: { tables: { notes: { columns: COLUMNS } } },
      }),
    );
    must(await owner("POST", `/v1/${appId}/rls`, { table_name: "notes", user_column: "owner_id" }));
    ada = (await signUp(server.apiUrl, appId, "ada")).id;
    for (const owner_id of [ada, "ben"])
      must(await owner("POST", `/v1/${appId}/notes`, { owner_id, title: `of ${owner_id}` }));
  });
  const titles = async () =>
    must(await owner("GET", `/v1/${appId}/notes?order=title`)).map((row: any) => row.title);

  it("reads with parameters, types and a bound on rows", async () => {
    const client = await asAgent();
    const answer = await run(client, "run_sql", {
      app_id: appId,
      sql: "select count(*) as rows, $1::int + 1 as next, $2::text as said, now() as at, array[1,2] as list, null as nothing from notes",
      params: [41, "it's '; drop table notes; --"],
    });
    expect(answer).toMatchObject({
      row_count: 1,
      truncated: false,
      rows: [{ next: 42, said: "it's '; drop table notes; --", list: [1, 2], nothing: null }],
    });
    expect(answer.columns.map(({ type }: any) => type)).toEqual([
      "bigint",
      "integer",
      "text",
      "timestamp with time zone",
      "integer[]",
      "text",
    ]);
    const many = await run(client, "run_sql", {
      app_id: appId,
      sql: "select n from generate_series(1, 5000) n",
    });
    expect([many.rows.length, many.truncated]).toEqual([1_000, true]);
    await client.close();
  });

  it("runs as whoever it is told, under their row-level security", async () => {
    const client = await asAgent();
    const count = async (args: object) =>
      Number(
        (await run(client, "run_sql", { app_id: appId, sql: "select count(*) as n from notes", ...args }))
          .rows[0].n,
      );
    expect(await count({})).toBe(2);
    expect(await count({ as_role: "service" })).toBe(2);
    expect(await count({ as_role: "user", as_user: ada })).toBe(1);
    expect(await count({ as_role: "user", as_user: "nobody" })).toBe(0);
    expect(await count({ as_role: "anon" })).toBe(0);
    const foreign = {
      app_id: appId,
      sql: `insert into notes (owner_id, title) values ('ben', 'by ada')`,
      as_role: "user",
      as_user: ada,
    };
    expect((await ask(client, "run_sql", foreign)).error?.code).toBe("AUTH_RLS_POLICY_VIOLATION");
    expect(
      (await ask(client, "run_sql", { app_id: appId, sql: "select 1", as_role: "user" })).error,
    ).not.toBeNull();
    await client.close();
  });

  it("writes nothing for a key or a call that may only read", async () => {
    const { key } = must(await owner("POST", "/api-keys", { name: "reader", read_only: true }));
    const [agent, reader] = [await asAgent(), await asAgent(key)];
    const before = await titles();
    const writes = [
      "delete from notes",
      "update notes set title = 'x'",
      "insert into notes (owner_id, title) values ('x', 'x')",
      "with gone as (delete from notes returning 1) select count(*) from gone",
      "merge into notes n using (select 1) s on true when matched then delete",
      "explain analyze delete from notes",
      "select * from notes for update",
    ];
    for (const sql of writes) {
      for (const [client, args] of [
        [reader, {}],
        [reader, { read_only: false }],
        [agent, { read_only: true }],
      ] as const) {
        const { error } = await ask(client, "run_sql", { app_id: appId, sql, ...args });
        expect([sql, error?.code]).toEqual([
          sql,
          expect.stringMatching(/SQL_READ_ONLY|SQL_REFUSED|AUTH_INSUFFICIENT_PERMISSIONS/),
        ]);
      }
    }
    expect(await titles()).toEqual(before);
    expect((await run(reader, "run_sql", { app_id: appId, sql: "select 1 as one" })).rows).toEqual([
      { one: 1 },
    ]);
    const written = await run(agent, "run_sql", {
      app_id: appId,
      sql: "insert into notes (owner_id, title) values ('x', 'by sql') returning title",
    });
    expect(written).toMatchObject({ row_count: 1, rows: [{ title: "by sql" }] });
    expect(await titles()).toContain("by sql");
    await Promise.all([agent.close(), reader.close()]);
  });

  it.each([
    "select 1; select 2",
    "begin",
    "commit",
    "set role postgres",
    "reset role",
    "set search_path to ambit",
    "select set_config('request.jwt.claims', '{}', false)",
    "drop table notes",
    "alter table notes disable row level security",
    "create function f() returns int language sql as 'select 1'",
    "grant all on notes to public",
    "truncate notes",
    "copy notes to '/tmp/x'",
    "do $$ begin end $$",
    "vacuum",
    "listen x",
    "lock table notes",
    "prepare p as select 1",
    "select * from ambit.api_keys",
    "select * from pg_catalog.pg_authid",
    "select pg_read_file('/etc/passwd')",
    "select pg_sleep(1)",
    "select dblink('', '')",
    "select current_setting('is_superuser')",
    "select query_to_xml('drop table notes', true, true, '')",
    "select lo_export(1, '/tmp/x')",
    'select * from "ambit"."apps"',
    "select * from notes; -- \n drop table notes",
    "explain (analyze) drop table notes",
    "",
    "   ",
    "not sql",
  ])("does not take %j, as any role", async (sql) => {
    const client = await asAgent();
    for (const as_role of ["owner", "service", "anon"]) {
      const { error } = await ask(client, "run_sql", { app_id: appId, sql, as_role });
      expect([as_role, error?.code]).toEqual([
        as_role,
        expect.stringMatching(/^(SQL_REFUSED|SQL_ERROR|VALIDATION_INVALID_SCHEMA)$/),
      ]);
      expect(error?.remediation).toBeTruthy();
    }
    await client.close();
    expect((await titles()).length).toBeGreaterThan(1);
  });

  it("sees of other apps and of Ambit itself not even a name", async () => {
    const VIEWS = [
      ["tables", "table_schema"],
      ["columns", "table_schema"],
      ["role_table_grants", "table_schema"],
      ["routines", "routine_schema"],
      ["schemata", "schema_name"],
      ["enabled_roles", "role_name"],
    ] as const;
    const client = await asAgent();
    const other = await newApp(owner);
    for (const as_role of ["owner", "service", "anon"]) {
      for (const [view, schema] of VIEWS) {
        const answer = await run(client, "run_sql", {
          app_id: appId,
          as_role,
          sql: `select * from information_schema.${view} where ${schema} not in ('pg_catalog', 'information_schema')`,
        });
        expect(JSON.stringify(answer)).not.toContain(other);
        expect(JSON.stringify(answer)).not.toMatch(/"(table_schema|schema_name|routine_schema)":"ambit"/);
      }
    }
    await client.close();
  });

  it("explains what Postgres found wrong", async () => {
    const client = await asAgent();
    const unknown = await ask(client, "run_sql", { app_id: appId, sql: "select nothing from notes" });
    expect(unknown.error).toMatchObject({ code: "SQL_ERROR", details: { pg_code: "42703" } });
    const broken = await ask(client, "run_sql", { app_id: appId, sql: "select 1/0" });
    expect(broken.error).toMatchObject({ code: "SQL_ERROR", details: { pg_code: "22012" } });
    await client.close();
  });
});
