import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createSchemaService, type SchemaService } from "./service.ts";
import { schemaApp } from "./testing/schema-app.ts";

let server: TestPlatform;
let schema: SchemaService;
beforeAll(async () => {
  server = await testPlatform();
  schema = createSchemaService(server.platform);
});
afterAll(() => server.stop());
const newApp = async (columns: Record<string, unknown>, rows: object[] = []) => {
  const app = await schemaApp(server, schema);
  await app.apply({ tables: { t: { columns, _seed: rows } } });
  return app;
};
const t = (table: Record<string, unknown>) => ({ tables: { t: table } });

describe("nothing is lost unasked", () => {
  test("tables and columns go only when they are named", async () => {
    const app = await newApp({ a: { type: "int" }, b: { type: "int" } });
    await app.apply({ tables: { u: { columns: { id: { type: "int" } } } } });
    expect(await app.statements({ tables: {} })).toEqual([]);
    expect(await app.statements(t({ columns: { a: { type: "int" } } }))).toEqual([]);
    expect(await app.statements(t({ _dropColumns: ["b", "never_there"] }))).toEqual([
      'alter table "t" drop column "b"',
    ]);
    expect(await app.statements({ _drop: ["t", "never_there"] })).toEqual(['drop table "t"']);
    expect(Object.keys((await app.document()).tables)).toEqual(["u"]);
  });

  test("tables that refer to each other go together", async () => {
    const app = await newApp({ id: { type: "int", primaryKey: true }, u: { type: "int" } });
    await app.apply({
      tables: {
        u: { columns: { id: { type: "int", primaryKey: true }, t: { type: "int", references: "t.id" } } },
        t: { columns: { u: { type: "int", references: "u.id" } } },
      },
    });
    await expect(app.apply({ _drop: ["u"] })).rejects.toMatchObject({
      code: "SCHEMA_MIGRATION_FAILED",
      details: { pg_code: "2BP01" },
    });
    await app.apply({ _drop: ["t", "u"] });
    expect(await app.document()).toEqual({ tables: {} });
  });

  test("a widening needs no word, a narrowing does", async () => {
    const app = await newApp({ n: { type: "int", default: 3 }, s: { type: "varchar(5)", default: "'x'" } }, [
      { n: 1, s: "abc" },
    ]);
    await app.apply(
      t({ columns: { n: { type: "bigint", default: 3 }, s: { type: "text", default: "'x'" } } }),
    );
    const narrow = (more: object) => t({ columns: { n: { type: "smallint", default: 3, ...more } } });
    await expect(app.apply(narrow({}))).rejects.toMatchObject({
      status: 409,
      code: "SCHEMA_DESTRUCTIVE_CHANGE",
      details: ["Change the type of t.n from bigint to smallint"],
    });
    await app.apply(narrow({ allowTypeChange: true }));
    expect(await app.sql("insert into t default values returning n, s")).toEqual([{ n: 3, s: "x" }]);
    await expect(
      app.apply(t({ columns: { s: { type: "int", allowTypeChange: true } } })),
    ).rejects.toMatchObject({ code: "SCHEMA_MIGRATION_FAILED", details: { pg_code: "22P02" } });
    expect((await app.document()).tables.t).toMatchObject({
      columns: { n: { type: "smallint" }, s: { type: "text" } },
    });
  });

  test("a primary key changes only when that is asked for, and can be of several columns", async () => {
    const app = await newApp({ a: { type: "int", primaryKey: true }, b: { type: "int", nullable: false } });
    expect(await app.statements(t({ columns: { a: { type: "int", nullable: false } } }))).toEqual([]);
    await expect(app.apply(t({ primaryKey: ["a", "b"] }))).rejects.toMatchObject({
      code: "SCHEMA_DESTRUCTIVE_CHANGE",
    });
    await app.apply(t({ primaryKey: ["a", "b"], _dropPrimaryKey: true }));
    expect(await app.statements(await app.document())).toEqual([]);
    expect(await app.statements(t({ columns: { a: { type: "int", primaryKey: true } } }))).toEqual([]);
    expect((await app.table("t"))?.primaryKey).toEqual(["a", "b"]);
  });

  test("a dry run of a loss answers, says that it is blocked, and changes nothing", async () => {
    const app = await newApp({ a: { type: "int" } });
    const before = await app.document();
    const { statements, migrationId } = await app.apply(
      t({ columns: { a: { type: "smallint" }, b: { type: "int", default: "1+1" } } }),
      { dryRun: true },
    );
    expect(statements.map(({ destructive, blocked }) => [destructive, blocked])).toEqual([
      [false, false],
      [true, true],
    ]);
    expect(migrationId).toBeNull();
    expect(await app.document()).toEqual(before);
    expect(await schema.migrations(app.id)).toHaveLength(1);
  });
});

