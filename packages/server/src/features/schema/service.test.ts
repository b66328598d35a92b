import { afterAll, beforeAll, expect, test } from "vitest";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createSchemaService, type SchemaService } from "./service.ts";
import { insertMigration } from "./store.ts";
import { schemaApp } from "./testing/schema-app.ts";

let server: TestPlatform;
let schema: SchemaService;
beforeAll(async () => {
  server = await testPlatform();
  schema = createSchemaService(server.platform);
});
afterAll(() => server.stop());
const newApp = () => schemaApp(server, schema);
const table = (columns: Record<string, unknown>) => ({ tables: { t: { columns } } });

test("readers of tables get columns, keys and rights", async () => {
  const app = await newApp();
  await app.apply({
    enums: { mood: ["ok", "bad"] },
    tables: {
      p: { columns: { id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" } } },
      t: {
        columns: {
          a: { type: "bigint", identity: "always", primaryKey: true },
          b: { type: "mood[]", readableBy: ["user"] },
          c: { type: "varchar(5)", unique: true, nullable: false },
          d: { type: "uuid", references: "p.id" },
          e: { type: "int", generated: "length(c)" },
        },
        indexes: {
          ce: { columns: ["c", "e"], unique: true },
          part: { columns: ["e"], unique: true, where: "e > 1" },
        },
      },
    },
  });
  const column = { hasDefault: false, generated: false, isArray: false, nullable: true, hiddenFrom: [] };
  expect(await app.table("t")).toEqual({
    name: "t",
    oid: expect.any(Number),
    columns: [
      {
        ...column,
        name: "a",
        type: "bigint",
        typeOid: 20,
        nullable: false,
        hasDefault: true,
        generated: true,
      },
      {
        ...column,
        name: "b",
        type: "mood[]",
        typeOid: expect.any(Number),
        isArray: true,
        enumValues: ["ok", "bad"],
        hiddenFrom: ["anon"],
      },
      { ...column, name: "c", type: "varchar(5)", typeOid: 1043, nullable: false },
      { ...column, name: "d", type: "uuid", typeOid: 2950 },
      { ...column, name: "e", type: "integer", typeOid: 23, hasDefault: true, generated: true },
    ],
    primaryKey: ["a"],
    foreignKeys: [{ name: "fk_t_d", columns: ["d"], refTable: "p", refColumns: ["id"] }],
    uniques: expect.arrayContaining([["c"], ["c", "e"]]),
    rlsEnabled: false,
    replicaIdentity: "default",
  });
  expect((await app.table("t"))?.uniques).toHaveLength(2);
});

test("tables are fresh after a change here, and soon after one made elsewhere", async () => {
  const app = await newApp();
  const elsewhere = createSchemaService(server.platform);
  expect((await elsewhere.tables(app.id)).size).toBe(0);
  await app.apply(table({ a: { type: "int" } }));
  expect((await schema.tables(app.id)).size).toBe(1);
  await expect.poll(async () => (await elsewhere.tables(app.id)).size, { timeout: 1_500 }).toBe(1);
});

test("tables can be read while a change holds them", async () => {
  const app = await newApp();
  await app.apply(table({ a: { type: "int" } }));
  await schema.change(app.id, "schema", async (tx) => {
    await tx.query("alter table t add column b int");
    schema.forget(app.id);
    expect((await app.table("t"))?.columns).toHaveLength(1);
  });
  expect((await app.table("t"))?.columns).toHaveLength(2);
});

test("concurrent applies, also of several nodes, follow one another", async () => {
  const app = await newApp();
  const nodes = Array.from({ length: 5 }, () => createSchemaService(server.platform));
  await Promise.all(nodes.map((node) => node.read(app.id)));
  for (let round = 0; round < 4; round++) {
    const columns = { id: { type: "serial", primaryKey: true }, name: { type: "text", unique: true } };
    const applies = [...nodes, ...nodes].map((node, i) =>
      node.apply({
        appId: app.id,
        document: { tables: { [`t${round}`]: { columns: { ...columns, [`c${i % 2}`]: { type: "int" } } } } },
        name: `${round}.${i}`,
        dryRun: false,
        signal: AbortSignal.timeout(20_000),
      }),
    );
    const changed = (await Promise.all(applies)).filter(({ migrationId }) => migrationId !== null);
    expect(changed).toHaveLength(2);
  }
  expect(await schema.migrations(app.id)).toHaveLength(8);
});

test("a change whose caller has gone does not come true", async () => {
  const app = await newApp();
  const caller = new AbortController();
  const document = table({ a: { type: "int" } });
  const order = { appId: app.id, document, name: "late", dryRun: false, signal: caller.signal };
  const { database } = server.platform;
  let applied: Promise<unknown> = Promise.resolve();
  await schema.change(app.id, "schema", async () => {
    applied = createSchemaService(server.platform).apply(order);
    applied.catch(() => {});
    await expect
      .poll(() => database.query("select from pg_locks where locktype = 'advisory' and not granted"))
      .not.toEqual([]);
    caller.abort();
  });
  await expect(applied).rejects.toThrow(/abort/i);
  expect(await app.document()).toEqual({ tables: {} });
  expect(await schema.migrations(app.id)).toEqual([]);
});

test("the history has what was applied, and only that", async () => {
  const app = await newApp();
  const { migrationId } = await app.apply(table({ a: { type: "int" } }), { name: "first" });
  await app.apply(table({ a: { type: "int" } }), { name: "nothing to do" });
  await expect(app.apply(table({ a: { type: "smallint" } }))).rejects.toThrow();
  await app.apply(table({ b: { type: "int" } }), { name: "second" });
  const migrations = await schema.migrations(app.id);
  expect(migrations.map(({ description }) => description)).toEqual(["first", "second"]);
  expect(migrations[0]).toMatchObject({
    id: migrationId,
    applied_sql: expect.stringContaining("create table"),
    applied_at: expect.any(Date),
  });
});

test("the history is right whenever the process dies", async () => {
  const app = await newApp();
  const { database } = server.platform;
  const note = async (commit: boolean) => {
    let row = "";
    await database
      .ownerTransaction(app.id, async (tx) => {
        await tx.query(`create table "dies_${commit}" (a int)`);
        const [current] = await tx.query<{ id: string }>("select pg_current_xact_id()::text as id");
        row = await insertMigration(database, {
          appId: app.id,
          description: String(commit),
          sql: "",
          transactionId: current!.id,
        });
        expect(await schema.migrations(app.id), "under way").not.toContainEqual(
          expect.objectContaining({ id: row }),
        );
        if (!commit) throw new Error("dies before the commit");
      })
      .catch(() => {});
    return row;
  };
  const [gone, kept] = [await note(false), await note(true)];
  expect((await schema.migrations(app.id)).map(({ id }) => id)).toEqual([kept]);
  const left = await database.query("select id from ambit.schema_migrations where id = $1", [gone]);
  expect(left).toEqual([]);
});

test("each change is announced to readers of the write-ahead log, at its place", async () => {
  const app = await newApp();
  const { database } = server.platform;
  const slot = `announce_${app.id}`;
  await database.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
  try {
    await app.apply(table({ a: { type: "int" } }));
    await app.apply(table({ a: { type: "int" } }));
    await schema.change(app.id, "policy", (tx) => tx.query("alter table t enable row level security"));
    const messages = await database.query<{ data: string }>(
      "select encode(data, 'escape') as data from pg_logical_slot_get_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', 'none', 'messages', 'true') where get_byte(data, 0) = ascii('M')",
      [slot],
    );
    const what = messages.map(({ data }) => /"what" : "(\w+)"/.exec(data)?.[1]);
    expect(what).toEqual(["schema", "policy"]);
    expect(messages[0]?.data).toContain(`"app" : "${app.id}"`);
  } finally {
    await database.query("select pg_drop_replication_slot($1)", [slot]);
  }
});

test("an app can't have more than 50 tables, however they come", async () => {
  const app = await newApp();
  const many = (prefix: string, count: number) => ({
    tables: Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`${prefix}${i}`, { columns: { id: { type: "int" } } }]),
    ),
  });
  await app.apply(many("a", 30));
  await expect(app.apply(many("b", 21))).rejects.toMatchObject({ code: "QUOTA_TABLE_LIMIT" });
  await app.apply({ ...many("b", 21), _drop: ["a0"] });
  expect((await schema.tables(app.id)).size).toBe(50);
});

test("the tables an app makes are its own", async () => {
  const [one, two] = [await newApp(), await newApp()];
  await one.apply(table({ a: { type: "int" } }));
  await expect(two.sql(`select * from "${one.id}".t`)).rejects.toThrow(/permission denied/);
  const [row] = await one.sql("select tableowner from pg_tables where tablename = 't' and schemaname = $1", [
    one.id,
  ]);
  expect(row).toEqual({ tableowner: tenantRole(one.id, "owner") });
});
