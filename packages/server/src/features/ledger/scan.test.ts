import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import type { EntryScan } from "./service.ts";
import { draftOf, ledgerNode } from "./testing/stand.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test?.stop());

/** Every entry a scan finds, `look` at a time; and how many steps had nothing. */
async function all(organizationId: string, scan: EntryScan, look: number): Promise<string[]> {
  const { ledger } = ledgerNode(test.platform);
  const found: string[] = [];
  for (let after: string | null = null; ; ) {
    const step = await ledger.scan(organizationId, scan, after, look);
    expect(step.looked).toBeLessThanOrEqual(look);
    found.push(...step.rows.map(({ id }) => id));
    if (step.looked < look) return found;
    after = step.last;
  }
}

describe("a scan", () => {
  it("finds exactly what fits, in order, whatever the size of its steps", async () => {
    const organizationId = newUuid();
    let nowMs = Date.UTC(2026, 0, 1);
    const { ledger } = ledgerNode({ ...test.platform, clock: () => nowMs });
    const made: { id: string; kind: string; subject: string; tool: string; ms: number }[] = [];
    for (let n = 0; n < 90; n += 1) {
      nowMs += n % 4 === 0 ? 3_600_000 : 0;
      const [kind, subject, tool] = [
        ["k.a", "k.b"][n % 2]!,
        ["s1", "s2", "s3"][(n * 7) % 3]!,
        ["x", "xx"][(n * 5) % 2]!,
      ];
      const draft = { kind, subject, data: { tool, note: '"tool":"x"' } };
      made.push({ id: await ledger.record(draftOf(organizationId, draft)), kind, subject, tool, ms: nowMs });
    }
    const [early, late] = [made[20]!.ms, made[70]!.ms];
    for (const order of ["newest", "oldest"] as const)
      for (const subjects of [null, ["s2"], ["s1", "s3"], []])
        for (const kinds of [["k.a"], ["k.a", "k.b"]])
          for (const holding of [[], ['"tool":"x"']])
            for (const [fromMs, toMs] of [[], [early, late], [late], [undefined, early]]) {
              const expected = made.filter(
                (each) =>
                  (subjects?.includes(each.subject) ?? true) &&
                  kinds.includes(each.kind) &&
                  (holding.length === 0 || each.tool === "x") &&
                  each.ms >= (fromMs ?? 0) &&
                  each.ms < (toMs ?? Number.POSITIVE_INFINITY),
              );
              if (order === "newest") expected.reverse();
              const scan = { order, subjects, kinds, holding, fromMs, toMs };
              for (const look of [1, 7, 1_000])
                expect([scan, await all(organizationId, scan, look)]).toEqual([
                  scan,
                  expected.map(({ id }) => id),
                ]);
            }
  });

  it("of another organisation's subject finds nothing and tells nothing", async () => {
    const { ledger } = ledgerNode(test.platform);
    await ledger.record(draftOf(newUuid(), { kind: "k.a", subject: "theirs" }));
    const scan = { order: "newest", subjects: ["theirs"], kinds: ["k.a"], holding: [] } as const;
    expect(await ledger.scan(newUuid(), scan, null, 1)).toEqual({ rows: [], looked: 0, last: null });
  });
});

describe("opened values", () => {
  it("come in the order of their entries, also where they are more than is read at once", async () => {
    const organizationId = newUuid();
    const { ledger } = ledgerNode(test.platform);
    const large = "x".repeat(limits.pageBytes / 3);
    const ids: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      const sealed: { [name: string]: string } = n === 3 ? {} : { value: `${n} ${large}`, other: "o" };
      ids.push(await ledger.record(draftOf(organizationId, { subject: `v${n}`, sealed })));
    }
    await test.platform.database.transaction((tx) =>
      ledger.erase(tx, {
        ...{ organizationId, subjects: ["v5"], names: ["value"], reason: "asked for" },
        actor: { type: "system", id: null },
      }),
    );
    const asked = [...ids.toReversed(), "led_none"];
    const found: unknown[] = [];
    for await (const { id, value } of ledger.opened(organizationId, asked, "value"))
      found.push([asked.indexOf(id), typeof value === "string" ? value.slice(0, 1) : value]);
    expect(found).toEqual(
      ["7", "6", undefined, "4", undefined, "2", "1", "0", undefined].map((value, at) => [at, value]),
    );
    for await (const { value } of ledger.opened(newUuid(), ids, "value")) expect(value).toBeUndefined();
  });
});
