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
const newApp = () => schemaApp(server, schema);
const one = <C extends Record<string, unknown>>(columns: C, more: Record<string, unknown> = {}) => ({
  tables: { t: { columns: { id: { type: "serial", primaryKey: true }, ...columns }, ...more } },
});

describe("what a document says comes true", () => {
  test("aliases, serial numbers and expressions compare equal when the same document is applied again", async () => {
    const app = await newApp();
    const document = one({
      a: { type: "int4", default: 0 },
      b: { type: "DECIMAL(10,2)", default: "-1" },
      c: { type: "bool", default: "NOT TRUE" },
      d: { type: "character varying(40)", default: "'x'", check: "length( d )<9" },
      e: { type: "float8" },
      f: { type: "timestamp with time zone", default: "NOW()" },
      g: { type: "text[]", default: "'{}'" },
      owner: { type: "text", default: "current_user_id()" },
      h: { type: "bigint", identity: "by_default" },
      i: { type: "text", generated: "lower(d)||'!'" },
    });
    expect(await app.statements(document)).not.toEqual([]);
    expect(await app.statements(document)).toEqual([]);
    expect(await app.statements(await app.document())).toEqual([]);
  });

  test("a partial document leaves other tables, columns and indexes alone", async () => {
    const app = await newApp();
    await app.apply({ ...one({ a: { type: "text" } }, { indexes: { by_a: { columns: ["a"] } } }) });
    await app.apply({ tables: { other: { columns: { id: { type: "int", primaryKey: true } } } } });
    expect(await app.statements({ tables: { t: { columns: { b: { type: "int" } } } } })).toEqual([
      'alter table "t" add column "b" integer',
    ]);
    const { tables } = await app.document();
    expect(Object.keys(tables)).toEqual(["other", "t"]);
    expect(tables.t).toMatchObject({ columns: { a: {}, b: {} }, indexes: { by_a: {} } });
  });

  test("unique, references, default, check and nullable go on and off with the column", async () => {
    const app = await newApp();
    await app.apply({ tables: { p: { columns: { id: { type: "int", primaryKey: true } } } } });
    const bare = one({ a: { type: "int" } });
    const full = one({
      a: {
        type: "int",
        nullable: false,
        unique: true,
        default: 4,
        check: "a > 0",
        references: { table: "p", column: "id", onDelete: "cascade" },
      },
    });
    await app.apply(bare);
    expect(await app.statements(full)).toHaveLength(5);
    expect(await app.statements(full)).toEqual([]);
    const changed = structuredClone(full);
    changed.tables.t.columns.a.references.onDelete = "SET NULL";
    expect(await app.statements(changed)).toHaveLength(2);
    expect(await app.statements(bare)).toHaveLength(5);
    expect((await app.document()).tables.t).toEqual({
      columns: {
        id: { type: "serial", primaryKey: true, nullable: false },
        a: { type: "integer", nullable: true },
      },
    });
  });

  test("an index that is declared otherwise is made anew; one that is not declared stays until it is dropped", async () => {
    const app = await newApp();
    const index = (value: unknown) => one({ a: { type: "text" } }, { indexes: { i: value } });
    await app.apply(index({ columns: ["a"] }));
    for (const changed of [
      { columns: ["a"], unique: true },
      { columns: [{ column: "a", order: "desc" }] },
      { columns: ["a"], where: "a <> ''" },
      { columns: [{ expression: "lower(a)" }] },
      { columns: ["a"], method: "gin", opclass: "gin_trgm_ops" },
      { columns: ["a"], opclass: "text_pattern_ops" },
    ]) {
      expect(await app.statements(index(changed))).toHaveLength(2);
      expect(await app.statements(index(changed))).toEqual([]);
    }
    expect(await app.statements(one({ a: { type: "text" } }))).toEqual([]);
    expect(
      await app.statements(one({ a: { type: "text" } }, { _dropIndexes: ["i", "never_there"] })),
    ).toEqual(['drop index "i"']);
  });

  test("renames keep the rows, and what was named after the table follows", async () => {
    const app = await newApp();
    await app.apply(one({ a: { type: "text", unique: true, check: "a <> ''" } }, { _seed: [{ a: "kept" }] }));
    await app.apply({ tables: { child: { columns: { t_id: { type: "int", references: "t.id" } } } } });
    const renamed = {
      tables: {
        u: {
          renamedFrom: "t",
          columns: {
            id: { type: "serial", primaryKey: true },
            b: { type: "text", unique: true, check: "b <> ''", renamedFrom: "a" },
          },
        },
      },
    };
    await app.apply(renamed);
    expect(await app.sql("select * from u")).toEqual(
      [{ id: 1, a: undefined, b: "kept" }].map(({ id, b }) => ({ id, b })),
    );
    expect(await app.statements(renamed)).toEqual([]);
    expect(await app.statements(await app.document())).toEqual([]);
    expect((await app.document()).tables.child).toMatchObject({
      columns: { t_id: { references: { table: "u", column: "id" } } },
    });
    const fresh = await newApp();
    await fresh.apply(renamed);
    expect((await fresh.document()).tables.u).toEqual((await app.document()).tables.u);
  });

  test("numbering a column that has values goes on above them", async () => {
    const app = await newApp();
    await app.apply({
      tables: {
        t: {
          columns: { n: { type: "int", primaryKey: true }, m: { type: "bigint" } },
          _seed: [{ n: 7, m: 3 }],
        },
      },
    });
    const numbered = {
      tables: {
        t: {
          columns: { n: { type: "serial", primaryKey: true }, m: { type: "bigint", identity: "always" } },
        },
      },
    };
    await app.apply(numbered);
    expect(await app.sql("insert into t default values returning *")).toEqual([{ n: 8, m: "4" }]);
    expect(await app.statements(numbered)).toEqual([]);
    await app.apply({
      tables: {
        t: {
          columns: { n: { type: "bigserial", primaryKey: true }, m: { type: "bigint", nullable: false } },
        },
      },
    });
    expect((await app.document()).tables.t).toMatchObject({
      columns: { n: { type: "bigserial" }, m: { type: "bigint", nullable: false } },
    });
    expect(await app.sql("insert into t (m) values (1) returning n")).toEqual([{ n: "9" }]);
  });

  test("seeds fill a table once, when it is made, defaults included", async () => {
    const app = await newApp();
    const document = {
      tables: {
        child: { columns: { p: { type: "int", references: "parent.id" } }, _seed: [{ p: 1 }] },
        parent: {
          columns: {
            id: { type: "int", primaryKey: true },
            at: { type: "timestamptz", default: "now()" },
            tags: { type: "text[]" },
            extra: { type: "jsonb" },
          },
          _seed: [
            { id: 1, tags: ["a", "it's"], extra: { x: [1] } },
            { id: 2, at: null },
          ],
        },
      },
    };
    await app.apply(document);
    expect(await app.statements(document)).toEqual([]);
    const rows = await app.sql("select id, at is null as never, tags, extra from parent order by id");
    expect(rows).toEqual([
      { id: 1, never: false, tags: ["a", "it's"], extra: { x: [1] } },
      { id: 2, never: true, tags: null, extra: null },
    ]);
  });
});

