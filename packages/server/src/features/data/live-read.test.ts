import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADA, BOB, type Library, openLibrary } from "./testing/library.ts";

let library: Library;
const AUTHORS = ["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"] as const;

beforeAll(async () => {
  library = await openLibrary();
  const [first, second] = AUTHORS;
  await library.owner(`insert into authors values ($1, 'Le Guin', null), ($2, 'Lem', $1)`, [first, second]);
  await library.owner(
    `insert into books (owner_id, author_id, editor_id, title, isbn, pages, price, big, tags, meta, raw, mood, published, shelf)
     values
     ($1, $3, null, 'Dispossessed', 'i1', 387, 10.5000, 9007199254740993, '{sf,"a,b"}', '{"a":{"b":"x"},"n":1}', '{"k":[1,2]}', 'fine', '1974-05-01T00:00:00.123456Z', '[1,5)'),
     ($1, $4, $3, 'Solaris', 'i2', 204, null, null, '{sf}', '{"a":{"b":"y, z"},"n":2}', null, 'so so', null, '[5,9)'),
     ($2, $4, null, 'Fiasko', 'i3', 322, 7, 1, null, null, null, null, '1986-01-01', null)`,
    [ADA, BOB, first, second],
  );
  await library.owner(
    `insert into reviews (book_id, owner_id, stars) select 1, $1, n from generate_series(1, 3) n`,
    [ADA],
  );
  await library.owner(`insert into reviews (book_id, owner_id, stars) values (1, $1, 5)`, [BOB]);
  await library.owner(`insert into covers values (1, 'http://c/1')`);
  await library.owner(`insert into parts values (1, 'x', 'n')`);
  await library.owner(`insert into heap select n, null from generate_series(1, 5) n`);
});
afterAll(() => library.stop());

const get = (path: string, as: string | undefined = "service", headers: Record<string, string> = {}) =>
  library.send("GET", path, { as, headers });
const titles = async (path: string, as = "service") => {
  const answer = await get(path, as);
  expect(answer.text, path).toMatch(/^\[/);
  return answer.json.map((row: { title: string }) => row.title);
};

describe("who sees what", () => {
  it("decides by the caller's role", async () => {
    expect(await titles("books?order=id")).toEqual(["Dispossessed", "Solaris", "Fiasko"]);
    expect(await titles("books?order=id", ADA)).toEqual(["Dispossessed", "Solaris"]);
    expect(await titles("books?order=id", BOB)).toEqual(["Fiasko"]);
    expect((await library.send("GET", "books")).json).toEqual([]);
  });

  it("lets a key act as somebody, and only right", async () => {
    const as = (role: string, user?: string) =>
      get("books", "service", {
        "x-butterbase-as-role": role,
        ...(user === undefined ? {} : { "x-butterbase-as-user": user }),
      });
    expect((await as("anon")).json).toEqual([]);
    expect((await as("user", BOB)).json).toHaveLength(1);
    for (const wrong of [as("user"), as("usr", BOB), as("service"), as("anon", BOB), as("user", "")]) {
      expect(await wrong).toMatchObject({
        status: 400,
        json: { error: { code: "VALIDATION_INVALID_SCHEMA" } },
      });
    }
    expect(await get("books", "service", { "x-butterbase-as-user": BOB })).toMatchObject({ status: 400 });
    expect(await get("books", ADA, { "x-butterbase-as-role": "anon" })).toMatchObject({
      status: 403,
      json: { error: { code: "AUTH_IMPERSONATION_FORBIDDEN" } },
    });
  });

  it("keeps a connection's last caller from leaking into the next", async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => titles("books?order=id", [ADA, BOB, "service"][n % 3]!)),
    );
    expect(answers.map((answer) => answer.length)).toEqual(answers.map((_, n) => [2, 1, 3][n % 3]));
  });

  it("answers 503 while the app is paused and 401 for anonymous callers of a private app", async () => {
    await library.test.apps.update(library.app.id, {
      paused_at: new Date().toISOString(),
      paused_reason: "rent",
    } as never);
    const paused = await get("books");
    expect(paused).toMatchObject({
      status: 503,
      json: { error: { code: "APP_PAUSED", details: { reason: "rent" } } },
    });
    expect(paused.headers["retry-after"]).toBe("60");
    await library.test.apps.update(library.app.id, {
      paused_at: null,
      access_mode: "authenticated",
    } as never);
    expect(await library.send("GET", "books")).toMatchObject({
      status: 401,
      json: { error: { code: "AUTH_REQUIRED" } },
    });
    expect((await get("books", ADA)).status).toBe(200);
    await library.test.apps.update(library.app.id, { access_mode: "public" } as never);
  });
});

