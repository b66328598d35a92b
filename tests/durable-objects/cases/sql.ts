import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** SQLite inside an instance. */
export const sql: AppCases = {
  name: "sql",
  programs: ["sql-tables", "sql-search", "transactions", "transaction-sync", "sql-walls"],
  cases: [
    {
      name: "tables, types, cursors, constraints and the newer parts of SQL",
      async run(client) {
        const add = (name: string, score: number) =>
          client.fetch("sql-tables/a/add", { method: "POST", body: JSON.stringify({ name, score }) });
        expect((await add("ada", 9.5)).json()).toEqual({ id: 1, written: true });
        await add("ben", 7);
        await add("é'; drop table players; --", 8);
        expect((await add("ada", 1)).text).toContain("UNIQUE constraint failed");
        const all = (await client.fetch("sql-tables/a")).json();
        expect(all.rows.map((row: any) => row.name)).toEqual(["ada", "é'; drop table players; --", "ben"]);
        expect((await client.fetch("sql-tables/a/types")).json()).toEqual([
          [null, "null"],
          [7, "real"],
          [2.5, "real"],
          ["tëxt", "text"],
          [[0, 255], "blob"],
        ]);
        expect((await client.fetch("sql-tables/a/advanced")).json()).toMatchObject({
          json: { v: 3 },
          cte: { s: 5050 },
          upsert: { score: 10.5 },
          each: [{ value: 1 }, { value: 2 }, { value: 3 }],
        });
        expect((await client.fetch("sql-tables/b")).json().rows).toEqual([]);
      },
    },
    {
      name: "full-text search ranks and cuts out",
      async run(client) {
        const docs = [
          ["Baking bread", "Knead the dough for ten minutes, then let it rest before baking."],
          ["Running", "Rest days matter as much as running days."],
          ["Dough and rest", "Ürgent: crème brûlée has no dough."],
        ];
        for (const [title, body] of docs) {
          const reply = await client.fetch("sql-search/a", {
            method: "POST",
            body: JSON.stringify({ title, body }),
          });
          expect(reply.status).toBe(204);
        }
        const found = (await client.fetch("sql-search/a?q=dough")).json();
        expect(found.map((row: any) => row.title)).toEqual(["Dough and rest", "Baking bread"]);
        expect((await client.fetch("sql-search/a?q=run")).json()[0].found).toContain("[running]");
        expect((await client.fetch("sql-search/a?q=brulee")).json()).toHaveLength(1);
        expect((await client.fetch("sql-search/a?q=%22")).status).toBe(400);
      },
    },
    {
      name: "a transaction is all or nothing, also with many at once",
      async run(client) {
        await client.fetch("transactions/bank/open");
        expect((await client.fetch("transactions/bank/transfer?t=ada,ben,30")).json()).toEqual({
          ada: 70,
          ben: 30,
        });
        const refused = await client.fetch("transactions/bank/transfer?t=ada,ben,71");
        expect([refused.status, refused.json()]).toEqual([409, { error: "ada lacks 1", ada: 70, ben: 30 }]);
        expect((await client.fetch("transactions/bank/rollback")).json()).toEqual({
          result: "rolled back",
          ada: 70,
          ben: 30,
        });
        await Promise.all(
          Array.from({ length: 20 }, () =>
            client.fetch("transactions/bank/transfer?t=ben,ada,1", { compare: "nothing" }),
          ),
        );
        expect((await client.fetch("transactions/bank/balances")).json()).toEqual({ ada: 90, ben: 10 });
      },
    },
    {
      name: "transactionSync takes back SQL and keys",
      async run(client) {
        expect((await client.fetch("transaction-sync/a")).json()).toEqual([
          ["commit", 1],
          ["rollback", "threw taken back"],
          [1, 1],
          ["nested", 2],
          ["begin", expect.stringContaining("threw")],
          [2, 1],
        ]);
      },
    },
    {
      name: "SQL stays inside its own database",
      async run(client) {
        const { results, size, kept } = (await client.fetch("sql-walls/a")).json();
        expect(results.filter(([, verdict]: string[]) => verdict === "ran")).toEqual([]);
        expect([size, kept]).toEqual([true, "value"]);
      },
    },
  ],
};
