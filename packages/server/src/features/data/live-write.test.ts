import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ADA, BOB, type Library, openLibrary, type SendOptions } from "./testing/library.ts";

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
});
beforeEach(() =>
  library.owner("truncate books, reviews, covers, parts, letters, heap restart identity").then(() => {}),
);
afterAll(() => library.stop());

const send = (method: string, path: string, body?: unknown, options: SendOptions = {}) =>
  library.send(method, path, { as: "service", body, ...options });
const book = (more: object = {}) => ({ owner_id: ADA, title: "T", ...more });
const titles = async () =>
  (await send("GET", "books?order=id")).json.map((row: { title: string }) => row.title);

describe("insert", () => {
  it("answers the row with its defaults, values exact", async () => {
    const raw = `{"owner_id":"${ADA}","title":"Big","big":9007199254740993,"price":1.2300,"tags":["a","b\\"c"],
      "meta":{"x":[1,{"y":null}]},"raw":[1,2],"mood":"so so","pages":null,"published":"2026-01-01T00:00:00Z"}`;
    const answer = await send("POST", "books", raw);
    expect(answer.status).toBe(201);
    expect(answer.text).toContain('"big":9007199254740993');
    expect(answer.json).toMatchObject({
      id: 1,
      slug: "big",
      price: 1.23,
      tags: ["a", 'b"c'],
      meta: { x: [1, { y: null }] },
      raw: [1, 2],
      mood: "so so",
      pages: null,
    });
    expect((await send("POST", "letters", { message: "hi" })).json.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(
      (
        await send("POST", "reviews?select=id,body,book:books(title)", {
          book_id: 1,
          owner_id: ADA,
          stars: 5,
        })
      ).json,
    ).toEqual({
      id: 1,
      body: "none",
      book: { title: "Big" },
    });
  });

  it("takes many rows at once, in their order, each with its own defaults", async () => {
    await send("POST", "books", book());
    const rows = [
      { book_id: 1, owner_id: ADA, stars: 1 },
      { book_id: 1, owner_id: ADA, stars: 2, body: null },
      { stars: 3, owner_id: ADA, book_id: 1 },
      { book_id: 1, owner_id: ADA, stars: 4, body: "text" },
    ];
    const answer = await send("POST", "reviews?select=stars,body", rows);
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual([
      { stars: 1, body: "none" },
      { stars: 2, body: null },
      { stars: 3, body: "none" },
      { stars: 4, body: "text" },
    ]);
    expect((await send("POST", "reviews", [])).json).toEqual([]);
    expect((await send("POST", "heap", [{}, {}])).json).toEqual([
      { n: null, word: null },
      { n: null, word: null },
    ]);
    expect((await send("POST", "heap", {})).json).toEqual({ n: null, word: null });
    const exact = await send(
      "POST",
      "books",
      `[{"owner_id":"a","title":"x","big":9007199254740993},{"owner_id":"a","title":"y"}]`,
    );
    expect(exact.text).toContain('"big":9007199254740993');
  });

  it("inserts all rows of a list or none", async () => {
    const rows = [
      book({ title: "one" }),
      book({ title: "forbidden" }),
      { ...book({ title: "two" }), pages: 1 },
    ];
    expect(await send("POST", "books", rows)).toMatchObject({ status: 400 });
    expect(await titles()).toEqual([]);
  });

  it("answers nothing when nothing is wanted, so that who may not read may still write", async () => {
    const anon = { as: undefined };
    expect(await send("POST", "letters", { message: "x" }, anon)).toMatchObject({
      status: 403,
      json: { error: { code: "AUTH_RLS_POLICY_VIOLATION" } },
    });
    const minimal = { ...anon, headers: { prefer: "return=minimal" } };
    expect(await send("POST", "letters", { message: "x" }, minimal)).toMatchObject({ status: 204, text: "" });
    expect(await send("POST", "letters", [{ message: "y" }, { message: "z" }], minimal)).toMatchObject({
      status: 204,
    });
    expect((await send("GET", "letters?order=message")).json).toHaveLength(3);
    expect((await library.send("GET", "letters")).json).toEqual([]);
  });

  it("holds callers to their policies", async () => {
    expect((await send("POST", "books", { title: "mine" }, { as: ADA })).json.owner_id).toBe(ADA);
    expect(await send("POST", "books", { title: "his", owner_id: BOB }, { as: ADA })).toMatchObject({
      status: 403,
      json: { error: { code: "AUTH_RLS_POLICY_VIOLATION" } },
    });
    expect(await send("POST", "books", book(), { as: "read" })).toMatchObject({
      status: 403,
      json: { error: { code: "AUTH_INSUFFICIENT_PERMISSIONS" } },
    });
    const asBob = { "x-butterbase-as-role": "user", "x-butterbase-as-user": BOB };
    expect((await send("POST", "books", { title: "b" }, { headers: asBob })).json.owner_id).toBe(BOB);
  });

  it.each([
    ["books", { titel: "x" }, "VALIDATION_COLUMN_NOT_FOUND", { nearest: ["title"] }],
    ["books", [{ title: "x", owner_id: "a" }, { titel: "x" }], "VALIDATION_COLUMN_NOT_FOUND", {}],
    ["books", { title: "x" }, "VALIDATION_NOT_NULL_VIOLATION", { column: "owner_id", table: "books" }],
    [
      "books",
      book({ title: "forbidden" }),
      "VALIDATION_CHECK_CONSTRAINT_VIOLATION",
      { constraint: "books_title_check" },
    ],
    [
      "books",
      book({ author_id: ADA }),
      "VALIDATION_FOREIGN_KEY_VIOLATION",
      { column: "author_id", table: "books" },
    ],
    ["books", book({ pages: "many" }), "VALIDATION_INVALID_INPUT", { pg_code: "22P02" }],
    ["books", book({ mood: "bad" }), "VALIDATION_INVALID_INPUT", { pg_code: "22P02" }],
    ["books", book({ slug: "x" }), "VALIDATION_INVALID_INPUT", { pg_code: "428C9" }],
    ["books", book({ pages: 1e12 }), "VALIDATION_INVALID_INPUT", { pg_code: "22003" }],
    ["books", book({ title: "a\u0000b" }), "VALIDATION_INVALID_INPUT", { pg_code: "22P05" }],
    ["books", "[1]", "VALIDATION_INVALID_SCHEMA", undefined],
    ["books", '"text"', "VALIDATION_INVALID_SCHEMA", undefined],
    ["books", "{", "VALIDATION_INVALID_JSON", undefined],
    ["books", "", "VALIDATION_INVALID_JSON", undefined],
    ["_hidden", { id: 1 }, "VALIDATION_RESERVED_TABLE", undefined],
  ])("%s %j → %s", async (path, body, code, details) => {
    const answer = await send("POST", path, body);
    expect(answer).toMatchObject({ status: 400, json: { error: { code, ...(details && { details }) } } });
  });

  it("names the key of a duplicate, and to callers under policies nothing of the other row", async () => {
    await send("POST", "books", book({ owner_id: BOB, isbn: "secret-isbn" }));
    const asService = await send("POST", "books", book({ isbn: "secret-isbn" }));
    expect(asService.json.error).toMatchObject({
      code: "VALIDATION_UNIQUE_CONSTRAINT_VIOLATION",
      details: { column: "isbn", table: "books" },
    });
    const asAda = await send("POST", "books", { title: "t", isbn: "secret-isbn" }, { as: ADA });
    expect(asAda.status).toBe(400);
    expect(asAda.text).not.toContain("secret-isbn");
    expect(asAda.json.error.details.constraint_details).toBe("Key (isbn) already exists.");
  });
});

describe("a table that changes", () => {
  it("takes and gives the columns it has at the moment, on plans made before", async () => {
    const sizes = async () => Object.keys((await send("POST", "heap", { n: 1 })).json);
    for (let time = 0; time < 7; time++) expect(await sizes()).toEqual(["n", "word"]);
    await library.owner("alter table heap add column extra text default 'e'");
    expect(await sizes()).toEqual(["n", "word", "extra"]);
    expect((await send("POST", "heap", { extra: "x" })).json.extra).toBe("x");
    await library.owner("alter table heap drop column extra");
    expect(await sizes()).toEqual(["n", "word"]);
    expect(await send("POST", "heap", { extra: "x" })).toMatchObject({ status: 400 });
  });
});

describe("upsert", () => {
  const merge = { headers: { prefer: "resolution=merge-duplicates" } };
  const ignore = { headers: { prefer: "resolution=ignore-duplicates" } };

  it("merges by primary key or by the columns named", async () => {
    await send("POST", "parts", { a: 1, b: "x", note: "old" });
    expect((await send("POST", "parts", { a: 1, b: "x", note: "new" }, merge)).json.note).toBe("new");
    expect((await send("POST", "parts", { a: 1, b: "x" }, merge)).json.note).toBe("new");
    expect(
      (
        await send("POST", "parts?on_conflict=a,b", [
          { a: 1, b: "x", note: "n2" },
          { a: 2, b: "y" },
        ])
      ).json,
    ).toEqual([
      { a: 1, b: "x", note: "n2" },
      { a: 2, b: "y", note: null },
    ]);
    await send("POST", "books", book({ isbn: "1" }));
    expect((await send("POST", "books?on_conflict=isbn", book({ isbn: "1", pages: 7 }))).json).toMatchObject({
      id: 1,
      pages: 7,
    });
  });

  it("leaves existing rows alone when asked to", async () => {
    await send("POST", "parts", { a: 1, b: "x", note: "old" });
    const lone = await send("POST", "parts", { a: 1, b: "x", note: "new" }, ignore);
    expect(lone).toMatchObject({ status: 200, text: "null" });
    expect(
      (
        await send(
          "POST",
          "parts",
          [
            { a: 1, b: "x", note: "new" },
            { a: 3, b: "z" },
          ],
          ignore,
        )
      ).json,
    ).toEqual([{ a: 3, b: "z", note: null }]);
    expect((await send("GET", "parts?a=eq.1")).json[0].note).toBe("old");
  });

  it("needs a key, and may not touch rows of others", async () => {
    expect(await send("POST", "heap", { n: 1 }, merge)).toMatchObject({ status: 400 });
    expect(await send("POST", "books?on_conflict=title", book(), merge)).toMatchObject({
      status: 400,
      json: { error: { details: { pg_code: "42P10" } } },
    });
    expect(await send("POST", "books?on_conflict=nope", book())).toMatchObject({
      status: 400,
      json: { error: { code: "VALIDATION_COLUMN_NOT_FOUND" } },
    });
    await send("POST", "books", book({ owner_id: BOB, isbn: "1" }));
    const stolen = await send("POST", "books?on_conflict=isbn", { title: "stolen", isbn: "1" }, { as: ADA });
    expect(stolen.status).toBe(403);
    expect(await titles()).toEqual(["T"]);
  });
});

describe("update", () => {
  beforeEach(async () => {
    await send("POST", "books", [
      book({ title: "one", pages: 1, big: 1 }),
      book({ title: "two", pages: 2, big: 2 }),
      book({ title: "three", pages: 3, owner_id: BOB, big: 3 }),
    ]);
  });

  it("changes one row by id", async () => {
    const answer = await send(
      "PATCH",
      "books/2?select=id,pages,meta,tags",
      `{"pages":22,"meta":{"a":[1]},"tags":["x"],"big":9007199254740993}`,
    );
    expect(answer).toMatchObject({ status: 200, json: { id: 2, pages: 22, meta: { a: [1] }, tags: ["x"] } });
    expect((await send("GET", "books/2")).text).toContain("9007199254740993");
    expect((await send("PATCH", "books/2", { pages: null })).json.pages).toBeNull();
    expect(await send("PATCH", "books/9", { pages: 1 })).toMatchObject({ status: 404 });
    expect(await send("PATCH", "books/3", { pages: 1 }, { as: ADA })).toMatchObject({ status: 404 });
    expect(await send("PATCH", "books/x", { pages: 1 })).toMatchObject({
      status: 400,
      json: { error: { code: "VALIDATION_INVALID_TYPE" } },
    });
    expect(await send("PATCH", "books/1", {})).toMatchObject({ status: 400 });
    expect(await send("PATCH", "books/1", [{}])).toMatchObject({ status: 400 });
    expect(
      await send("PATCH", "books/1", { pages: 5 }, { headers: { prefer: "return=minimal" } }),
    ).toMatchObject({ status: 204, text: "" });
    expect(await send("PATCH", "books/1", { owner_id: BOB }, { as: ADA })).toMatchObject({ status: 403 });
  });

  it("changes the rows that match, and only those the caller may", async () => {
    const answer = await send("PATCH", "books?pages=gte.2&select=id,mood", { mood: "fine" });
    expect(answer).toMatchObject({
      status: 200,
      json: [
        { id: 2, mood: "fine" },
        { id: 3, mood: "fine" },
      ],
    });
    expect(answer.headers["content-range"]).toBe("0-1/2");
    expect((await send("PATCH", "books?pages=gte.1&select=id", { pages: 9 }, { as: BOB })).json).toEqual([
      { id: 3 },
    ]);
    expect((await send("PATCH", "books?id=eq.77", { pages: 9 })).json).toEqual([]);
    const minimal = await send(
      "PATCH",
      "books?id=gt.0",
      { pages: 9 },
      { headers: { prefer: "return=minimal" } },
    );
    expect(minimal).toMatchObject({ status: 204, headers: { "content-range": "0-2/3" } });
  });

  it("refuses to change everything, or a part that filters don't name", async () => {
    expect(await send("PATCH", "books", { pages: 0 })).toMatchObject({
      status: 400,
      json: { error: { code: "VALIDATION_MISSING_FIELD" } },
    });
    for (const query of ["limit=1", "offset=1", "order=id", "after="]) {
      expect(await send("PATCH", `books?id=gt.0&${query}`, { pages: 0 }), query).toMatchObject({
        status: 400,
      });
      expect(await send("DELETE", `books?id=gt.0&${query}`), query).toMatchObject({ status: 400 });
    }
    expect(await send("DELETE", "books")).toMatchObject({ status: 400 });
    expect((await send("GET", "books?pages=eq.0")).json).toEqual([]);
  });

  it("deletes by id and by filters", async () => {
    expect(await send("DELETE", "books/3", undefined, { as: ADA })).toMatchObject({ status: 404 });
    expect(
      (await send("DELETE", "books/3", undefined, { headers: { "content-type": "application/json" } })).json,
    ).toEqual({ deleted: true });
    expect(await send("DELETE", "books/3")).toMatchObject({ status: 404 });
    expect((await send("DELETE", "books?pages=gt.0", undefined, { as: BOB })).json).toEqual({ deleted: 0 });
    expect((await send("DELETE", "books?or=(id.eq.1,id.eq.2)")).json).toEqual({ deleted: 2 });
    expect(await send("DELETE", "parts/1")).toMatchObject({ status: 400 });
    expect(await send("DELETE", "books/1", undefined, { as: "read" })).toMatchObject({ status: 403 });
  });

  it("passes hostile names and values by", async () => {
    const bomb = `x"; drop table books; --`;
    expect(await send("POST", "books", { [bomb]: 1 })).toMatchObject({ status: 400 });
    expect(await send("PATCH", "books/1", { [bomb]: 1 })).toMatchObject({ status: 400 });
    expect(await send("POST", `books?on_conflict=${encodeURIComponent(bomb)}`, book())).toMatchObject({
      status: 400,
    });
    expect((await send("PATCH", "books/1", { title: `'; drop table books; --` })).json.title).toBe(
      `'; drop table books; --`,
    );
    expect(await send("POST", "books", `{"__proto__":1,"constructor":2}`)).toMatchObject({ status: 400 });
    expect(await titles()).toHaveLength(3);
  });
});
