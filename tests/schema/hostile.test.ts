import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { id } from "./documents.ts";
import { codeOf, type Document, expectNothingToDo, type SchemaApp, schemaApp } from "./schema-app.ts";

let server: Server;
let owner: Api;
/** Has a table `canary` with one row, as every app under attack does. */
let neighbour: SchemaApp;
beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
  neighbour = await withCanary();
});
afterAll(() => discard(server));

async function withCanary(): Promise<SchemaApp> {
  const app = await schemaApp(owner);
  must(await app.apply({ tables: { canary: { columns: { id, n: { type: "int", default: 1 } } } } }));
  must(await app.insert("canary", {}));
  return app;
}
const table = (columns: Document, rest: Document = {}) => ({ tables: { t: { columns, ...rest } } });

describe("names", () => {
  it.each([
    "",
    " ",
    "Upper",
    "two words",
    "semi;colon",
    'quo"te',
    "quo'te",
    "dash-ed",
    "dot.ted",
    "1st",
    "naïve",
    "имя",
    "nul\u0000l",
    "half\ud800",
    "a\nb",
    "x".repeat(64),
    "tab\tbed",
    "\u202etxet",
    "$1",
  ])("%j names no table, column, index, constraint or enum", async (name) => {
    const app = await schemaApp(owner);
    const documents: Document[] = [
      { tables: { [name]: { columns: { id } } } },
      table({ id, [name]: { type: "int" } }),
      table({ id }, { indexes: { [name]: { columns: ["id"] } } }),
      table({ id }, { uniques: { [name]: { columns: ["id"] } } }),
      table({ id }, { checks: { [name]: "true" } }),
      table({ id }, { foreignKeys: { [name]: { columns: ["id"], table: "t", refColumns: ["id"] } } }),
      { enums: { [name]: ["a"] } },
      { tables: { t: { renamedFrom: name, columns: { id } } } },
    ];
    for (const document of documents) {
      const answer = await app.apply(document);
      expect([document, answer.status, codeOf(answer)]).toEqual([document, 400, "VALIDATION_INVALID_SCHEMA"]);
    }
    expect(await app.history()).toEqual([]);
  });

  it.each(["_private", "_ai_migrations", "_ambit_scratch"])("%s is reserved", async (name) => {
    const app = await schemaApp(owner);
    const answer = await app.apply({ tables: { [name]: { columns: { id } } } });
    expect([answer.status, codeOf(answer)]).toEqual([400, "VALIDATION_RESERVED_TABLE"]);
  });

  it("that mean something to JavaScript mean nothing here", async () => {
    const app = await schemaApp(owner);
    const document = {
      tables: {
        constructor: {
          columns: {
            id: { type: "int", primaryKey: true },
            constructor: { type: "text" },
            prototype: { type: "text" },
          },
          indexes: { hasownproperty: { columns: ["constructor"] } },
        },
      },
    };
    must(await app.apply(document));
    expectNothingToDo(await app.apply(await app.fetch()));
    must(await app.insert("constructor", { id: 1, constructor: "c", prototype: "p" }));
    expect(await app.rows("constructor?constructor=eq.c")).toEqual([
      { id: 1, constructor: "c", prototype: "p" },
    ]);
    // As text: an object literal would take the name for itself.
    for (const place of ["tables", "enums"]) {
      const body = `{"schema":{"${place}":{"__proto__":{"columns":{"id":{"type":"int"}}}}}}`;
      expect((await owner("POST", `/v1/${app.id}/schema/apply`, body)).body.applied ?? 0).toBe(0);
    }
    expect(Object.keys((await app.fetch()).tables)).toEqual(["constructor"]);
  });

  it.each(["tableoid", "xmin", "ctid", "cmax"])("%s is a column that every table has", async (name) => {
    const answer = await neighbour.apply(table({ [name]: { type: "int" } }));
    expect([answer.status, codeOf(answer)]).toEqual([400, "VALIDATION_INVALID_SCHEMA"]);
  });
});

