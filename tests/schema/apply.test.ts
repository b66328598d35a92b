import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { id } from "./documents.ts";
import { codeOf, type Document, expectNothingToDo, type SchemaApp, schemaApp } from "./schema-app.ts";

let server: Server;
let owner: Api;
beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterAll(() => discard(server));

/** Two tables with rows in them. */
async function shop(): Promise<SchemaApp> {
  const app = await schemaApp(owner);
  must(
    await app.apply({
      enums: { state: ["new", "paid", "sent"] },
      tables: {
        buyers: {
          comment: "Who buys",
          columns: {
            id: { type: "int", primaryKey: true },
            name: { type: "text", unique: true, nullable: false },
          },
          indexes: { by_name: { columns: [{ expression: "lower(name)" }] } },
        },
        orders: {
          columns: {
            id: { type: "serial", primaryKey: true },
            buyer: { type: "int", references: "buyers.id" },
            state: { type: "state", default: "'new'", nullable: false },
            cents: { type: "bigint", check: "cents >= 0" },
            note: { type: "text", readableBy: ["user", "service"] },
          },
          uniques: { once: { columns: ["buyer", "note"] } },
        },
      },
    }),
  );
  must(await app.insert("buyers", { id: 1, name: "Ada" }));
  must(await app.insert("orders", { buyer: 1, cents: 5_000_000_000, note: "mine" }));
  return app;
}

/** Everything about an app that a change could touch. */
const stateOf = async (app: SchemaApp) => ({
  schema: await app.fetch(),
  history: await app.history(),
  rows: await Promise.all(["buyers", "orders"].map((table) => app.rows(table))),
});

/** Losses: the document without the request for it, and with it. */
const LOSSES: readonly (readonly [string, Document, Document])[] = [
  [
    "a narrower type",
    { tables: { orders: { columns: { cents: { type: "int" } } } } },
    { tables: { orders: { columns: { cents: { type: "numeric(20,0)", allowTypeChange: true } } } } },
  ],
  [
    "another key",
    { tables: { buyers: { primaryKey: ["id", "name"] } } },
    { tables: { buyers: { primaryKey: ["id", "name"], _dropPrimaryKey: true } } },
  ],
  [
    "a value of an enum",
    { enums: { state: ["new", "paid"] } },
    { enums: { state: ["new", "paid"] }, _dropEnumValues: { state: ["sent"] } },
  ],
];