describe("what Postgres refuses is explained, and nothing of it stays", () => {
  test("a required column without a default, on a table with rows", async () => {
    const app = await newApp({ a: { type: "int" } }, [{ a: 1 }, { a: null }]);
    const document = t({ columns: { fine: { type: "int" }, b: { type: "int", nullable: false } } });
    await expect(app.apply(document)).rejects.toMatchObject({
      code: "SCHEMA_MIGRATION_FAILED",
      status: 400,
      remediation: expect.stringContaining("default"),
      details: { pg_code: "23502", severity: "ERROR", column: "b", table: "t", existing_row_count: 2 },
    });
    expect((await app.document()).tables.t).toEqual({ columns: { a: { type: "integer", nullable: true } } });
    await expect(app.apply(t({ columns: { a: { type: "int", nullable: false } } }))).rejects.toMatchObject({
      details: { pg_code: "23502", existing_row_count: 2 },
    });
    expect(await schema.migrations(app.id)).toHaveLength(1);
  });

  test("rows that break a new unique constraint or check", async () => {
    const app = await newApp({ a: { type: "int" } }, [{ a: 1 }, { a: 1 }]);
    await expect(app.apply(t({ columns: { a: { type: "int", unique: true } } }))).rejects.toMatchObject({
      details: { pg_code: "23505", constraint: "t_a_key" },
    });
    await expect(app.apply(t({ columns: { a: { type: "int", check: "a > 1" } } }))).rejects.toMatchObject({
      details: { pg_code: "23514" },
    });
  });

  test("a table in use for too long is not waited for without end", async () => {
    const app = await newApp({ a: { type: "int" } });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reader = server.platform.database.ownerTransaction(app.id, async (tx) => {
      await tx.query("select * from t");
      await held;
    });
    const started = performance.now();
    await expect(app.apply(t({ columns: { b: { type: "int" } } }))).rejects.toMatchObject({
      details: { pg_code: "55P03" },
    });
    expect(performance.now() - started).toBeLessThan(20_000);
    release();
    await reader;
  });
});

describe("expressions can't leave their place", () => {
  const attacks = [
    "1); drop table t; --",
    "0) ; create table x(",
    "(select rolpassword from pg_authid limit 1)",
    "set_config('role', 'app_other_owner', true)",
    "pg_sleep(10)",
    "pg_read_file('/etc/passwd')",
    "lo_import('/etc/passwd')",
    "query_to_xml('select 1', true, true, '')",
    "current_setting('is_superuser') || dblink('x')",
  ];
  test("whatever they try, wherever they stand", async () => {
    const app = await newApp({ a: { type: "text" } });
    for (const attack of attacks) {
      const places = [
        t({ columns: { b: { type: "text", default: attack } } }),
        t({ columns: { b: { type: "text", check: attack } } }),
        t({ columns: { b: { type: "text", generated: attack } } }),
        t({ checks: { c: attack } }),
        t({ indexes: { i: { columns: ["a"], where: attack } } }),
        t({ indexes: { i: { columns: [{ expression: attack }] } } }),
      ];
      for (const document of places) {
        const refused = {
          code: "VALIDATION_INVALID_SCHEMA",
          details: expect.arrayContaining([
            expect.objectContaining({ pointer: expect.stringContaining("/tables/t/") }),
          ]),
        };
        await expect(app.apply(document), attack).rejects.toMatchObject(refused);
      }
      await expect(app.apply(places[0], { dryRun: true })).rejects.toMatchObject({
        code: "VALIDATION_INVALID_SCHEMA",
      });
    }
    expect((await app.document()).tables.t).toEqual({ columns: { a: { type: "text", nullable: true } } });
  });

  test("names, types, methods and comments carry no SQL either", async () => {
    const app = await newApp({ a: { type: "text" } });
    const evil = 'a"; drop table t; --';
    const documents = [
      { tables: { [evil]: { columns: { a: { type: "int" } } } } },
      t({ columns: { [evil]: { type: "int" } } }),
      t({ columns: { b: { type: evil } } }),
      t({ indexes: { i: { columns: ["a"], method: evil } } }),
      t({ indexes: { i: { columns: ["a"], opclass: evil } } }),
      t({ columns: { a: { type: "text", references: `t.${evil}` } } }),
      t({ columns: { a: { type: "text", references: { table: "t", column: "a", onDelete: evil } } } }),
      { enums: { [evil]: ["a"] } },
    ];
    for (const document of documents)
      await expect(app.apply(document)).rejects.toMatchObject({ status: 400 });
    await app.apply({
      ...t({ comment: evil, columns: { a: { type: "text", comment: `${evil}\\'` } } }),
      enums: { e: [`'${evil}`, "\\"] },
    });
    expect(await app.document()).toMatchObject({
      enums: { e: [`'${evil}`, "\\"] },
      tables: { t: { comment: evil } },
    });
  });
});