describe("bounds", () => {
  it("an app has 50 tables, and one more only in the place of another", async () => {
    const app = await schemaApp(owner);
    const tables = (count: number, from = 0) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${from + i}`, { columns: { id } }]));
    const refused = await app.apply({ tables: tables(51) });
    expect([refused.status, codeOf(refused)]).toEqual([400, "QUOTA_TABLE_LIMIT"]);
    expect(await app.history()).toEqual([]);
    must(await app.apply({ tables: tables(50) }));
    expect(codeOf(await app.apply({ tables: tables(1, 50) }))).toBe("QUOTA_TABLE_LIMIT");
    must(await app.apply({ tables: tables(1, 50), _drop: ["t0"] }));
    expect(Object.keys((await app.fetch()).tables)).toHaveLength(50);
  });

  it.each<[string, unknown]>([
    ["no object", "drop table canary"],
    ["null", null],
    ["a list", []],
    ["unknown fields", { tables: {}, sql: "drop table canary" }],
    ["unknown fields of a table", { tables: { t: { columns: { id }, owner: "x" } } }],
    ["unknown fields of a column", table({ id: { type: "int", collate: "C" } })],
    ["a type that is no text", table({ id: { type: 1 } })],
    ["a table without columns", { tables: { t: {} } }],
    ["a reference to nothing", table({ id, x: { type: "int", references: "nowhere.id" } })],
    ["a key of unknown columns", table({ id: { type: "int" } }, { primaryKey: ["id", "other"] })],
    ["two sources of values", table({ id: { type: "serial", default: 1 } })],
    ["an index of unknown columns", table({ id }, { indexes: { i: { columns: ["other"] } } })],
    [
      "an operator class of another kind",
      table({ id }, { indexes: { i: { columns: ["id"], opclass: "int4_ops" } } }),
    ],
    ["a seed of unknown columns", table({ id }, { _seed: [{ other: 1 }] })],
  ])("%s is refused with a pointer to it", async (_what, document) => {
    const answer = await neighbour.apply(document);
    expect([answer.status, codeOf(answer)]).toEqual([400, "VALIDATION_INVALID_SCHEMA"]);
    expect(answer.body.error.details.length).toBeGreaterThan(0);
    // A dry run says the same.
    expect((await neighbour.dryRun(document)).body.error?.details).toEqual(answer.body.error.details);
  });

  it("a document full of mistakes, or deep as a well, is answered in time", async () => {
    const wrong = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`T${i}`, { type: "nothing" }]));
    const answer = await neighbour.apply(table({ id, ...wrong }));
    expect(answer.status).toBe(400);
    expect(answer.body.error.details.length).toBeLessThanOrEqual(100);
    const nested = `{"schema":${'{"tables":'.repeat(20_000)}1${"}".repeat(20_001)}`;
    expect((await owner("POST", `/v1/${neighbour.id}/schema/apply`, nested)).status).toBe(400);
    const parens = `${"(".repeat(10_000)}1${")".repeat(10_000)}`;
    expect((await neighbour.apply(table({ id, n: { type: "int", default: parens } }))).status).toBe(400);
  });
});

/** A document with a text in every place that takes one. */
const FULL = {
  enums: { mood: ["fine", "bad"] },
  tables: {
    other: {
      columns: { id: { type: "int", primaryKey: true }, code: { type: "text", unique: true } },
      _seed: [{ id: 5 }],
    },
    t: {
      comment: "a table",
      columns: {
        id: { type: "serial", primaryKey: true },
        mood: { type: "mood", default: "'fine'", comment: "a column" },
        n: { type: "int", check: "n > 0", default: "1" },
        other: { type: "int", references: "other.id" },
        code: {
          type: "text",
          references: { table: "other", column: "code", onDelete: "cascade", onUpdate: "restrict" },
        },
        twice: { type: "int", generated: "n * 2" },
        seen: { type: "text", readableBy: ["service"] },
        was: { type: "text", renamedFrom: "were" },
      },
      indexes: {
        i: {
          columns: ["n", { column: "code", opclass: "text_pattern_ops", order: "desc", nulls: "last" }],
          method: "btree",
          where: "n > 1",
        },
        j: { columns: [{ expression: "lower(code)" }] },
      },
      uniques: { u: { columns: ["n", "code"] } },
      checks: { c: "n < 100" },
      foreignKeys: { f: { columns: ["n"], table: "other", refColumns: ["id"], onDelete: "no action" } },
      _dropColumns: ["gone"],
      _seed: [{ n: 5, seen: "a row" }],
    },
  },
  _drop: ["nothing"],
  _dropEnums: ["nothing"],
};

const PAYLOADS = [
  "'); drop table canary; --",
  '"; drop table canary; --',
  "1); drop table canary; select (1",
  "canary; drop table canary",
  "\\'); drop table canary; --",
  "x$$; drop table canary; $$",
  "id) */ ; drop table canary; /*",
  "(select count(*) from ambit.api_keys)",
  "set_config('role', 'postgres', false)",
  "pg_read_file('/etc/passwd')",
  "nextval('x'); drop schema public cascade",
];

type Path = readonly (string | number)[];

/** Places of texts: values, and names of fields that the writer chose. */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value === "string") return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    places(part, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function withText(path: Path, text: string): Document {
  const copy = structuredClone(FULL) as any;
  let at = copy;
  for (const step of path.slice(0, -1)) at = at[step];
  at[path.at(-1)!] = text;
  return copy;
}

/** Where any text is a good one and is kept as it is. */
const FREE = /\/comment$|^enums\/mood\/1$|^tables\/t\/_seed\/0\/seen$/;
/** Where a text that is no name of anything drops nothing, or takes the place of a value that only rows would miss. */
const IDLE = /(^|\/)_drop|^enums\/mood\/0$/;

describe("no text of a document becomes SQL of its own", () => {
  const all = places(FULL);

  it("covers every place", () => {
    expect(all.length).toBeGreaterThan(40);
  });

  it.each(PAYLOADS)("%s", async (payload) => {
    const app = await withCanary();
    for (const path of all) {
      const place = path.join("/");
      const free = FREE.test(place);
      const answer = await app.apply(withText(path, payload), { dry_run: !free });
      if (!free && !IDLE.test(place)) {
        expect([place, answer.status, codeOf(answer)]).toEqual([place, 400, "VALIDATION_INVALID_SCHEMA"]);
        continue;
      }
      expect([place, answer.status]).toEqual([place, 200]);
      if (!free) continue;
      const kept = JSON.stringify([await app.fetch(), await app.rows("t")]);
      expect(kept).toContain(JSON.stringify(payload));
      must(await app.apply({ _drop: ["t", "other"], _dropEnums: ["mood"] }));
    }
    expect(await app.rows("canary")).toHaveLength(1);
    expect(await neighbour.rows("canary")).toHaveLength(1);
    must(await owner("GET", "/apps"));
  });

  it("also where it goes without a dry run", async () => {
    const app = await withCanary();
    for (const payload of PAYLOADS.slice(0, 4)) {
      for (const path of all.filter((place) =>
        /default|check|generated|where|expression|type|checks/.test(place.join("/")),
      )) {
        expect((await app.apply(withText(path, payload))).status).toBe(400);
      }
    }
    expect(Object.keys((await app.fetch()).tables)).toEqual(["canary"]);
    expect(await app.rows("canary")).toHaveLength(1);
  });
});
