import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createSchemaService, type SchemaService } from "../schema/service.ts";
import { createRlsService, type RlsService } from "./service.ts";
import { ALICE, BOB, securedApp } from "./testing/secured-app.ts";

let server: TestPlatform;
let schema: SchemaService;
let rls: RlsService;
beforeAll(async () => {
  server = await testPlatform();
  schema = createSchemaService(server.platform);
  rls = createRlsService(server.platform, schema);
});
afterAll(() => server.stop());
const newApp = () => securedApp(server, schema, rls);
const BODIES = "select body from notes order by id";

describe("enable", () => {
  test("closes the table to all but service, says so, and can be repeated", async () => {
    const app = await newApp();
    expect(await app.anon(BODIES)).toHaveLength(2);
    expect(await rls.enable(app.id, "notes")).toEqual([expect.stringContaining("no policy")]);
    expect(await app.anon(BODIES)).toEqual([]);
    expect(await app.user(ALICE, BODIES)).toEqual([]);
    expect(await app.service(BODIES)).toHaveLength(2);
    await app.service("insert into notes (body) values ('x')");
    await rls.enable(app.id, "notes");
    expect(await app.names()).toEqual(["notes_service_bypass"]);
    expect((await schema.tables(app.id)).get("notes")?.rlsEnabled).toBe(true);
  });

  test("is about tables that are there", async () => {
    const app = await newApp();
    await expect(rls.enable(app.id, "nope")).rejects.toMatchObject({
      code: "VALIDATION_TABLE_NOT_FOUND",
      status: 404,
    });
    await expect(rls.enable(app.id, "_notes")).rejects.toMatchObject({
      code: "VALIDATION_RESERVED_TABLE",
      status: 400,
    });
    await expect(rls.enable(app.id, 'notes"; drop table notes; --')).rejects.toMatchObject({ status: 404 });
  });
});

