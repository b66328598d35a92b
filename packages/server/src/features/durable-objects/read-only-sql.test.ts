import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { isReadOnly } from "./read-only-sql.ts";

const db = new DatabaseSync(":memory:");
db.exec("create table t (a, b); insert into t values (1, 'x'), (2, 'y')");
afterAll(() => db.close());

describe("SQL that only reads", () => {
  it("is told from SQL that writes", () => {
    for (const sql of [
      "select 1",
      " SELECT a from t; ",
      "-- note\nselect ';' , \"insert\" from t /* ; delete */",
      "values (1), (2)",
      "with x as (select 1) select * from x",
      "with recursive n(i) as (select 1 union select i + 1 from n where i < 3) select replace('a', 'a', 'b') from n",
      "explain delete from t",
    ])
      expect(isReadOnly(sql), sql).toBe(true);
    for (const sql of [
      "",
      ";",
      "insert into t values (1, 2)",
      "select 1; delete from t",
      "with x as (select 1) insert into t select 1, 2",
      "with x as (select 1) delete from t",
      "with x as (values (1)) replace into t values (1, 2)",
      "pragma user_version = 3",
      "attach ':memory:' as other",
      "create table u (a)",
      "vacuum",
      "/* select */ delete from t",
      "'select' ; delete from t",
      "begin",
    ])
      expect(isReadOnly(sql), sql).toBe(false);
  });
  it("changes nothing, whatever it is made of", () => {
    const word = fc.constantFrom(
      ...[
        "select",
        "with",
        "x",
        "as",
        "(",
        ")",
        "insert into t",
        "values",
        "(1, 2)",
        "delete from t",
        ";",
        "'",
        '"',
      ],
      ...[
        "--",
        "/*",
        "*/",
        "\n",
        "explain",
        "update t set a = 9",
        "a",
        "from t",
        ",",
        "*",
        "replace",
        "[",
        "]",
        "1",
      ],
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 10 }), (words) => {
        const sql = words.join(" ");
        if (!isReadOnly(sql)) return;
        const before = db.prepare("select total_changes() as n").get()!.n;
        try {
          // As an instance's storage runs it: every statement in the text.
          db.exec(sql);
        } catch {
          // No SQL at all.
        }
        expect(db.prepare("select total_changes() as n").get()!.n, sql).toBe(before);
      }),
      { numRuns: 3_000 },
    );
  });
});
