import type { Reservation } from "@ambit/policy";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GatewayQuotas, Reserved } from "./service.ts";
import { type QuotaStand, quotaStand, reservation } from "./testing/stand.ts";

let stand: QuotaStand;
let nodes: GatewayQuotas[];
beforeAll(async () => {
  stand = await quotaStand();
  nodes = [stand.quotas, stand.node().quotas];
});
afterAll(() => stand.stop());

let runs = 0;
const fresh = (name = "k") => `${name}${++runs}`;

/** What counters are: numbers by key and window. */
class Model {
  readonly used = new Map<string, number>();
  static place = ({ key, windowStartMs }: Reservation) => `${key}@${windowStartMs}`;

  /** Which reservation is refused; null when all are made. */
  reserve(reservations: readonly Reservation[]): Reservation | null {
    const next = new Map(this.used);
    for (const each of reservations) {
      const amount = (next.get(Model.place(each)) ?? 0) + each.cost;
      if (amount > each.max) return each;
      next.set(Model.place(each), amount);
    }
    for (const [place, amount] of next) this.used.set(place, amount);
    return null;
  }

  giveBack(reservations: readonly Reservation[]): void {
    const sums = new Map<string, number>();
    for (const each of reservations)
      sums.set(Model.place(each), (sums.get(Model.place(each)) ?? 0) + each.cost);
    for (const [place, sum] of sums) {
      const amount = this.used.get(place);
      if (amount !== undefined) this.used.set(place, Math.max(0, amount - sum));
    }
  }
}

const admitted = (answers: readonly Reserved[]) => answers.filter(({ ok }) => ok).length;
const shape = fc.record({
  key: fc.nat(3),
  cost: fc.nat(4),
  max: fc.integer({ min: 1, max: 12 }),
  window: fc.nat(1),
});