describe("user isolation", () => {
  test("each end user reaches their own rows, whatever they try", async () => {
    const app = await newApp();
    const made = await rls.createUserIsolation(app.id, {
      table: "notes",
      userColumn: "user_id",
      publicReadColumn: undefined,
    });
    expect(made).toEqual({ policy: "notes_user_isolation", publicReads: [] });
    expect(await app.user(ALICE, BODIES)).toEqual(["of alice"]);
    expect(await app.anon(BODIES)).toEqual([]);
    expect(await app.service(BODIES)).toHaveLength(2);
    expect(await app.user(ALICE, "update notes set body = 'mine' returning body")).toEqual(["mine"]);
    expect(await app.user(ALICE, "delete from notes where body = 'of bob' returning id")).toEqual([]);
    await expect(
      app.user(ALICE, `insert into notes (user_id, body) values ('${BOB}', 'forged')`),
    ).rejects.toMatchObject({ code: "42501" });
    await expect(app.user(ALICE, `update notes set user_id = '${BOB}'`)).rejects.toMatchObject({
      code: "42501",
    });
    await expect(app.anon("insert into notes (body) values ('nobody')")).rejects.toMatchObject({
      code: "42501",
    });
  });

  test("inserts are filled with the caller, also after the column and the table are renamed", async () => {
    const app = await newApp();
    await rls.createUserIsolation(app.id, {
      table: "notes",
      userColumn: "user_id",
      publicReadColumn: undefined,
    });
    const insert = (table: string, column: string) =>
      app.user(ALICE, `insert into ${table} (body) values ('new') returning ${column}`);
    expect(await insert("notes", "user_id")).toEqual([ALICE]);
    expect(await app.service("insert into notes (body) values ('new') returning user_id")).toEqual([null]);
    await app.apply({
      tables: {
        memos: { renamedFrom: "notes", columns: { owner: { type: "uuid", renamedFrom: "user_id" } } },
      },
    });
    expect(await insert("memos", "owner")).toEqual([ALICE]);
    expect(await app.names()).toEqual(["memos_service_bypass", "memos_user_isolation"]);
    expect(await app.user(BOB, "select body from memos")).toEqual(["of bob"]);
  });

  test("other columns of a filled row keep their values", async () => {
    const app = await newApp();
    await app.apply({
      tables: {
        wide: {
          columns: {
            owner: { type: "text" },
            n: { type: "numeric" },
            t: { type: "timestamptz" },
            b: { type: "bytea" },
            a: { type: "text[]" },
            j: { type: "json" },
            d: { type: "double precision", default: "0.1" },
            g: { type: "text", generated: "owner || '!'" },
          },
        },
      },
    });
    await rls.createUserIsolation(app.id, {
      table: "wide",
      userColumn: "owner",
      publicReadColumn: undefined,
    });
    const values = `12345678901234567890.123456789, '2026-01-02 03:04:05.678901+00', '\\x00ff', '{"a,b",NULL}', '{"x" : 1, "x":2}'`;
    await app.user(ALICE, `insert into wide (n, t, b, a, j) values (${values})`);
    const [row] = await app.service(
      "select to_jsonb(wide) - 'j' || jsonb_build_object('j', j::text) from wide",
    );
    expect(JSON.parse(row!)).toMatchObject({
      owner: ALICE,
      t: "2026-01-02T03:04:05.678901+00:00",
      b: "\\x00ff",
      a: ["a,b", null],
      j: '{"x" : 1, "x":2}',
      d: 0.1,
      g: `${ALICE}!`,
    });
    expect(row).toContain("12345678901234567890.123456789");
  });

  test("rows that are public can be read by everyone, and changed by nobody else", async () => {
    const app = await newApp();
    const isolation = { table: "notes", userColumn: "user_id", publicReadColumn: "open" };
    const { publicReads } = await rls.createUserIsolation(app.id, isolation);
    expect(publicReads).toEqual(["notes_public_read_user", "notes_public_read_anon"]);
    expect(await app.anon(BODIES)).toEqual(["of bob"]);
    expect(await app.user(ALICE, BODIES)).toEqual(["of alice", "of bob"]);
    expect(await app.user(ALICE, "update notes set body = 'x' where body = 'of bob' returning id")).toEqual(
      [],
    );
    await rls.createUserIsolation(app.id, { ...isolation, publicReadColumn: undefined });
    expect(await app.anon(BODIES)).toEqual([]);
  });

  test("the condition is plain, so that an index serves it", async () => {
    const app = await newApp();
    await app.apply({ tables: { notes: { indexes: { by_user: { columns: ["user_id"] } } } } });
    await rls.createUserIsolation(app.id, {
      table: "notes",
      userColumn: "user_id",
      publicReadColumn: undefined,
    });
    const { policies } = await rls.list(app.id);
    expect(policies.find(({ policyname }) => policyname === "notes_user_isolation")).toMatchObject({
      qual: "(user_id = (current_user_id())::uuid)",
      with_check: "(user_id = (current_user_id())::uuid)",
      roles: ["butterbase_user"],
      cmd: "ALL",
    });
    await app.owner(
      "insert into notes (user_id) select gen_random_uuid() from generate_series(1, 2000); analyze notes",
    );
    expect((await app.user(ALICE, "explain select * from notes")).join("\n")).toMatch(
      /Index.* on by_user|using by_user/,
    );
  });

  test("columns that can't hold a user's id, or can't be read as public, are refused", async () => {
    const app = await newApp();
    const isolate = (userColumn: string, publicReadColumn?: string) =>
      rls.createUserIsolation(app.id, { table: "notes", userColumn, publicReadColumn });
    await expect(isolate("id")).rejects.toMatchObject({ code: "RLS_TYPE_MISMATCH" });
    await expect(isolate("constructor")).rejects.toMatchObject({
      code: "VALIDATION_COLUMN_NOT_FOUND",
      status: 400,
    });
    await expect(isolate("user_id", "team")).rejects.toMatchObject({ code: "RLS_TYPE_MISMATCH" });
    expect((await schema.tables(app.id)).get("notes")?.rlsEnabled, "nothing of it stays").toBe(false);
  });
});

