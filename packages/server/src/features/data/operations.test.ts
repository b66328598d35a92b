import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AmbitError } from "../../kernel/errors.ts";
import type { AnyOperation, Call } from "../../kernel/operation.ts";
import { type AuditEntry, createPipeline } from "../../kernel/pipeline.ts";
import { dataOperations } from "./operations.ts";
import { ADA, BOB, type Library, openLibrary, principalOf } from "./testing/library.ts";

let library: Library;
let operations: Map<string, AnyOperation>;
const recorded: AuditEntry[] = [];

beforeAll(async () => {
  library = await openLibrary();
  operations = new Map(dataOperations(library.data).map((operation) => [operation.name, operation]));
});
beforeEach(async () => {
  await library.owner("truncate books, reviews, covers, heap restart identity");
  await library.owner(
    "insert into books (owner_id, title, pages, price, big) select case when n < 4 then $1 else $2 end, 'b' || n, n, n / 4.0, 9007199254740990 + n from generate_series(1, 5) n",
    [ADA, BOB],
  );
  recorded.length = 0;
});
afterAll(() => library.stop());

/** Calls through the real pipeline and checks the output against its schema. */
async function call(name: string, input: object, as = "service", signal?: AbortSignal): Promise<any> {
  const operation = operations.get(name)!;
  const pipeline = createPipeline({
    findApp: (reference) => library.test.apps.find(reference),
    record: async (entry) => void recorded.push(entry),
  });
  const base: Omit<Call, "principal"> = {
    door: "mcp",
    requestId: "r",
    ip: "127.0.0.1",
    userAgent: "test",
    nowMs: Date.now(),
    signal: signal ?? new AbortController().signal,
  };
  const principal = principalOf(as, library.app);
  const output = await pipeline(operation, { ...base, principal }, { app_id: library.app.id, ...input });
  const checked = operation.output.safeParse(output);
  expect(checked.error, name).toBeUndefined();
  return output;
}

async function refusal(name: string, input: object, as?: string): Promise<AmbitError> {
  const error = await call(name, input, as).then(
    (output) => expect.fail(`not refused: ${JSON.stringify(output)}`),
    (problem: unknown) => problem,
  );
  if (!(error instanceof AmbitError)) throw error;
  return error;
}