describe("filters", () => {
  it.each([
    ["pages=gt.204&pages=lt.387", ["Fiasko"]],
    ["title=eq.Solaris", ["Solaris"]],
    ["title=neq.Solaris", ["Dispossessed", "Fiasko"]],
    ["title=like.%is%", ["Dispossessed", "Solaris"]],
    ["title=ilike.SOL%", ["Solaris"]],
    ["title=not.ilike.SOL%", ["Dispossessed", "Fiasko"]],
    ["price=is.null", ["Solaris"]],
    ["price=not.is.null", ["Dispossessed", "Fiasko"]],
    ["price=is.not_null", ["Dispossessed", "Fiasko"]],
    ["id=in.(1,3)", ["Dispossessed", "Fiasko"]],
    ["id=in.()", []],
    ["id=not.in.(1,3)", ["Solaris"]],
    ['title=in.("Solaris",Fiasko)', ["Solaris", "Fiasko"]],
    ["title=fts.solaris", ["Solaris"]],
    ["tags=cs.{sf}", ["Dispossessed", "Solaris"]],
    ['tags=cs.["a,b"]', ["Dispossessed"]],
    ["tags=cd.{sf,x}", ["Solaris"]],
    ["tags=eq.{sf}", ["Solaris"]],
    ["tags=in.({sf})", ["Solaris"]],
    ['meta=cs.{"n":1}', ["Dispossessed"]],
    ["shelf=cs.[1,3)", ["Dispossessed"]],
    ["shelf=cd.[0,10)", ["Dispossessed", "Solaris"]],
    ["meta->a->>b=eq.x", ["Dispossessed"]],
    ["meta->n=gte.2", ["Solaris"]],
    ["raw->k->0=eq.1", ["Dispossessed"]],
    ["mood=in.(fine,so so)", ["Dispossessed", "Solaris"]],
    ["author_id=in.(aaaaaaaa-0000-4000-8000-000000000002)", ["Solaris", "Fiasko"]],
    ["or=(title.eq.Solaris,and(pages.gt.300,pages.lt.350))", ["Solaris", "Fiasko"]],
    ["not.or=(title.eq.Solaris,id.eq.1)", ["Fiasko"]],
    ['or=(meta->a->>b.eq."y, z",id.in.(1))', ["Dispossessed", "Solaris"]],
    ["and=(id.gt.1,not.or(id.eq.2,id.eq.9))", ["Fiasko"]],
    ["or=(title.not.eq.Solaris,price.is.null)", ["Dispossessed", "Solaris", "Fiasko"]],
    ["title=eq.", []],
    ['"pages"=eq.204', ["Solaris"]],
  ])("%s", async (filter, expected) => {
    expect(await titles(`books?order=id&select=title&${encodeURI(filter)}`)).toEqual(expected);
  });

  it("refuses what it can't read, naming every such filter", async () => {
    const answer = await get("books?title=Solaris&pages=gt&price=is.xyz");
    expect(answer).toMatchObject({ status: 400, json: { error: { code: "VALIDATION_INVALID_SCHEMA" } } });
    expect(answer.json.error.details.invalidFilters.map((one: { filter: string }) => one.filter)).toEqual([
      "title=Solaris",
      "pages=gt",
      "price=is.xyz",
    ]);
  });

  it.each([
    ["books?titel=eq.1", 400, "VALIDATION_COLUMN_NOT_FOUND", "title"],
    ["books?select=id,titel", 400, "VALIDATION_COLUMN_NOT_FOUND", "title"],
    ["books?order=titel", 400, "VALIDATION_COLUMN_NOT_FOUND", "title"],
    ["books?or=(titel.eq.1)", 400, "VALIDATION_COLUMN_NOT_FOUND", "title"],
    ["boks", 404, "VALIDATION_TABLE_NOT_FOUND", "books"],
    ["_hidden", 400, "VALIDATION_RESERVED_TABLE", ""],
    ["books?pages=eq.many", 400, "VALIDATION_INVALID_INPUT", "many"],
    ["books?pages=like.3", 400, "VALIDATION_INVALID_TYPE", ""],
    ["books?title->x=eq.3", 400, "VALIDATION_INVALID_TYPE", "JSON"],
    ["books?limit=-1", 400, "VALIDATION_INVALID_SCHEMA", "limit"],
    ["books?limit=10001", 400, "VALIDATION_INVALID_SCHEMA", "10000"],
    ["books?select=id,(", 400, "VALIDATION_INVALID_SCHEMA", "select"],
    ["books?%E0%A4%A=1", 400, "VALIDATION_INVALID_SCHEMA", "UTF-8"],
    ["books?title=eq.a%00b", 400, "VALIDATION_INVALID_INPUT", ""],
  ])("%s → %i %s", async (path, status, code, mention) => {
    const answer = await get(path);
    expect(answer).toMatchObject({ status, json: { error: { code } } });
    expect(answer.json.error.message).toContain(mention);
    expect(answer.json.error.remediation).not.toBe("");
  });

  it("quotes no value of a policy's failing cast to callers under row-level security", async () => {
    const answer = await get("books?pages=eq.many", ADA);
    expect(answer.text).not.toContain("many");
  });
});