describe("policies", () => {
  test("without a role they are about anonymous callers and end users, never about service", async () => {
    const app = await newApp();
    const warnings = await app.policy("closed_notes", { command: "SELECT", using: "open" });
    expect(warnings).toEqual([expect.stringContaining("is on now")]);
    expect(await app.anon(BODIES)).toEqual(["of bob"]);
    expect(await app.user(ALICE, BODIES)).toEqual(["of bob"]);
    await app.policy("nothing", { using: "false", restrictive: true });
    expect(await app.anon(BODIES)).toEqual([]);
    expect(await app.service(BODIES)).toHaveLength(2);
  });

  test("one of the same name takes the other's place, and a refused one leaves it as it was", async () => {
    const app = await newApp();
    await app.policy("p", { role: "user", using: "user_id = current_user_id()::uuid" });
    await expect(app.policy("p", { role: "user", using: "nope = 1" })).rejects.toMatchObject({
      code: "RLS_INVALID_EXPRESSION",
    });
    expect(await app.user(ALICE, BODIES)).toEqual(["of alice"]);
    await app.policy("p", { role: "user", using: "team = 'b'" });
    expect(await app.user(ALICE, BODIES)).toEqual(["of bob"]);
    expect(await app.names()).toEqual(["notes_service_bypass", "p"]);
  });

  test("an update changes what it names and keeps the rest", async () => {
    const app = await newApp();
    await app.policy("p", { role: "user", command: "SELECT", using: "team = 'a'" });
    await rls.updatePolicy(app.id, "notes", "p", { using: "team = 'b'" });
    expect(await app.user(ALICE, BODIES)).toEqual(["of bob"]);
    await rls.updatePolicy(app.id, "notes", "p", { role: "anon" });
    expect(await app.user(ALICE, BODIES)).toEqual([]);
    expect(await app.anon(BODIES)).toEqual(["of bob"]);
    await rls.updatePolicy(app.id, "notes", "p", { command: "ALL", check: "team = 'b'" });
    const { policies } = await rls.list(app.id);
    expect(policies.find(({ policyname }) => policyname === "p")).toMatchObject({
      cmd: "ALL",
      qual: "(team = 'b'::text)",
      with_check: "(team = 'b'::text)",
      roles: ["butterbase_anon"],
    });
    await expect(rls.updatePolicy(app.id, "notes", "nope", {})).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
  });

  test("user_column fills the column on insert", async () => {
    const app = await newApp();
    await app.policy("p", {
      role: "user",
      using: "true",
      check: "user_id = current_user_id()::uuid",
      userColumn: "user_id",
    });
    expect(await app.user(ALICE, "insert into notes (body) values ('x') returning user_id")).toEqual([ALICE]);
    await expect(app.policy("q", { using: "true", userColumn: "id" })).rejects.toMatchObject({
      code: "RLS_TYPE_MISMATCH",
    });
  });

  test("the way of service into a table can't be taken or replaced", async () => {
    const app = await newApp();
    const bypass = "notes_service_bypass";
    await expect(app.policy(bypass, { using: "true" })).rejects.toMatchObject({
      code: "RLS_POLICY_PROTECTED",
      status: 409,
    });
    await rls.enable(app.id, "notes");
    await expect(app.policy(bypass, { using: "true" })).rejects.toMatchObject({
      code: "RLS_POLICY_PROTECTED",
    });
    await expect(rls.deletePolicy(app.id, "notes", bypass)).rejects.toMatchObject({
      code: "RLS_POLICY_PROTECTED",
    });
    await expect(rls.updatePolicy(app.id, "notes", bypass, { using: "false" })).rejects.toMatchObject({
      code: "RLS_POLICY_PROTECTED",
    });
    expect(await app.service(BODIES)).toHaveLength(2);
  });

  test("one is deleted, or all with the table's protection", async () => {
    const app = await newApp();
    await app.policy("p", { using: "open" });
    await app.policy("q", { using: "open" });
    expect(await rls.deletePolicy(app.id, "notes", "p")).toEqual({ remaining: 2, warnings: [] });
    expect(await rls.deletePolicy(app.id, "notes", "q")).toEqual({
      remaining: 1,
      warnings: [expect.stringContaining("no policy")],
    });
    await expect(rls.deletePolicy(app.id, "notes", "q")).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
      status: 404,
    });
    expect(await rls.disable(app.id, "notes")).toBe(1);
    await expect(rls.disable(app.id, "notes")).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
      status: 404,
    });
    expect(await app.anon(BODIES)).toHaveLength(2);
    await expect(rls.disable(app.id, "nope")).rejects.toMatchObject({ code: "VALIDATION_TABLE_NOT_FOUND" });
  });

  test("changes at the same time follow one another", async () => {
    const app = await newApp();
    const elsewhere = createRlsService(server.platform, createSchemaService(server.platform));
    const orders = Array.from({ length: 12 }, (_, i) =>
      (i % 2 === 0 ? rls : elsewhere).createPolicy(app.id, {
        table: "notes",
        name: `p${i % 3}`,
        command: "SELECT",
        role: undefined,
        restrictive: false,
        using: `team = 't${i}'`,
        check: null,
        userColumn: undefined,
      }),
    );
    await Promise.all(orders);
    expect(await app.names()).toEqual(["notes_service_bypass", "p0", "p1", "p2"]);
  });
});

describe("others who use the same tables", () => {
  test("are waited for: a policy that met one of them in a deadlock is tried again", async () => {
    const app = await newApp();
    await app.apply({ tables: { members: { columns: { team: { type: "text", primaryKey: true } } } } });
    const { promise: held, resolve: hold } = Promise.withResolvers<void>();
    const { promise: waited, resolve: wait } = Promise.withResolvers<void>();
    const other = server.platform.database.ownerTransaction(app.id, async (tx) => {
      await tx.query("lock table members in access exclusive mode");
      hold();
      await waited;
      await tx.query("select from notes");
    });
    await held;
    const made = rls.createPolicy(app.id, {
      ...{ table: "notes", name: "teams", command: "SELECT", role: "user", restrictive: false },
      ...{ using: "team in (select m.team from members m)", check: null, userColumn: undefined },
    });
    // It has `notes` and waits for `members` by then; it looks for deadlocks only after a second.
    setTimeout(wait, 400);
    await other;
    expect(await made).toEqual([expect.stringContaining("is on now")]);
    expect(await app.names()).toContain("teams");
  });
});