describe("data.select", () => {
  it.each([
    [{ title: "b1" }, [1]],
    [{ title: "eq.b1" }, [1]],
    [{ pages: "gte.4" }, [4, 5]],
    [{ pages: 3 }, [3]],
    [{ pages: { gt: 1, lt: 4 } }, [2, 3]],
    [{ pages: [1, 5] }, [1, 5]],
    [{ title: { in: ["b2", "x,y"] } }, [2]],
    [{ meta: null, pages: "not.in.(1,2,3)" }, [4, 5]],
    [{ or: "(pages.eq.1,title.eq.b5)" }, [1, 5]],
    [{ title: "ada@example.org" }, []],
    [{ pages: { "not.eq": 1, lte: 2 } }, [2]],
  ])("filters %j", async (filters, expected) => {
    const { rows } = await call("data.select", { table: "books", filters, order: "id", select: "id" });
    expect(rows.map((row: { id: number }) => row.id)).toEqual(expected);
  });

  it("pages by cursor without an order being asked, and counts", async () => {
    const seen: unknown[] = [];
    let after: string | undefined;
    do {
      const page = await call("data.select", {
        table: "books",
        limit: 2,
        count: true,
        ...(after && { after }),
      });
      expect(page.count).toBe(5);
      seen.push(...page.rows.map((row: { id: number }) => row.id));
      after = page.next_cursor;
    } while (after !== undefined);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it("shows the rows of whom it runs as, and their numbers exactly", async () => {
    const as = { as_role: "user", as_user: BOB };
    const output = await call("data.select", { table: "books", order: "id", ...as });
    expect(JSON.stringify(output.rows)).toContain('"big":9007199254740995');
    expect(output.rows).toHaveLength(2);
    const present = operations.get("data.select")!.mcp!.present as (output: unknown) => unknown;
    expect(present(output)).toBe(output.rows);
    expect((await refusal("data.select", { table: "books", as_role: "user" })).code).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
    expect(
      (await refusal("data.select", { table: "books", filters: { pages: "is.odd" } })).details,
    ).toMatchObject({
      invalidFilters: [{ filter: "pages=is.odd" }],
    });
  });
});

describe("writes", () => {
  it("inserts a row and records who did, without what was in it", async () => {
    const row = await call("data.insert", {
      table: "books",
      data: { owner_id: ADA, title: "private words" },
    });
    expect(row).toMatchObject({ id: 6, slug: "private words" });
    expect(recorded).toMatchObject([
      { category: "admin", action: "create", resourceType: "row", resourceId: "books", success: true },
    ]);
    expect(JSON.stringify(recorded)).not.toContain("private words");
    expect((await refusal("data.insert", { table: "books", data: { title: "x" } }, "read")).status).toBe(403);
  });

  it("seeds what can be seeded and tells of each row that can't", async () => {
    const good = [{ n: 1 }, { n: 2, word: "x" }];
    expect(await call("data.seed", { table: "heap", rows: good })).toEqual({
      inserted: 2,
      failed: 0,
      errors: [],
      rows: [
        { n: 1, word: null },
        { n: 2, word: "x" },
      ],
    });
    const mixed = [{ n: 3 }, { n: "three" }, { m: 4 }, { n: 5 }];
    const seeded = await call("data.seed", { table: "heap", rows: mixed });
    expect(seeded).toMatchObject({
      inserted: 2,
      failed: 2,
      errors: [
        { row_index: 1, code: "VALIDATION_INVALID_INPUT" },
        { row_index: 2, code: "VALIDATION_COLUMN_NOT_FOUND" },
      ],
      rows: [{ n: 3 }, { n: 5 }],
    });
    expect((await refusal("data.seed", { table: "nope", rows: good })).code).toBe(
      "VALIDATION_TABLE_NOT_FOUND",
    );
  });

  it("shows what an update or delete would do and keeps nothing of it", async () => {
    const change = { table: "books", filters: { pages: { gt: 3 } } };
    const update = await call("data.update", { ...change, data: { title: "new" }, dry_run: true });
    expect(update).toMatchObject({
      updated: 2,
      dry_run: true,
      rows: [
        { id: 4, title: "new" },
        { id: 5, title: "new" },
      ],
    });
    const remove = await call("data.delete", { ...change, dry_run: true });
    expect(remove).toMatchObject({
      deleted: 2,
      rows: [
        { id: 4, title: "b4" },
        { id: 5, title: "b5" },
      ],
    });
    const forbidden = { ...change, data: { title: "forbidden" }, dry_run: true };
    expect((await refusal("data.update", forbidden)).code).toBe("VALIDATION_CHECK_CONSTRAINT_VIOLATION");
    const asAda = { ...change, data: { title: "new" }, dry_run: true, as_role: "user", as_user: ADA };
    expect((await call("data.update", asAda)).updated).toBe(0);
    const { rows } = await call("data.select", { table: "books", order: "id", select: "title" });
    expect(rows.map((row: { title: string }) => row.title)).toEqual(["b1", "b2", "b3", "b4", "b5"]);
  });

  it("updates and deletes what the filters name, and never everything by accident", async () => {
    const update = await call("data.update", {
      table: "books",
      filters: { title: "b1" },
      data: { pages: 11 },
    });
    expect(update).toMatchObject({ updated: 1, rows: [{ id: 1, pages: 11 }], dry_run: false });
    expect(await call("data.delete", { table: "books", filters: { id: [1, 2] } })).toEqual({
      deleted: 2,
      dry_run: false,
    });
    expect((await refusal("data.update", { table: "books", filters: {}, data: { pages: 1 } })).status).toBe(
      400,
    );
    expect((await refusal("data.delete", { table: "books", filters: {} })).status).toBe(400);
    expect((await refusal("data.delete", { table: "books", filters: { id: 3 } }, ADA)).status).toBe(403);
  });
});

describe("data.run_sql", () => {
  const run = (sql: string, more: object = {}, as?: string) => call("data.run_sql", { sql, ...more }, as);

  it("answers columns with their types and rows as JSON", async () => {
    const output = await run(
      `select id, price, big, tags, meta, published, true as yes, '{1,null}'::int[] as list, 'NaN'::float8 as nan,
         timestamptz '2026-01-02 03:04:05.5Z' as at, '{"a":12345678901234567890}'::jsonb as doc, 1 as id
       from books where id = $1 and title = $2`,
      { params: [1, "b1"] },
    );
    expect(output.columns.slice(0, 4)).toEqual([
      { name: "id", type: "integer" },
      { name: "price", type: "numeric(12,4)" },
      { name: "big", type: "bigint" },
      { name: "tags", type: "text[]" },
    ]);
    expect(output.columns.at(-1)).toEqual({ name: "id_2", type: "integer" });
    const text = JSON.stringify(output.rows[0]);
    expect(text).toContain('"big":9007199254740991');
    expect(text).toContain('"a":12345678901234567890');
    expect(output.rows[0]).toMatchObject({
      id: 1,
      price: 0.25,
      tags: null,
      yes: true,
      list: [1, null],
      nan: "NaN",
      at: "2026-01-02T03:04:05.5+00:00",
      id_2: 1,
    });
    expect(output).toMatchObject({ row_count: 1, truncated: false });
  });

  it("writes with a key that may, and tells how many rows", async () => {
    expect(await run("update books set pages = 0 where id < 3")).toMatchObject({
      row_count: 2,
      rows: [],
      columns: [],
    });
    expect((await run("insert into heap (n) values (1), (2) returning n")).rows).toEqual([
      { n: 1 },
      { n: 2 },
    ]);
    expect(recorded).toHaveLength(2);
    expect((await run("select count(*)::int as c from heap")).rows).toEqual([{ c: 2 }]);
  });

  it("refuses writes of read-only calls and keys", async () => {
    const write = "delete from books";
    expect((await refusal("data.run_sql", { sql: write, read_only: true })).code).toBe("SQL_READ_ONLY");
    expect((await refusal("data.run_sql", { sql: write }, "read")).code).toBe("SQL_READ_ONLY");
    expect((await refusal("data.run_sql", { sql: write, read_only: false }, "read")).code).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect((await run("select count(*)::int as c from books", {}, "read")).rows).toEqual([{ c: 5 }]);
  });

  it("keeps a read-only transaction read-only even against functions that write", async () => {
    await library.owner(
      `create or replace function abs(n books) returns int language sql as 'delete from books; select 1'`,
    );
    const error = await refusal(
      "data.run_sql",
      { sql: "select abs(b) from books b", as_role: "owner" },
      "read",
    );
    expect(error.code).toBe("SQL_READ_ONLY");
    await library.owner("drop function abs(books)");
    expect((await run("select 1 as c from books")).row_count).toBe(5);
  });

  it("runs as whom it is told, under row-level security", async () => {
    const count = async (more: object) => (await run("select count(*)::int as c from books", more)).rows[0].c;
    expect(await count({})).toBe(5);
    expect(await count({ as_role: "owner" })).toBe(5);
    expect(await count({ as_role: "anon" })).toBe(0);
    expect(await count({ as_role: "user", as_user: BOB })).toBe(2);
    expect((await refusal("data.run_sql", { sql: "select 1", as_role: "user" })).code).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
    expect((await refusal("data.run_sql", { sql: "select 1", as_role: "owner", as_user: BOB })).status).toBe(
      400,
    );
  });

  it.each([
    "drop table books",
    "select 1; select 2",
    "select set_config('role', 'postgres', true)",
    "select * from ambit.api_keys",
    "select pg_sleep(1)",
    "commit",
    "set role postgres",
    "copy books to stdout",
    "",
    "selec 1",
  ])("refuses %j before it runs", async (sql) => {
    const error = await refusal("data.run_sql", { sql });
    expect(["SQL_REFUSED", "VALIDATION_INVALID_SCHEMA"]).toContain(error.code);
    expect((await run("select count(*)::int as c from books")).rows[0].c).toBe(5);
  });

  it("passes Postgres' diagnosis on", async () => {
    expect(await refusal("data.run_sql", { sql: "select titel from books" })).toMatchObject({
      code: "SQL_ERROR",
      details: { pg_code: "42703", near: expect.stringMatching(/^titel/) },
    });
    expect((await refusal("data.run_sql", { sql: "select 1/(id-1) from books" })).details).toMatchObject({
      pg_code: "22012",
    });
    expect((await refusal("data.run_sql", { sql: "select $1::int", params: ["x"] })).details).toMatchObject({
      pg_code: "22P02",
    });
    expect((await refusal("data.run_sql", { sql: "select $1::int" })).code).toBe("SQL_ERROR");
    expect(
      (
        await refusal("data.run_sql", {
          sql: "insert into books (owner_id, title) values ('a', 'forbidden')",
        })
      ).code,
    ).toBe("VALIDATION_CHECK_CONSTRAINT_VIOLATION");
  });

  it("cuts long answers, and the connection before a huge one", async () => {
    const many = await run("select n from generate_series(1, 5000) n");
    expect(many).toMatchObject({ truncated: true, row_count: 1000 });
    expect(many.rows).toHaveLength(1000);
    expect(await run("select n from generate_series(1, 1000) n")).toMatchObject({
      truncated: false,
      row_count: 1000,
    });
    const wide = await run("select repeat('x', 10000) as w from generate_series(1, 500)");
    expect(wide.truncated).toBe(true);
    expect(wide.rows.length).toBeLessThan(150);
    const huge = "select string_agg(repeat('x', 10000), '') as w from generate_series(1, 5000)";
    expect((await refusal("data.run_sql", { sql: huge })).code).toBe("RESPONSE_TOO_LARGE");
  });

  it("makes calls wait rather than take every connection of the app", async () => {
    const calls = Array.from({ length: 12 }, (_, n) =>
      run("select $1::int as n from (select pg_column_size(repeat('x', 1000))) s", { params: [n] }),
    );
    const reads = Array.from({ length: 12 }, () => call("data.select", { table: "books", limit: 1 }));
    expect((await Promise.all(calls)).map(({ rows }) => rows[0].n)).toEqual(calls.map((_, n) => n));
    await Promise.all(reads);
  });

  it("stops when the caller goes away", async () => {
    const gone = new AbortController();
    const slow = call(
      "data.run_sql",
      { sql: "select count(*) from generate_series(1, 100000000) n" },
      "service",
      gone.signal,
    );
    setTimeout(() => gone.abort(), 100);
    const started = performance.now();
    await expect(slow).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});