describe("nothing is lost unasked", () => {
  it.each(LOSSES)("%s is refused with 409, and a dry run still answers", async (_what, unasked, asked) => {
    const app = await shop();
    // A foreign key rests on the buyers' key; without it the key can go.
    must(await app.apply({ tables: { orders: { _dropForeignKeys: ["fk_orders_buyer"] } } }));
    const before = await stateOf(app);
    const preview = must(await app.dryRun(unasked));
    expect(preview).toMatchObject({ dry_run: true, blocked: true });
    const losses = preview.statements.filter((statement: any) => statement.destructive);
    expect(losses.length).toBeGreaterThan(0);
    const refused = await app.apply(unasked);
    expect([refused.status, codeOf(refused)]).toEqual([409, "SCHEMA_DESTRUCTIVE_CHANGE"]);
    expect(refused.body.error.details).toEqual(losses.map((statement: any) => statement.description));
    expect(await stateOf(app)).toEqual(before);
    expect(must(await app.dryRun(asked))).toMatchObject({ blocked: false });
    must(await app.apply(asked));
    expectNothingToDo(await app.apply(asked));
  });

  it.each<[string, Document]>([
    ["tables", { _drop: ["orders"] }],
    ["columns", { tables: { orders: { _dropColumns: ["note", "cents"] } } }],
  ])("dropped %s are shown as destructive, and go only by name", async (_what, document) => {
    const app = await shop();
    const before = await app.fetch();
    const preview = must(await app.dryRun(document));
    expect(preview.blocked).toBe(false);
    expect(preview.statements.some((statement: any) => statement.destructive)).toBe(true);
    expect(await app.fetch()).toEqual(before);
    const applied = must(await app.apply(document));
    expect(applied.statements).toEqual(preview.statements);
    expectNothingToDo(await app.apply(document));
    const { orders } = (await app.fetch()).tables;
    expect(orders?.columns.note).toBeUndefined();
    expect(await app.rows("buyers")).toHaveLength(1);
  });

  it("a document that mentions nothing, or one column, touches nothing else", async () => {
    const app = await shop();
    const before = await app.fetch();
    for (const document of [{ tables: {} }, {}, { tables: { buyers: {} } }, { enums: {} }]) {
      expectNothingToDo(await app.apply(document));
    }
    must(
      await app.apply({
        tables: { orders: { columns: { paid_at: { type: "date" } } }, extra: { columns: { id } } },
      }),
    );
    const after = await app.fetch();
    expect(after.tables.orders.columns.paid_at).toEqual({ type: "date", nullable: true });
    delete after.tables.orders.columns.paid_at;
    delete after.tables.extra;
    expect(after).toEqual(before);
    expect((await app.rows("orders"))[0]).toMatchObject({
      cents: 5_000_000_000,
      note: "mine",
      paid_at: null,
    });
  });

  it("a column that is mentioned is described in full", async () => {
    const app = await shop();
    must(
      await app.apply({
        tables: { orders: { columns: { note: { type: "text", nullable: false, default: "'-'" } } } },
      }),
    );
    const { note } = (await app.fetch()).tables.orders.columns;
    expect(note).toEqual({ type: "text", nullable: false, default: "'-'" });
    expect(await app.rows("orders")).toHaveLength(1);
  });

  it("wider types keep every value", async () => {
    const app = await shop();
    must(await app.apply({ tables: { buyers: { columns: { id: { type: "bigint", primaryKey: true } } } } }));
    must(
      await app.apply({
        tables: { orders: { columns: { cents: { type: "numeric", check: "cents >= 0" } } } },
      }),
    );
    expect((await app.rows("orders"))[0]).toMatchObject({ buyer: 1, note: "mine" });
    expect(Number((await app.rows("orders"))[0].cents)).toBe(5_000_000_000);
  });

  it("renames keep rows, keys and rights, and are done once", async () => {
    const app = await shop();
    must(await owner("POST", `/v1/${app.id}/rls`, { table_name: "orders", user_column: "note" }));
    const document = {
      tables: {
        people: {
          renamedFrom: "buyers",
          columns: { full_name: { type: "text", nullable: false, unique: true, renamedFrom: "name" } },
        },
        sales: {
          renamedFrom: "orders",
          columns: { remark: { type: "text", readableBy: ["user", "service"], renamedFrom: "note" } },
        },
      },
    };
    const before = await app.fetch();
    must(await app.apply(document));
    expectNothingToDo(await app.apply(document));
    expect(await app.rows("people")).toEqual([{ id: 1, full_name: "Ada" }]);
    expect((await app.rows("sales"))[0]).toMatchObject({ buyer: 1, remark: "mine" });
    const after = await app.fetch();
    const renamed = JSON.stringify(before)
      .replaceAll(/\bbuyers\b/g, "people")
      .replaceAll(/\borders\b/g, "sales")
      .replaceAll('"note"', '"remark"')
      .replaceAll(/"name"/g, '"full_name"')
      .replaceAll("lower(name)", "lower(full_name)");
    expect(after).toEqual(JSON.parse(renamed));
    const { policies } = must(await owner("GET", `/v1/${app.id}/rls`));
    expect(policies.map((policy: any) => policy.policyname)).toContain("sales_user_isolation");
  });
});

