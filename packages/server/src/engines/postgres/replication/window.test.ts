import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Relation } from "./pgoutput.ts";
import type { StreamEvent, Transaction } from "./transactions.ts";
import { LogRing, sizeOf } from "./window.ts";

const columns = ["id", "name", "body"].map((name, i) => ({ name, typeOid: 25, typmod: -1, isKey: i === 0 }));
const relation = (schema: string): Relation => ({
  oid: 1,
  schema,
  table: "t",
  replicaIdentity: "f",
  columns,
});
const insert = (schema: string, ...row: string[]): StreamEvent => ({
  kind: "insert",
  relation: relation(schema),
  new: row,
});

function transaction(at: number, events: StreamEvent[], more: Partial<Transaction> = {}): Transaction {
  const commitLsn = BigInt(at * 10);
  const place = { commitLsn, endLsn: commitLsn + 5n, commitTime: new Date(at * 1_000), xid: at };
  return { ...place, events, part: 0, firstEvent: 0, final: true, ...more };
}

function newRing({ maxBytes = 1_000_000, maxAgeMs = 1e9 } = {}): LogRing {
  const ring = new LogRing({
    ...{ maxBytes, maxAgeMs },
    keepSchema: (schema) => schema !== "ambit",
    schemaOf: ({ prefix, content }) => (prefix === "kept" ? content.toString() : null),
  });
  ring.reset(0n, "one");
  return ring;
}

const places = (found: readonly Transaction[] | null) =>
  found?.map(({ commitLsn }) => Number(commitLsn) / 10);