describe("select", () => {
  it("renders values as row_to_json does, digits and all", async () => {
    const { text } = await get("books?id=eq.1");
    const [row] = await library.owner("select json_agg(b)::text as t from books b where id = 1");
    expect(text).toBe(row!.t);
    expect(text).toContain('"big":9007199254740993');
    expect(text).toContain('"price":10.5000');
  });

  it("takes columns, aliases and places in JSON", async () => {
    const { json } = await get("books?id=eq.1&select=name:title,meta->a->>b,first:raw->k->0,id,id");
    expect(json).toEqual([{ name: "Dispossessed", b: "x", first: 1, id: 1 }]);
  });

  it("embeds the row referred to and the rows that refer, under their own policies", async () => {
    const path = "books?id=eq.1&select=id,author:authors!author_id(name),reviews(stars),covers(url)";
    const asService = (await get(path)).json[0];
    expect(asService).toEqual({
      id: 1,
      author: { name: "Le Guin" },
      reviews: [{ stars: 1 }, { stars: 2 }, { stars: 3 }, { stars: 5 }],
      covers: { url: "http://c/1" },
    });
    const asAda = (await get(path, ADA)).json[0];
    expect(asAda.reviews).toEqual([{ stars: 1 }, { stars: 2 }, { stars: 3 }]);
    expect((await get("reviews?select=stars,books(title)&stars=eq.5", BOB)).json).toEqual([
      { stars: 5, books: null },
    ]);
    expect((await get("books?id=eq.3&select=*,covers(*),reviews(*)")).json[0]).toMatchObject({
      title: "Fiasko",
      covers: null,
      reviews: [],
    });
    expect((await get("books/1?select=author_id(name)")).json).toEqual({ author_id: { name: "Le Guin" } });
    expect((await get("authors?select=name,authors!many(name)&order=name")).json).toEqual([
      { name: "Le Guin", authors: [{ name: "Lem" }] },
      { name: "Lem", authors: [] },
    ]);
  });

  it("names the choices when a relation is ambiguous or absent", async () => {
    expect((await get("books?select=authors(name)")).json.error).toMatchObject({
      code: "VALIDATION_RELATIONSHIP_AMBIGUOUS",
      details: { choices: ["authors!books_author_id_fkey!one", "authors!books_editor_id_fkey!one"] },
    });
    expect((await get("books?select=parts(note)")).json.error).toMatchObject({
      code: "VALIDATION_RELATIONSHIP_NOT_FOUND",
      details: { related: ["authors", "covers", "reviews"] },
    });
    expect((await get("books?select=_hidden(id)")).json.error.code).toBe("VALIDATION_RESERVED_TABLE");
    expect((await get("books?select=reviews(books(id))")).json.error.message).toContain("one level");
  });

  it("hides columns a role may not read", async () => {
    await library.owner(`revoke select on authors from ${library.app.id}_anon`);
    await library.owner(`grant select (id, name) on authors to ${library.app.id}_anon`);
    library.schema.forget(library.app.id);
    const anon = (path: string) => library.send("GET", path);
    expect((await anon("authors?name=eq.Lem")).json).toEqual([{ id: AUTHORS[1], name: "Lem" }]);
    expect((await anon("authors?select=*&order=name&limit=1")).json).toEqual([
      { id: AUTHORS[0], name: "Le Guin" },
    ]);
    for (const path of [
      "authors?select=mentor_id",
      "authors?order=mentor_id",
      "authors?mentor_id=is.null",
      "authors?select=authors!many(id)",
    ]) {
      expect(await anon(path), path).toMatchObject({ status: 403 });
    }
    expect((await get("authors?name=eq.Lem")).json[0]).toHaveProperty("mentor_id");
  });
});