describe("enums", () => {
  const document = (values: string[], more: Record<string, unknown> = {}) => ({
    enums: { mood: values },
    tables: {
      t: { columns: { m: { type: "mood", default: `'${values.at(-1)}'` }, ms: { type: "mood[]" } } },
    },
    ...more,
  });

  test("values are added in their place, and can be used at once", async () => {
    const app = await newApp();
    await app.apply(document(["ok", "bad"]));
    await app.sql("insert into t values ('ok', '{ok,bad}')");
    await app.apply({ enums: { mood: ["fine", "ok", "so-so", "bad"] } });
    await app.apply(document(["fine", "ok", "so-so", "bad", "awful"]));
    expect((await app.document()).enums).toEqual({ mood: ["fine", "ok", "so-so", "bad", "awful"] });
    expect(await app.sql("insert into t default values returning m::text")).toEqual([{ m: "awful" }]);
    expect(await app.sql("select ms::text from t where m = 'ok'")).toEqual([{ ms: "{ok,bad}" }]);
  });

  test("checks and indexes on an enum live through its being made anew", async () => {
    const app = await newApp();
    await app.apply({
      enums: { mood: ["ok", "bad"] },
      tables: {
        t: {
          columns: {
            m: { type: "mood", check: "m <> 'bad'" },
            gone: { type: "mood" },
            free: { type: "mood" },
          },
          indexes: { i: { columns: [{ expression: "m = 'ok'" }], where: "m in ('ok', 'bad')" } },
          _seed: [{ m: "ok", gone: "bad", free: "bad" }],
        },
      },
    });
    const before = (await app.document()).tables.t as { columns: { m: object }; indexes: object };
    await app.apply({
      enums: { mood: ["bad", "ok", "new"] },
      tables: {
        t: {
          columns: { free: { type: "text" }, later: { type: "mood", default: "'new'" } },
          _dropColumns: ["gone"],
        },
      },
    });
    const after = (await app.document()).tables.t;
    expect(after).toMatchObject({
      columns: { m: before.columns.m, free: { type: "text" } },
      indexes: before.indexes,
    });
    expect(await app.sql("select m::text, free, later::text from t")).toEqual([
      { m: "ok", free: "bad", later: "new" },
    ]);
  });

  test("values go only when that is asked for, and not while rows hold them", async () => {
    const app = await newApp();
    await app.apply(document(["ok", "bad"]));
    await app.sql("insert into t (m) values ('bad')");
    await expect(app.apply(document(["ok"]))).rejects.toMatchObject({
      code: "SCHEMA_DESTRUCTIVE_CHANGE",
      details: ["Remove bad from enum mood"],
    });
    const asked = document(["ok"], { _dropEnumValues: { mood: ["bad"] } });
    await expect(app.apply(asked)).rejects.toMatchObject({
      code: "SCHEMA_MIGRATION_FAILED",
      details: { pg_code: "22P02" },
    });
    await app.sql("update t set m = 'ok'");
    await app.apply(asked);
    expect((await app.document()).enums).toEqual({ mood: ["ok"] });
    await app.apply({ _drop: ["t"], _dropEnums: ["mood"] });
    expect(await app.document()).toEqual({ tables: {} });
  });
});