describe("LogRing", () => {
  it("gives a schema's transactions from a place on, its messages and truncates among them", () => {
    const ring = newRing();
    ring.push(transaction(1, [insert("a", "1")]), 0);
    ring.push(transaction(2, [insert("b", "1")]), 0);
    ring.push(transaction(3, [insert("ambit", "1")]), 0);
    const message = (prefix: string): StreamEvent => {
      return { kind: "message", prefix, content: Buffer.from("a"), transactional: true };
    };
    ring.push(transaction(4, [message("kept")]), 0);
    ring.push(transaction(5, [message("other")]), 0);
    ring.push(transaction(6, [{ kind: "truncate", relations: [relation("b"), relation("a")] }]), 0);
    expect(places(ring.since("a", 0n))).toEqual([1, 4, 6]);
    expect(places(ring.since("a", 10n))).toEqual([1, 4, 6]);
    expect(places(ring.since("a", 11n))).toEqual([4, 6]);
    expect(places(ring.since("b", 15n))).toEqual([2, 6]);
    expect(places(ring.since("ambit", 0n))).toEqual([]);
    expect(places(ring.since("a", 61n))).toEqual([]);
    expect([ring.size, ring.to]).toEqual([4, 65n]);
  });

  it("promises nothing before a place is known, and nothing of before a reset", () => {
    const ring = newRing();
    ring.reset(null, "two");
    expect([ring.since("a", 0n), ring.from, ring.epoch]).toEqual([null, null, "two"]);
    ring.reset(100n);
    ring.push(transaction(11, [insert("a", "1")]), 0);
    expect(ring.since("a", 99n)).toBeNull();
    expect(places(ring.since("a", 100n))).toEqual([11]);
    expect(ring.epoch).toBe("two");
  });

  it("drops what is older than its time, and says so", () => {
    const ring = newRing({ maxAgeMs: 2_000 });
    for (let at = 1; at <= 5; at++) ring.push(transaction(at, [insert("a", "1")]), at * 1_000);
    expect(places(ring.since("a", ring.from!))).toEqual([3, 4, 5]);
    expect(ring.since("a", 24n)).toBeNull();
    expect(places(ring.since("a", 25n))).toEqual([3, 4, 5]);
    ring.expire(100_000);
    expect([ring.size, ring.bytes, ring.from]).toEqual([0, 0, 55n]);
  });

  it("promises nothing of a transaction of which a part is gone", () => {
    const big = (part: number, final: boolean) =>
      transaction(3, [insert("a", "x".repeat(600))], { part, final, endLsn: final ? 35n : 30n });
    const ring = newRing({ maxBytes: 2_500 });
    for (let part = 0; part < 4; part++) ring.push(big(part, part === 3), 0);
    expect(ring.size).toBeLessThan(4);
    expect(ring.since("a", 30n)).toBeNull();
    expect(ring.from).toBeGreaterThan(30n);
  });

  it("is, for any pushes and bounds, the end of the list it was given", () => {
    const events = fc.array(
      fc.tuple(fc.constantFrom("a", "b", "c", "ambit"), fc.integer({ min: 0, max: 300 })),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(
        fc.array(events, { maxLength: 80 }),
        fc.integer({ min: 500, max: 20_000 }),
        fc.integer({ min: 1, max: 80 }),
        (list, maxBytes, ageS) => {
          const ring = newRing({ maxBytes, maxAgeMs: ageS * 1_000 });
          const all = list.map((each, i) =>
            transaction(
              i + 1,
              each.map(([schema, length]) => insert(schema, "k", "x".repeat(length))),
            ),
          );
          for (const each of all) ring.push(each, each.commitTime.getTime());
          expect(ring.bytes).toBeLessThanOrEqual(maxBytes);
          for (const schema of ["a", "b", "c"]) {
            const own = all.filter(({ events }) =>
              events.some((event) => event.kind === "insert" && event.relation.schema === schema),
            );
            for (let at = 0n; at <= ring.to + 10n; at += 5n) {
              const found = ring.since(schema, at);
              if (at < ring.from!) expect(found).toBeNull();
              else expect(found).toEqual(own.filter(({ commitLsn }) => commitLsn >= at));
            }
          }
        },
      ),
      { seed: 61, numRuns: 120 },
    );
  });

  it("counts about what it takes in memory", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (const [rows, chars] of [
      [1, 10],
      [1, 200],
      [20, 30],
    ] as const) {
      const ring = newRing({ maxBytes: 1e9 });
      const shared = relation("a");
      const text = () => Buffer.alloc(chars, 97 + Math.floor(Math.random() * 26)).toString("utf8");
      collect();
      const before = process.memoryUsage().heapUsed;
      for (let at = 1; at <= 20_000 / rows; at++) {
        const events = Array.from({ length: rows }, (): StreamEvent => {
          return {
            kind: "update",
            relation: shared,
            old: [text(), text(), text()],
            new: [text(), text(), text()],
          };
        });
        ring.push(transaction(at, events), 0);
      }
      collect();
      const taken = process.memoryUsage().heapUsed - before;
      expect(ring.bytes / taken, `${rows} rows of ${chars} characters`).toBeGreaterThan(0.75);
      expect(ring.bytes / taken, `${rows} rows of ${chars} characters`).toBeLessThan(1.35);
    }
  });

  it("gives up old transactions as easily when it holds many as when it holds few", () => {
    const events = [insert("a", "0a1b2c3d", "some text", "x".repeat(100))];
    const bytes = sizeOf(transaction(1, events));
    const sides = [100, 50_000].map((held) => {
      const ring = newRing({ maxBytes: bytes * held });
      for (let at = 1; at <= held; at++) ring.push(transaction(at, events), 0);
      expect(ring.size).toBeGreaterThan(held * 0.9);
      return { ring, held, next: held + 1, bestMs: Number.POSITIVE_INFINITY };
    });
    // In turns, and the best of many: the others may have had to share the processor.
    for (let round = 0; round < 50; round++) {
      for (const side of sides) {
        const some = Array.from({ length: 1_000 }, () => transaction(side.next++, events));
        const startedMs = performance.now();
        for (const each of some) side.ring.push(each, 0);
        side.bestMs = Math.min(side.bestMs, performance.now() - startedMs);
        expect(side.ring.size).toBeLessThanOrEqual(side.held);
      }
    }
    const [few, many] = sides.map(({ bestMs }) => bestMs);
    expect(many! / few!, "500 times as many held").toBeLessThan(60);
  });
});
