import { expect, test } from "vitest";
import type { SchemaModel } from "./model.ts";
import { readDocument } from "./read-document.ts";

const empty: SchemaModel = { appId: "app_x", tables: new Map(), enums: new Map(), extensionTypes: new Set() };
const problemsOf = (document: unknown) =>
  Object.fromEntries(
    readDocument(document, empty).problems.list.map(({ pointer, message }) => [pointer, message]),
  );
const columns = { id: { type: "int", primaryKey: true } };

test("all problems of a document are told at once, each with its place", () => {
  const problems = problemsOf({
    tables: {
      Users: { columns },
      posts: {
        columns: {
          id: { type: "strin" },
          "a/b~c": { type: "text" },
          title: { type: "text", lenght: 3, nullable: "no" },
          author: { type: "int", references: { table: "authors", column: "id" } },
          both: { type: "serial", default: 1 },
          ctid: { type: "int" },
          word: { type: "text", identity: "always" },
        },
        primaryKey: ["nope"],
        indexes: {
          by_x: { columns: ["x"], method: "gin", opclass: "pg_catalog.int4_ops" },
          odd: { columns: [{ order: "desc" }], method: "hash", unique: true },
        },
        uniques: { u: { columns: ["title", "title"] } },
        checks: { "Not a name": "true" },
        _dropColumns: ["title"],
        _seed: [{ unknown: 1 }],
        colums: {},
      },
      empty: { columns: {} },
    },
    enums: { text: ["a"], ok: ["a", "a"] },
    _drop: ["empty"],
    drop: [],
  });
  expect(Object.keys(problems).sort()).toMatchInlineSnapshot(`
    [
      "/_drop",
      "/drop",
      "/enums/ok",
      "/enums/text",
      "/tables/Users",
      "/tables/empty",
      "/tables/posts/_dropColumns",
      "/tables/posts/_seed",
      "/tables/posts/checks/Not a name",
      "/tables/posts/columns/author/references",
      "/tables/posts/columns/a~1b~0c",
      "/tables/posts/columns/both",
      "/tables/posts/columns/ctid",
      "/tables/posts/columns/id/type",
      "/tables/posts/columns/title/lenght",
      "/tables/posts/columns/title/nullable",
      "/tables/posts/columns/word/identity",
      "/tables/posts/colums",
      "/tables/posts/indexes/by_x",
      "/tables/posts/indexes/by_x/opclass",
      "/tables/posts/indexes/odd/columns/0",
      "/tables/posts/indexes/odd/unique",
      "/tables/posts/primaryKey",
      "/tables/posts/uniques/u",
    ]
  `);
});

test("reserved names have a code of their own", () => {
  const { problems } = readDocument({ tables: { _hidden: { columns } } }, empty);
  expect(problems.error()).toMatchObject({ code: "VALIDATION_RESERVED_TABLE", status: 400 });
  const catalog = readDocument({ tables: { pg_class: { columns } } }, empty).problems;
  expect(catalog.error()).toMatchObject({ code: "VALIDATION_RESERVED_TABLE" });
  const mixed = readDocument({ tables: { _hidden: { columns }, B: { columns } } }, empty).problems;
  expect(mixed.error()).toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
});

test("a document has at most 50 tables", () => {
  const tables = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`t${i}`, { columns }]));
  expect(() => readDocument({ tables }, empty)).toThrowError(
    expect.objectContaining({ code: "QUOTA_TABLE_LIMIT" }),
  );
});

test("what is no document at all is refused without a crash", () => {
  for (const value of [
    null,
    3,
    "x",
    [],
    { tables: null },
    { tables: { a: null } },
    { tables: { a: { columns: { b: 3 } } } },
  ]) {
    expect(readDocument(value, empty).problems.error()).toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
  }
});
