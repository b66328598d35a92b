import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import type { Ledger } from "./service.ts";
import { draftOf, exportAndVerify, ledgerNode } from "./testing/stand.ts";

let test: TestPlatform;
let ledger: Ledger;
let org: string;
beforeAll(async () => {
  test = await testPlatform();
  org = test.organizationId;
  ({ ledger } = ledgerNode(test.platform));
  ledger.start();
});
afterAll(async () => {
  await ledger.stop();
  await test.stop();
});

const erase = (organizationId: string, subjects: string[], names?: string[]) =>
  test.platform.database.transaction((tx) =>
    ledger.erase(tx, {
      ...{ organizationId, subjects, reason: "she asked for it", actor: { type: "person", id: "key_1" } },
      ...(names === undefined ? {} : { names }),
    }),
  );
const everything = async () =>
  JSON.stringify(await test.platform.database.query("select openings from ambit.ledger_openings"));

describe("erasing", () => {
  it("removes the values for good, says so in the ledger, and leaves it as provable as it was", async () => {
    const other = newUuid();
    const sealed = { name: "Ada Lovelace", email: "ada@example.com" };
    for (const subject of ["act_1", "act_1", "act_2"]) await ledger.record(draftOf(org, { subject, sealed }));
    await ledger.record(draftOf(other, { subject: "act_1", sealed: { name: "Other Organisation" } }));
    const before = await exportAndVerify(ledger, org);
    expect(before.report).toMatchObject({ ok: true, openings: { checked: 6, erased: 0 } });

    expect(await erase(org, ["act_1"], ["email", "nothing"])).toBe(2);
    expect(await everything()).toContain("Ada Lovelace");
    expect(await erase(org, ["act_1", "act_2"])).toBe(4);
    expect(await erase(org, ["act_1", "act_2"])).toBe(0);
    const left = await everything();
    for (const gone of ["Ada Lovelace", "ada@example.com"]) expect(left).not.toContain(gone);
    expect(left).toContain("Other Organisation");

    const { report, entries } = await exportAndVerify(ledger, org, [
      (await ledger.checkpoints.latest())!.note,
    ]);
    expect(report.ok).toBe(true);
    expect(report.openings).toEqual({ checked: 3, erased: 6 });
    expect(report.foreign).toBe(1);
    const erased = entries.filter(({ kind }) => kind === "ledger.erased");
    expect(erased.map(({ data }) => data)).toEqual([
      { subjects: ["act_1"], names: ["email", "nothing"], entries: 2, values: 2 },
      { subjects: ["act_1", "act_2"], names: null, entries: 3, values: 4 },
      { subjects: ["act_1", "act_2"], names: null, entries: 0, values: 0 },
    ]);
  });

  it("keeps why it was done until that is erased by itself", async () => {
    await erase(org, ["act_7"]);
    await erase(org, ["act_7"]);
    const { rows } = await ledger.list(org, { kind: "ledger.erased" }, 2);
    expect(rows.map(({ openings }) => JSON.parse(openings!.reason!).value)).toEqual(
      Array(2).fill("she asked for it"),
    );
    expect(await erase(org, [JSON.parse(rows[0]!.entry).subject])).toBe(1);
    expect((await ledger.get(org, rows[0]!.id)).openings).toBeNull();
  });

  it("of very many subjects takes as many entries as it needs", async () => {
    const subjects = Array.from({ length: 450 }, (_, n) => `many_${n}`);
    for (const n of [0, 300, 449]) {
      await ledger.record(draftOf(org, { subject: subjects[n], sealed: { name: "x" } }));
    }
    expect(await erase(org, subjects)).toBe(3);
    const { rows } = await ledger.list(org, { kind: "ledger.erased" }, 3);
    const told = rows.flatMap(({ entry }) => JSON.parse(entry).data.subjects);
    expect(told.sort()).toEqual([...subjects].sort());
  });

  it("leaves no trace when its transaction is undone", async () => {
    await ledger.record(draftOf(org, { subject: "act_9", sealed: { name: "Grace" } }));
    const undone = test.platform.database.transaction(async (tx) => {
      await ledger.erase(tx, {
        ...{ organizationId: org, subjects: ["act_9"], reason: "x", actor: { type: "system", id: null } },
      });
      throw new Error("no");
    });
    await expect(undone).rejects.toThrow("no");
    expect(await everything()).toContain("Grace");
  });
});