describe("one row", () => {
  it("is an object, or 404", async () => {
    expect((await get("books/2?select=title")).json).toEqual({ title: "Solaris" });
    expect(await get("books/99")).toMatchObject({
      status: 404,
      json: { error: { code: "RESOURCE_NOT_FOUND" } },
    });
    expect(await get("books/3", ADA)).toMatchObject({ status: 404 });
    expect(await get("data/books/2")).toMatchObject({ status: 200 });
    expect((await get(`authors/${AUTHORS[0]}`)).json.name).toBe("Le Guin");
  });

  it("needs a key of one column in its type's form", async () => {
    for (const path of ["books/abc", "authors/12", "parts/1", "heap/1"]) {
      expect(await get(path), path).toMatchObject({
        status: 400,
        json: { error: { code: "VALIDATION_INVALID_TYPE" } },
      });
    }
  });
});

describe("tables that change", () => {
  it("finds a table and a column made a moment ago by somebody else", async () => {
    await get("books");
    await library.owner("create table brand_new (id integer primary key)");
    expect((await get("brand_new")).status).toBe(200);
    await library.owner("alter table brand_new add column extra text");
    expect((await get("brand_new?select=extra")).status).toBe(200);
    await library.owner("alter table brand_new drop column extra");
    expect(await get("brand_new?select=extra")).toMatchObject({
      status: 400,
      json: { error: { code: "VALIDATION_COLUMN_NOT_FOUND" } },
    });
    await library.owner("drop table brand_new");
    expect(await get("brand_new")).toMatchObject({ status: 404 });
  });
});

describe("hostile requests", () => {
  const bombs = [
    "'; drop table books; --",
    '"; drop table books; --',
    "$1",
    "1) or true --",
    "\\",
    "x'::text",
    "(select secret from books)",
    "}",
    '{"',
    "\u{1f600}",
    "%27%20or%201%3D1",
  ];
  const positions = [
    (b: string) => `books?title=eq.${b}`,
    (b: string) => `books?${b}=eq.1`,
    (b: string) => `books?select=${b}`,
    (b: string) => `books?select=${b}:id`,
    (b: string) => `books?select=reviews(${b})`,
    (b: string) => `books?select=${b}(id)`,
    (b: string) => `books?select=authors!${b}(id)`,
    (b: string) => `books?order=${b}`,
    (b: string) => `books?order=id.${b}`,
    (b: string) => `books?limit=${b}`,
    (b: string) => `books?offset=${b}`,
    (b: string) => `books?after=${b}`,
    (b: string) => `books?or=(title.eq.${b})`,
    (b: string) => `books?or=(title.eq."${b}")`,
    (b: string) => `books?id=in.(${b})`,
    (b: string) => `books?tags=cs.${b}`,
    (b: string) => `books?meta->>${b}=eq.1`,
    (b: string) => `books?meta->${b}=eq.1`,
    (b: string) => `books?select=x:meta->>"${b}"`,
    (b: string) => `books?title=fts.${b}`,
    (b: string) => `books?title=is.${b}`,
    (b: string) => `${b}`,
    (b: string) => `books/${b}`,
  ];
  it("never reach SQL as SQL, whatever the place", async () => {
    for (const bomb of bombs) {
      for (const position of positions) {
        const path = position(encodeURIComponent(bomb));
        const answer = await library.send("GET", path, { as: ADA });
        expect([200, 400, 404], `${decodeURIComponent(path)} ${answer.text}`).toContain(answer.status);
        if (answer.status !== 200) expect(answer.json.error.code, path).not.toBe("INTERNAL_ERROR");
        else for (const row of [answer.json].flat()) if (row.owner_id) expect(row.owner_id).toBe(ADA);
      }
    }
    expect(await titles("books?order=id")).toHaveLength(3);
  });
});