describe("random sequences on two nodes", () => {
  const command = fc.record({
    node: fc.nat(1),
    what: fc.constantFrom("reserve", "reserve", "reserve", "giveBack", "giveBackIn"),
    of: fc.array(shape, { maxLength: 4 }),
  });

  it("do what the model does, one after the other", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
        const run = fresh("seq");
        const model = new Model();
        for (const { node, what, of } of commands) {
          const list = of.map(({ key, ...more }) => reservation(`${run}/${key}`, more));
          if (what === "reserve") {
            const refused = model.reserve(list);
            expect(await nodes[node]!.reserve(list)).toEqual(
              refused === null ? { ok: true } : { ok: false, refused },
            );
          } else {
            model.giveBack(list);
            if (what === "giveBack") await nodes[node]!.giveBack(list);
            else await stand.platform.database.transaction((tx) => nodes[node]!.giveBackIn(tx, list));
          }
        }
        const rows = await stand.platform.database.query<{ key: string; start: string; used: string }>(
          `select key, extract(epoch from window_start) * 1000 as start, used from ambit.gateway_counters
           where starts_with(key, $1) and used > 0`,
          [`${run}/`],
        );
        const real = rows.map(({ key, start, used }) => [`${key}@${Number(start)}`, Number(used)]);
        expect(new Map(real as [string, number][])).toEqual(
          new Map([...model.used].filter(([, amount]) => amount > 0)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("many at once, in any order: nobody waits in a circle, nothing is over its max, and the sums are right", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(shape, { minLength: 1, maxLength: 4 }), { maxLength: 60 }),
        async (calls) => {
          const run = fresh("par");
          const expected = new Map<string, number>();
          const add = (list: readonly Reservation[], sign: number) => {
            for (const each of list)
              expected.set(Model.place(each), (expected.get(Model.place(each)) ?? 0) + sign * each.cost);
          };
          await Promise.all(
            calls.map(async (call, index) => {
              const list = call.map(({ key, cost, window }) =>
                reservation(`${run}/${key}`, { cost, window, max: 9 }),
              );
              const node = nodes[index % 2]!;
              const answer = await node.reserve(list);
              if (!answer.ok) return expect(list).toContain(answer.refused);
              add(list, 1);
              if (index % 3 !== 0) return;
              add(list, -1);
              if (index % 2 === 0) return node.giveBack(list);
              await stand.platform.database.transaction((tx) => node.giveBackIn(tx, list.toReversed()));
            }),
          );
          for (const [place, amount] of expected) {
            const [key, start] = place.split("@") as [string, string];
            expect(await stand.usedOf(key, Number(start))).toBe(amount);
            expect(amount).toBeLessThanOrEqual(9);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("in parallel", () => {
  it.each([1, 2, 3, 4, 5])("64 calls on two nodes admit exactly max (seed %i)", async (seed) => {
    const [max, cost] = [7 * seed, (seed % 3) + 1];
    const key = fresh("exact");
    const list = [reservation(key, { max, cost }), reservation(`${key}/all`, { max: 10_000 })];
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        nodes[(index * seed) % 2]!.reserve(index % 2 === 0 ? list : list.toReversed()),
      ),
    );
    expect(admitted(answers)).toBe(Math.min(64, Math.floor(max / cost)));
    expect(await stand.usedOf(key, 0)).toBe(admitted(answers) * cost);
    expect(await stand.usedOf(`${key}/all`, 0)).toBe(admitted(answers));
  });

  it("at max − 1 exactly one is admitted", async () => {
    const key = fresh("last");
    const of = (cost: number) => [reservation(key, { cost, max: 100 })];
    expect(await nodes[0]!.reserve(of(99))).toEqual({ ok: true });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => nodes[index % 2]!.reserve(of(1))),
    );
    expect(admitted(answers)).toBe(1);
  });
});

describe("one call", () => {
  it("reserves all or none, and names the first that had no room", async () => {
    const key = fresh();
    const [a, b, c] = [
      reservation(`${key}/a`, { cost: 3 }),
      reservation(`${key}/b`, { cost: 3, max: 2 }),
      reservation(`${key}/c`, { cost: 3, max: 1 }),
    ];
    expect(await stand.quotas.reserve([a, b, c])).toEqual({ ok: false, refused: b });
    expect(await stand.usedOf(a.key, 0)).toBe(0);
    expect(await stand.quotas.reserve([a, a, a, a])).toEqual({ ok: false, refused: a });
    expect(await stand.quotas.reserve([a, a, a])).toEqual({ ok: true });
    expect(await stand.usedOf(a.key, 0)).toBe(9);
    expect(await stand.quotas.reserve([])).toEqual({ ok: true });
  });

  it("takes any number for max, and no odd number for cost", async () => {
    const key = fresh();
    const most = Number.MAX_SAFE_INTEGER;
    expect(await stand.quotas.reserve([reservation(key, { cost: most, max: 1e300 })])).toEqual({ ok: true });
    const more = reservation(key, { cost: 1, max: Infinity });
    expect(await stand.quotas.reserve([more])).toEqual({ ok: false, refused: more });
    expect(await stand.quotas.reserve([reservation(key, { cost: 0, max: most })])).toEqual({ ok: true });
    for (const cost of [-1, 0.5, Number.NaN, Infinity, 2 ** 60]) {
      const odd = reservation(fresh(), { cost, max: 1e300 });
      expect(await stand.quotas.reserve([odd])).toEqual({ ok: false, refused: odd });
      expect(await stand.usedOf(odd.key, 0)).toBeNull();
    }
    expect(await stand.usedOf(key, 0)).toBe(most);
  });

  it("with a name that Postgres can't hold spoils nothing for the others", async () => {
    const odd = ["\0", "\ud800", "long".repeat(2_000)].map((name) => reservation(fresh() + name, { max: 1 }));
    const good = reservation(fresh());
    const answers = await Promise.all([...odd, good, ...odd].map((each) => stand.quotas.reserve([each])));
    expect(answers.map(({ ok }) => ok)).toEqual([true, true, true, true, false, false, false]);
  });

  it("does not wait for the disk, and everything else still does", async () => {
    const { database } = stand.platform;
    await stand.quotas.reserve([reservation(fresh())]);
    const inside = await database.transaction(async (tx) => {
      await tx.query("select ambit.gateway_reserve($1, $2, $3, $4, $5, $6, $7, $8)", [
        ...[[fresh()], ["2020-01-01T00:00:00Z"], ["2020-01-01T00:01:00Z"], [1], [1], [1], [1], 500],
      ]);
      return tx.query("select current_setting('synchronous_commit') as commit");
    });
    expect(inside).toEqual([{ commit: "off" }]);
    expect(await database.query("select current_setting('synchronous_commit') as commit")).toEqual([
      { commit: "on" },
    ]);
    const giving = await database.transaction(async (tx) => {
      await tx.query("select ambit.gateway_give_back($1, $2, $3, $4)", [
        ...[[fresh()], ["2020-01-01T00:00:00Z"], [1], null],
      ]);
      return tx.query("select current_setting('synchronous_commit') as commit");
    });
    expect(giving).toEqual([{ commit: "on" }]);
  });
});

describe("giving back", () => {
  it("goes into its own window only, never below zero, and makes no counter", async () => {
    const key = fresh();
    await stand.quotas.reserve([reservation(key, { cost: 5 }), reservation(key, { cost: 2, window: 1 })]);
    await stand.quotas.giveBack([reservation(key, { cost: 9, window: 1 })]);
    await stand.quotas.giveBack([reservation(key, { cost: 1, window: 2 })]);
    expect(await Promise.all([0, 1, 2].map((window) => stand.usedOf(key, window * 60_000)))).toEqual([
      5,
      0,
      null,
    ]);
  });

  it("belongs to its transaction: undone with it, and with the part of it that is undone", async () => {
    const key = fresh();
    const of = (cost: number) => [reservation(key, { cost, max: 100 })];
    await stand.quotas.reserve(of(50));
    const { database } = stand.platform;
    await expect(
      database.transaction(async (tx) => {
        await stand.quotas.giveBackIn(tx, of(1));
        throw new Error("undone");
      }),
    ).rejects.toThrow("undone");
    expect(await stand.usedOf(key, 0)).toBe(50);
    await database.transaction(async (tx) => {
      await stand.quotas.giveBackIn(tx, of(1));
      await tx
        .nested(async (part) => {
          await stand.quotas.giveBackIn(part, of(20));
          throw new Error("undone");
        })
        .catch(() => {});
      await stand.quotas.giveBackIn(tx, of(2));
    });
    expect(await stand.usedOf(key, 0)).toBe(47);
  });

  it("in transactions that name the same counters in different orders ends in no deadlock", async () => {
    const keys = Array.from({ length: 6 }, (_, index) => `${fresh()}/${index}`);
    const list = keys.map((key) => reservation(key, { cost: 20, max: 1_000 }));
    await stand.quotas.reserve(list);
    const { database } = stand.platform;
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const order = index % 2 === 0 ? list : list.toReversed();
        if (index % 4 < 2) return nodes[index % 2]!.reserve(order);
        await database.transaction(async (tx) => {
          for (const each of order) await nodes[0]!.giveBackIn(tx, [{ ...each, cost: 1 }]);
        });
        return null;
      }),
    );
    for (const key of keys) expect(await stand.usedOf(key, 0)).toBe(20 + 20 * 20 - 20);
  });
});