describe("readableBy", () => {
  const table = (columns: Record<string, unknown>) => ({
    tables: { t: { columns: { id: { type: "int" }, ...columns } } },
  });

  test("a hidden column can't be read, and columns added later can", async () => {
    const app = await newApp();
    await app.apply(
      table({ email: { type: "text", readableBy: ["user"] }, hash: { type: "text", readableBy: [] } }),
    );
    await expect(app.as("anon", "select email from t")).rejects.toThrow(/permission denied/);
    await expect(app.as("anon", "select id from t where email = 'x'")).rejects.toThrow(/permission denied/);
    await expect(app.as("user", "select hash from t")).rejects.toThrow(/permission denied/);
    await app.as("user", "select id, email from t");
    await app.as("service", "select * from t");
    await app.apply({ tables: { t: { columns: { later: { type: "int" } } } } });
    await app.as("anon", "select later from t");
    expect((await app.table("t"))?.columns.map(({ name, hiddenFrom }) => [name, hiddenFrom])).toEqual([
      ["id", []],
      ["email", ["anon"]],
      ["hash", ["anon", "user"]],
      ["later", []],
    ]);
  });

  test("it is part of what is fetched, and goes off again", async () => {
    const app = await newApp();
    await app.apply(table({ email: { type: "text", readableBy: ["user"] } }));
    const fetched = await app.document();
    expect(fetched.tables.t).toMatchObject({ columns: { email: { readableBy: ["user", "service"] } } });
    expect(await app.statements(fetched)).toEqual([]);
    await app.apply(table({ email: { type: "text" } }));
    await app.as("anon", "select * from t");
    expect(
      await app.statements(table({ email: { type: "text", readableBy: ["anon", "user", "service"] } })),
    ).toEqual([]);
  });
});