describe("an apply is whole or nothing", () => {
  it.each<[string, Document, object]>([
    [
      "rows that break a new unique",
      { tables: { orders: { uniques: { by_state: { columns: ["state"] } } } } },
      { pg_code: "23505" },
    ],
    [
      "rows that break a new check",
      { tables: { orders: { checks: { small: "cents < 10" } } } },
      { pg_code: "23514", table: "orders", constraint: "small" },
    ],
    [
      "a required column without a default",
      { tables: { orders: { columns: { due: { type: "date", nullable: false } } } } },
      { pg_code: "23502", table: "orders", column: "due", existing_row_count: 2 },
    ],
    [
      "a seed that does not fit",
      { tables: { gifts: { columns: { id, n: { type: "int" } }, _seed: [{ n: 1 }, { n: "many" }] } } },
      { pg_code: "22P02" },
    ],
    ["a table others rest on", { _drop: ["buyers"] }, { pg_code: "2BP01" }],
  ])("%s: all of the document is undone, and told", async (_what, document, details) => {
    const app = await shop();
    must(await app.insert("orders", { buyer: 1, cents: 11, note: "second" }));
    const before = await stateOf(app);
    const answer = await app.apply({
      ...document,
      enums: { colour: ["red"] },
      tables: {
        aaa: { columns: { id, colour: { type: "colour" } }, _seed: [{ colour: "red" }] },
        buyers_new: { renamedFrom: "nothing", columns: { id } },
        ...document.tables,
        zzz: { columns: { id } },
      },
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, "SCHEMA_MIGRATION_FAILED"]);
    expect(answer.body.error.details).toMatchObject(details);
    expect(answer.body.error.remediation).toBeTruthy();
    expect(await stateOf(app)).toEqual(before);
  });

  it("a required column comes to a table with rows once it has a default", async () => {
    const app = await shop();
    must(
      await app.apply({
        tables: { orders: { columns: { due: { type: "date", nullable: false, default: "current_date" } } } },
      }),
    );
    expect((await app.rows("orders"))[0].due).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  it("seeds fill a new table once, with its defaults and references", async () => {
    const app = await schemaApp(owner);
    const document = {
      tables: {
        child: {
          columns: {
            id: { type: "serial", primaryKey: true },
            parent: { type: "text", references: "parent.code" },
          },
          _seed: [{ parent: "b" }, { parent: "a" }, {}],
        },
        parent: {
          columns: {
            code: { type: "text", primaryKey: true },
            rank: { type: "int", default: 7 },
            tags: { type: "text[]" },
          },
          _seed: [
            { code: "a", tags: ["x", "y'z"] },
            { code: "b", rank: 1 },
          ],
        },
      },
    };
    must(await app.apply(document));
    expectNothingToDo(await app.apply(document));
    expect(await app.rows("parent?order=code")).toEqual([
      { code: "a", rank: 7, tags: ["x", "y'z"] },
      { code: "b", rank: 1, tags: null },
    ]);
    const children = await app.rows("child?order=id");
    expect(children.map((row) => row.parent).sort()).toEqual(["a", "b", null].sort());
    expect(must(await app.insert("child", {})).id).toBe(4);
  });
});

describe("the history", () => {
  it("has every change with its statements, in order, and nothing else", async () => {
    const app = await schemaApp(owner);
    const made: { id: string; name: string; sql: string }[] = [];
    for (const [i, name] of ["first", "second; drop table t --", "dritte Änderung"].entries()) {
      const document = { tables: { [`t${i}`]: { columns: { id } } } };
      must(await app.dryRun(document));
      const applied = must(await app.apply(document, { name }));
      made.push({
        id: applied.migration_id,
        name,
        sql: applied.statements.map((s: any) => `${s.sql};`).join("\n"),
      });
      expectNothingToDo(await app.apply(document, { name: "nothing" }));
      expect((await app.apply({ tables: { t9: { columns: { id: { type: "no_type" } } } } })).status).toBe(
        400,
      );
    }
    must(await app.apply({ tables: { unnamed: { columns: { id } } } }));
    const history = await app.history();
    expect(history.slice(0, 3)).toMatchObject(
      made.map(({ id: migration, name, sql }) => ({ id: migration, description: name, applied_sql: sql })),
    );
    expect(history).toHaveLength(4);
    expect(history[3]!.description).toMatch(/^schema_\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const times = history.map(({ applied_at }) => Date.parse(applied_at));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

describe("two clients at once", () => {
  it("get their changes one after the other, each whole", async () => {
    const app = await schemaApp(owner);
    const agent = apiAs(server.apiUrl, server.agentKey);
    must(await app.apply({ tables: { shared: { columns: { id } } } }));
    const clients: Api[] = [owner, agent];
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        clients[i % 2]!("POST", `/v1/${app.id}/schema/apply`, {
          name: `change ${i}`,
          schema: {
            tables: {
              shared: {
                columns: { [`c${i}`]: { type: "int", default: i } },
                indexes: { [`i${i}`]: { columns: [`c${i}`] } },
              },
              [`own${i}`]: { columns: { id, up: { type: "uuid", references: "shared.id" } } },
            },
          },
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    const { tables } = await app.fetch();
    expect(Object.keys(tables)).toHaveLength(13);
    expect(Object.keys(tables.shared.columns)).toHaveLength(13);
    expect(Object.keys(tables.shared.indexes)).toHaveLength(12);
    const history = await app.history();
    expect(history).toHaveLength(13);
    expect(new Set(history.map(({ id: migration }) => migration)).size).toBe(13);
  });

  it("that send the same document make one change", async () => {
    const app = await schemaApp(owner);
    const document = { tables: { once: { columns: { id, n: { type: "int" } }, _seed: [{ n: 1 }] } } };
    const answers = await Promise.all(Array.from({ length: 6 }, () => app.apply(document)));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
    expect(answers.filter(({ body }) => body.applied > 0)).toHaveLength(1);
    expect(await app.history()).toHaveLength(1);
    expect(await app.rows("once")).toHaveLength(1);
  });

  it("never see a change half done", async () => {
    const app = await schemaApp(owner);
    const both = (name: string) => ({
      tables: {
        a: { columns: { id, [name]: { type: "int" } } },
        b: { columns: { id, [name]: { type: "int" } } },
      },
    });
    must(await app.apply(both("c0")));
    const seen: Document[] = [];
    const applies = (async () => {
      for (let i = 1; i <= 6; i++) must(await app.apply(both(`c${i}`)));
    })();
    let done = false;
    void applies.finally(() => {
      done = true;
    });
    while (!done) seen.push(await app.fetch());
    await applies;
    for (const { tables } of seen) expect(tables.a).toEqual(tables.b);
    expect(seen.length).toBeGreaterThan(3);
  });
});
