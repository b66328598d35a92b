import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADA, BOB, type Library, openLibrary } from "./testing/library.ts";

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
  const owners = [ADA, ADA, BOB];
  await library.owner("insert into books (owner_id, title) select u, 'b' from unnest($1::text[]) u", [
    owners,
  ]);
  await library.owner("insert into heap select n, null from generate_series(1, 5) n");
});
afterAll(() => library.stop());

const get = (path: string, as: string | undefined = "service", headers: Record<string, string> = {}) =>
  library.send("GET", path, { as, headers });

describe("paging", () => {
  it("tells the range and, asked, the total", async () => {
    const page = await get("books?order=id&limit=2", "service", { prefer: "count=exact" });
    expect(page.headers["content-range"]).toBe("0-1/3");
    expect((await get("books?order=id&limit=2&offset=2")).headers["content-range"]).toBe("2-2/*");
    expect((await get("books?id=eq.99", "service", { prefer: "count=exact" })).headers["content-range"]).toBe(
      "*/0",
    );
    expect((await get("books", ADA, { prefer: "count=exact" })).headers["content-range"]).toBe("0-1/2");
    expect((await get("books?limit=0")).json).toEqual([]);
  });

  it("tells when the default limit cut the answer", async () => {
    await library.owner("create table many as select n as id from generate_series(1, 1500) n");
    const cut = await get("many");
    expect(cut.json).toHaveLength(1000);
    expect(cut.headers["x-ambit-default-limit"]).toBe("1000");
    const whole = await get("many?limit=10000");
    expect(whole.json).toHaveLength(1500);
    expect(whole.headers["x-ambit-default-limit"]).toBeUndefined();
  });

  it("walks every row exactly once by cursor, in any order, nulls included", async () => {
    await library.owner(
      `create table walk (id integer primary key, kind text, score double precision, at timestamptz not null)`,
    );
    await library.owner(
      `insert into walk select n, (array['a', 'b', null])[n % 3 + 1], nullif(n % 7, 3) / 3.0,
       '2026-01-01'::timestamptz + (n % 5) * interval '1 microsecond' from generate_series(1, 97) n`,
    );
    const orders = [
      "id",
      "id.desc",
      "kind,id",
      "kind.desc,score.asc.nullsfirst",
      "at",
      "at.desc,id.desc",
      "score.desc.nullslast,kind.nullsfirst",
      "at,score",
    ];
    for (const order of orders) {
      const all = (await get(`walk?order=${order},id`)).json.map((row: { id: number }) => row.id);
      const seen: number[] = [];
      let cursor: string | undefined = "";
      for (let pages = 0; cursor !== undefined && pages < 30; pages++) {
        const page = await get(
          `walk?order=${order}&limit=10&select=kind,n:id${cursor === "" ? "" : `&after=${cursor}`}`,
        );
        seen.push(...page.json.map((row: { n: number }) => row.n));
        cursor = page.headers["x-ambit-next-cursor"];
      }
      expect(seen, order).toEqual(all);
    }
  });

  it("refuses a cursor of another order, a forged one, and one where no key tells rows apart", async () => {
    const first = await get("books?order=id&limit=1");
    const cursor = first.headers["x-ambit-next-cursor"];
    expect(cursor).toBeDefined();
    for (const path of [
      `books?order=title&after=${cursor}`,
      "books?order=id&after=abc",
      "heap?order=n&after=",
      `books?order=id&after=${Buffer.from('["id.asc.last",[{}]]').toString("base64url")}`,
    ]) {
      expect(await get(path), path).toMatchObject({
        status: 400,
        json: { error: { code: "VALIDATION_INVALID_CURSOR" } },
      });
    }
    expect((await get("heap?order=n&limit=1")).headers["x-ambit-next-cursor"]).toBeUndefined();
  });
});
