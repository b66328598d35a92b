import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Metrics } from "../../kernel/metrics.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import type { Ledger } from "./service.ts";
import { draftOf, ledgerNode } from "./testing/stand.ts";

let test: TestPlatform;
let ledger: Ledger;
let metrics: Metrics;
let org: string;
beforeAll(async () => {
  test = await testPlatform();
  ({ ledger, metrics } = ledgerNode(test.platform));
  org = test.organizationId;
});
afterAll(() => test.stop());

/** Kinds of what is written about a subject, in the order of the ledger. */
const kindsOf = async (subject: string) =>
  (
    await test.platform.database.query<{ kind: string }>(
      "select kind from ambit.ledger_entries where subject = $1 order by seq",
      [subject],
    )
  ).map(({ kind }) => kind);
const subjectOf = () => `s_${randomBytes(6).toString("hex")}`;

describe("append", () => {
  it("writes with the transaction, in order and in one statement, after everything else in it", async () => {
    const subject = subjectOf();
    const seen: string[] = [];
    await test.platform.database.transaction(async (tx) => {
      const ids = ["a", "b", "c"].map((kind) => ledger.append(tx, draftOf(org, { kind, subject })));
      expect(new Set(ids).size).toBe(3);
      tx.beforeCommit(async (last) => {
        const rows = await last.query("select 1 from ambit.ledger_entries where subject = $1", [subject]);
        seen.push(`${rows.length} entries before the last step`);
      });
      await tx.query("select 1");
    });
    expect(seen).toEqual(["0 entries before the last step"]);
    expect(await kindsOf(subject)).toEqual(["a", "b", "c"]);
  });

  it("leaves nothing of a transaction that is undone", async () => {
    const subject = subjectOf();
    const undone = test.platform.database.transaction(async (tx) => {
      ledger.append(tx, draftOf(org, { subject, sealed: { name: "Ada" } }));
      throw new Error("no");
    });
    await expect(undone).rejects.toThrow("no");
    // Undone after the entry had its number: by what only the commit finds.
    const late = test.platform.database.transaction(async (tx) => {
      await tx.query(
        "create temporary table late (id int unique deferrable initially deferred) on commit drop",
      );
      await tx.query("insert into late values (1), (1)");
      ledger.append(tx, draftOf(org, { subject, sealed: { name: "Ada" } }));
    });
    await expect(late).rejects.toThrow(/duplicate key/);
    expect(await kindsOf(subject)).toEqual([]);
    const left = await test.platform.database.query(
      "select 1 from ambit.ledger_openings where openings::text like '%Ada%'",
    );
    expect(left).toEqual([]);
  });

  it("leaves out what a savepoint undid, first or last", async () => {
    const undo = new Error("only this part");
    for (const undonePart of [0, 1, 2]) {
      const subject = subjectOf();
      await test.platform.database.transaction(async (tx) => {
        for (const part of [0, 1, 2]) {
          const work = tx.nested(async (inner) => {
            ledger.append(inner, draftOf(org, { kind: `part${part}`, subject }));
            if (part === undonePart) throw undo;
          });
          await work.catch((error) => expect(error).toBe(undo));
        }
      });
      expect(await kindsOf(subject)).toEqual(
        ["part0", "part1", "part2"].filter((_, part) => part !== undonePart),
      );
    }
  });

  it("takes what another last step of the transaction appends", async () => {
    const subject = subjectOf();
    await test.platform.database.transaction(async (tx) => {
      ledger.append(tx, draftOf(org, { kind: "first", subject }));
      tx.beforeCommit(async () => void ledger.append(tx, draftOf(org, { kind: "late", subject })));
    });
    expect((await kindsOf(subject)).sort()).toEqual(["first", "late"]);
  });

  it("refuses an entry that is too large before anything is written", async () => {
    const large = draftOf(org, { data: { text: "x".repeat(limits.entryBytes) } });
    const work = test.platform.database.transaction(async (tx) => void ledger.append(tx, large));
    await expect(work).rejects.toMatchObject({ code: "LEDGER_ENTRY_TOO_LARGE", status: 413 });
    await expect(ledger.record(large)).rejects.toMatchObject({ code: "LEDGER_ENTRY_TOO_LARGE" });
    const hits = await metrics.registry.getSingleMetricAsString("ambit_limit_hit_total");
    expect(hits).toContain('{limit="ledger_entry_bytes"} 2');
  });
});

describe("record", () => {
  it("keeps each of many at once apart: the bad ones fail, the others are there when told", async () => {
    const subject = subjectOf();
    const ends = await Promise.allSettled(
      Array.from({ length: 64 }, async (_, n) => {
        const bad = n % 8 === 3;
        const id = await ledger.record(
          draftOf(org, { kind: `n${n}`, subject, data: bad ? { n: Number.NaN } : { n } }),
        );
        const [row] = await test.platform.database.query(
          "select kind from ambit.ledger_entries where id = $1",
          [id],
        );
        return row?.kind;
      }),
    );
    const told = ends.map((end) => (end.status === "fulfilled" ? end.value : end.reason.code));
    expect(told).toEqual(
      Array.from({ length: 64 }, (_, n) => (n % 8 === 3 ? "LEDGER_ENTRY_MALFORMED" : `n${n}`)),
    );
    expect((await kindsOf(subject)).length).toBe(56);
  });

  it("writes those that come together together", async () => {
    const subject = subjectOf();
    await Promise.all(Array.from({ length: 40 }, () => ledger.record(draftOf(org, { subject }))));
    const transactions = await test.platform.database.query(
      "select distinct xmin from ambit.ledger_entries where subject = $1",
      [subject],
    );
    expect(transactions.length).toBe(1);
  });

  it("says DATABASE_UNAVAILABLE to everyone in a batch that could not be written, and goes on", async () => {
    await test.asSuperuser(
      "alter table ambit.ledger_entries add constraint refuse check (kind <> 'refused') not valid",
    );
    const lost = await Promise.allSettled(
      ["fine", "refused", "fine"].map((kind) => ledger.record(draftOf(org, { kind }))),
    );
    expect(lost.map((end) => (end.status === "rejected" ? end.reason.code : "ok"))).toEqual(
      Array(3).fill("DATABASE_UNAVAILABLE"),
    );
    await test.asSuperuser("alter table ambit.ledger_entries drop constraint refuse");
    await ledger.record(draftOf(org, { kind: "refused" }));
  });

  it("keeps values that no jsonb can hold", async () => {
    const value = { zero: "a\0b", large: 1e300, small: 5e-324, deep: [[[]]], text: "ä\u2028" };
    const id = await ledger.record(draftOf(org, { sealed: { value } }));
    const { openings } = await ledger.get(org, id);
    expect(JSON.parse(openings!.value!).value).toEqual(value);
  });
});
