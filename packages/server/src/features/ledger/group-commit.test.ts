import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGroupCommit } from "./group-commit.ts";

const LIMITS = { insertsAtOnce: 1, batchEntries: 8, batchBytes: 100, queueEntries: 50, queueBytes: 500 };

/** A queue of numbers that stand for their own size in bytes; batches are written when the test says so. */
function queueOf(limits: Partial<typeof LIMITS> = {}) {
  const written: number[][] = [];
  const underWay: { batch: readonly number[]; end(error?: Error): void }[] = [];
  const group = createGroupCommit<number>({
    limits: { ...LIMITS, ...limits },
    bytesOf: (item) => item,
    full: (limit) => new Error(`full: ${limit}`),
    write: (batch) =>
      new Promise((resolve, reject) => {
        underWay.push({
          batch,
          end(error) {
            if (error !== undefined) return reject(error);
            written.push([...batch]);
            resolve();
          },
        });
      }),
  });
  return { group, written, underWay };
}
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe("group commit", () => {
  it("writes what came while a batch was under way in the next, and resolves with its batch only", async () => {
    const { group, underWay } = queueOf();
    const done: number[] = [];
    for (const item of [1, 2]) void group.add(item).then(() => done.push(item));
    await turn();
    for (const item of [3, 4, 5]) void group.add(item).then(() => done.push(item));
    await turn();
    expect(underWay.map(({ batch }) => batch)).toEqual([[1, 2]]);
    expect(done).toEqual([]);
    underWay[0]!.end();
    await turn();
    expect(done).toEqual([1, 2]);
    expect(underWay[1]!.batch).toEqual([3, 4, 5]);
    const settled = group.settled().then(() => done.push(0));
    await turn();
    expect(done).toEqual([1, 2]);
    underWay[1]!.end();
    await settled;
    expect(done).toEqual([1, 2, 3, 4, 5, 0]);
  });

  it("rejects everyone in a batch that failed, and nobody else", async () => {
    const { group, underWay } = queueOf({ batchEntries: 2 });
    const ends = Promise.allSettled([1, 2, 3, 4, 5].map((item) => group.add(item)));
    for (const error of [undefined, new Error("lost"), undefined]) {
      await turn();
      underWay.at(-1)!.end(error);
    }
    expect((await ends).map(({ status }) => status)).toEqual([
      ...["fulfilled", "fulfilled", "rejected", "rejected", "fulfilled"],
    ]);
  });

  it("turns away what a full queue can't hold, and takes a single large item all the same", async () => {
    const { group, underWay, written } = queueOf({ queueEntries: 3, queueBytes: 100 });
    void group.add(1);
    await turn();
    const ends = Promise.allSettled([
      group.add(60),
      group.add(60),
      group.add(30),
      group.add(1),
      group.add(1),
    ]);
    underWay[0]!.end();
    while (written.length < 2) {
      await turn();
      underWay.at(-1)!.end();
    }
    const told = (await ends).map((end) => (end.status === "rejected" ? end.reason.message : "ok"));
    expect(told).toEqual(["ok", "full: bytes", "ok", "ok", "full: entries"]);
    const large = group.add(1_000);
    await turn();
    underWay.at(-1)!.end();
    await large;
  });

  it("writes each item once, in order, in batches within the bounds", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 12 }), { maxLength: 8 }),
        async (bursts) => {
          const { group, underWay, written } = queueOf({ queueEntries: 1_000, queueBytes: 1e9 });
          let ended = 0;
          for (const burst of bursts) {
            for (const item of burst) void group.add(item);
            await turn();
            if (ended < underWay.length) underWay[ended++]!.end();
          }
          let settled = false;
          void group.settled().then(() => (settled = true));
          while (!settled) {
            await turn();
            if (ended < underWay.length) underWay[ended++]!.end();
          }
          expect(written.flat()).toEqual(bursts.flat());
          for (const batch of written) {
            expect(batch.length).toBeLessThanOrEqual(LIMITS.batchEntries);
            const bytes = batch.reduce((sum, item) => sum + item, 0);
            if (batch.length > 1) expect(bytes).toBeLessThanOrEqual(LIMITS.batchBytes);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
