import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createSchemaService, type SchemaService } from "../schema/service.ts";
import { createRlsService, type RlsService } from "./service.ts";
import { ALICE, securedApp } from "./testing/secured-app.ts";

let server: TestPlatform;
let schema: SchemaService;
let rls: RlsService;
let app: Awaited<ReturnType<typeof securedApp>>;
let other: Awaited<ReturnType<typeof securedApp>>;
beforeAll(async () => {
  server = await testPlatform();
  schema = createSchemaService(server.platform);
  rls = createRlsService(server.platform, schema);
  [app, other] = [await securedApp(server, schema, rls), await securedApp(server, schema, rls)];
});
afterAll(() => server.stop());

describe("what could leave its place or reach further is refused", () => {
  const unsafe = [
    "set_config('role', 'app_other_owner', true) is not null",
    "exists (select from pg_authid where rolsuper)",
    "exists (select 1 from pg_catalog.pg_shadow)",
    "pg_sleep(100) is null",
    "(select count(*) from information_schema.tables) > 0",
    "query_to_xml('select 1', true, true, '') is not null",
    "current_setting('data_directory') <> ''",
    "nextval('notes_id_seq') > 0",
    "lo_get(1) is not null",
    "pg_read_file('/etc/passwd') is not null",
    "ambit_helpers.announce_change('policy') is null",
    "true, false",
    "open order by 1",
    "with x as (insert into notes default values returning 1) select true from x",
  ];
  test.each(unsafe)("%s", async (using) => {
    await expect(app.policy("p", { using })).rejects.toMatchObject({
      status: 400,
      code: expect.stringMatching(/^RLS_(UNSAFE|INVALID)_EXPRESSION$/),
      details: { field: "using_expression", problems: expect.any(Array) },
    });
  });

  test("statements behind the expression", async () => {
    for (const using of [
      "true) ; drop table notes --",
      "true); drop table notes; create policy x on notes using (true",
      "true; drop table notes",
      "true) to public --",
      "true) with check (true",
    ]) {
      await expect(app.policy("p", { using }), using).rejects.toMatchObject({
        status: 400,
        code: expect.stringMatching(/^RLS_/),
      });
      await expect(app.policy("p", { check: using }), using).rejects.toMatchObject({ status: 400 });
    }
    expect(await app.service("select count(*) from notes")).toEqual(["2"]);
  });

  test("another app's tables", async () => {
    const using = `exists (select 1 from "${other.id}".notes)`;
    await expect(app.policy("p", { using })).rejects.toMatchObject({
      code: "RLS_UNSAFE_EXPRESSION",
      details: { problems: [{ code: "SCHEMA_NOT_ALLOWED" }] },
    });
  });

  test("names of policies carry no SQL", async () => {
    await app.policy('p" on notes; drop table notes; --'.slice(0, 60), { using: "true" });
    expect(await app.service("select count(*) from notes")).toEqual(["2"]);
    await rls.disable(app.id, "notes");
  });
});

describe("what Postgres can't evaluate is explained before it counts", () => {
  const refused: [string, string, string, RegExp][] = [
    ["user_id = current_user_id()", "RLS_TYPE_MISMATCH", "42883", /::uuid/],
    ["id = current_user_id()", "RLS_TYPE_MISMATCH", "42883", /[Cc]ast/],
    ["body", "RLS_TYPE_MISMATCH", "42804", /./],
    ["user_id = 'nobody'", "RLS_TYPE_MISMATCH", "22P02", /./],
    ["owner_id = current_user_id()", "RLS_INVALID_EXPRESSION", "42703", /columns/],
    ["exists (select from members where true)", "RLS_INVALID_EXPRESSION", "42P01", /tables/],
    ["lower(id) = 'x'", "RLS_INVALID_EXPRESSION", "42883", /./],
    ["exists (select from notes n where n.team = 'a')", "RLS_INVALID_EXPRESSION", "42P17", /./],
  ];
  test.each(refused)("%s", async (using, code, pgCode, remediation) => {
    await expect(app.policy("p", { using })).rejects.toMatchObject({
      status: 400,
      code,
      remediation: expect.stringMatching(remediation),
      details: { pg_code: pgCode },
    });
    expect(await app.names()).toEqual([]);
  });

  test("what only fails when it runs, and only for some callers", async () => {
    const using = "(current_setting('request.jwt.claims', true)::jsonb ->> 'org') = team";
    await expect(app.policy("p", { role: "anon", using })).rejects.toMatchObject({
      code: "RLS_TYPE_MISMATCH",
      details: { pg_code: "22P02" },
    });
    // Postgres plans this one without looking into it.
    const deep = `case when team is null or team = 'a' then ${using} else false end`;
    await expect(app.policy("p", { role: "anon", using: deep })).rejects.toMatchObject({
      code: "RLS_TYPE_MISMATCH",
    });
    await app.policy("p", { role: "user", using: deep });
    await rls.disable(app.id, "notes");
  });

  test("two tables that ask each other", async () => {
    await app.apply({
      tables: { members: { columns: { user_id: { type: "uuid" }, team: { type: "text" } } } },
    });
    await app.policy("by_team", {
      role: "user",
      using: "team in (select m.team from members m where m.user_id = current_user_id()::uuid)",
    });
    await app.owner(`insert into members values ('${ALICE}', 'b')`);
    expect(await app.user(ALICE, "select body from notes")).toEqual(["of bob"]);
    const using = "exists (select from notes where notes.team = members.team)";
    await expect(app.policy("back", { table: "members", role: "user", using })).rejects.toMatchObject({
      code: "RLS_INVALID_EXPRESSION",
      details: { pg_code: "42P17" },
      remediation: expect.stringContaining("ask each other"),
    });
    await app.apply({ tables: { members: { columns: { team: { type: "text", readableBy: [] } } } } });
    const hidden = "team in (select m.team from members m)";
    await expect(app.policy("hidden", { role: "anon", using: hidden })).rejects.toMatchObject({
      details: { pg_code: "42501" },
    });
  });

  test("a table none of whose columns a caller may read can still have policies", async () => {
    await app.apply({ tables: { secrets: { columns: { v: { type: "text", readableBy: [] } } } } });
    await app.policy("write_only", { table: "secrets", command: "INSERT", check: "v <> ''" });
    await app.policy("all", { table: "secrets", using: "v <> ''" });
    await app.anon("insert into secrets values ('x')");
    await expect(app.anon("insert into secrets values ('')")).rejects.toMatchObject({ code: "42501" });
  });
});

describe("what Postgres would take to mean something else", () => {
  test("expressions that a command does not have", async () => {
    await expect(app.policy("p", {})).rejects.toMatchObject({ code: "VALIDATION_MISSING_FIELD" });
    await expect(app.policy("p", { command: "INSERT", using: "true" })).rejects.toMatchObject({
      code: "RLS_INVALID_EXPRESSION",
      remediation: expect.stringContaining("with_check_expression"),
    });
    await expect(app.policy("p", { command: "SELECT", check: "true" })).rejects.toMatchObject({
      code: "RLS_INVALID_EXPRESSION",
    });
    await expect(app.policy("p", { using: "  " })).rejects.toMatchObject({ code: "RLS_INVALID_EXPRESSION" });
  });

  test("comments are no way out", async () => {
    await app.policy("p", { command: "SELECT", role: "anon", using: "true -- everyone" });
    await app.policy("q", { command: "SELECT", role: "anon", using: "/* a */ open /* b */" });
    await rls.disable(app.id, "notes");
  });
});