describe("counters", () => {
  it("are shown of the present window, by the beginning of their names", async () => {
    const grant = fresh("grant:gra_");
    const at = (name: string, window: number, cost: number) =>
      reservation(`${grant}${name}`, { cost, window });
    await stand.quotas.reserve([at("/a", 4, 1), at("/b", 5, 2), at("/ü", 5, 3), at("0/c", 5, 4)]);
    const now = 5 * 60_000;
    expect(await stand.quotas.used(`${grant}/`, now)).toEqual([
      { key: `${grant}/b`, windowStart: new Date(now), used: 2 },
      { key: `${grant}/ü`, windowStart: new Date(now), used: 3 },
    ]);
    expect(await stand.quotas.used(`${grant}/`, now - 1)).toMatchObject([{ key: `${grant}/a`, used: 1 }]);
  });

  it("are removed an hour after their window, and not before", async () => {
    const key = fresh("old");
    const minute = Math.floor(Date.now() / 60_000);
    const windows = [minute, minute - 59, minute - 62, minute - 10_000];
    await stand.quotas.reserve(windows.map((window) => reservation(key, { window })));
    expect(await stand.quotas.sweep()).toBe(false);
    const left = await Promise.all(windows.map((window) => stand.usedOf(key, window * 60_000)));
    expect(left).toEqual([1, 1, null, null]);
  });
});
