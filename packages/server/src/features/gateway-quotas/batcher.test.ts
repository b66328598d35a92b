import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createBatcher } from "./batcher.ts";

/** A batcher of numbers whose answers are given by hand. */
function byHand(over: Partial<Record<"waitMs" | "batchWeight" | "queueItems" | "unanswered", number>> = {}) {
  const batches: { items: readonly number[]; answer(): void; fail(error: Error): void }[] = [];
  const late: [number, string][] = [];
  const batcher = createBatcher<number, string>({
    ask: (items) =>
      new Promise((resolve, reject) => {
        batches.push({ items, answer: () => resolve(items.map(String)), fail: reject });
      }),
    weightOf: (item) => item,
    full: () => new Error("full"),
    late: () => new Error("late"),
    onLate: (item, answer) => void late.push([item, answer]),
    limits: { waitMs: 10_000, batchesAtOnce: 1, unanswered: 1, batchWeight: 100, queueItems: 50, ...over },
  });
  return { batcher, batches, late };
}
const turn = () => pause(1);
const outcome = (promise: Promise<unknown>) => promise.then(String, (error) => error.message);

describe("a batcher", () => {
  it("asks for what came meanwhile together, in order, and answers each", async () => {
    const { batcher, batches } = byHand({ batchWeight: 10 });
    const first = [batcher.add(1), batcher.add(2)];
    await turn();
    const next = [batcher.add(7), batcher.add(3), batcher.add(1), batcher.add(40), batcher.add(5)];
    await turn();
    expect(batches.map(({ items }) => items)).toEqual([[1, 2]]);
    for (let at = 0; at < 4; at++) {
      batches[at]!.answer();
      await turn();
    }
    expect(batches.map(({ items }) => items)).toEqual([[1, 2], [7, 3], [1], [40], [5]]);
    batches[4]!.answer();
    expect(await Promise.all([...first, ...next])).toEqual(["1", "2", "7", "3", "1", "40", "5"]);
    await batcher.settled();
  });

  it("tells everyone in a batch what it met, and goes on", async () => {
    const { batcher, batches } = byHand();
    const failed = [outcome(batcher.add(1)), outcome(batcher.add(2))];
    await turn();
    batches[0]!.fail(new Error("lost"));
    expect(await Promise.all(failed)).toEqual(["lost", "lost"]);
    const again = batcher.add(3);
    await turn();
    batches[1]!.answer();
    expect(await again).toBe("3");
  });

  it("rejects what is late, never asks for it after that, and hands over what was answered too late", async () => {
    const { batcher, batches, late } = byHand({ waitMs: 40, unanswered: 0 });
    const sent = outcome(batcher.add(1));
    await turn();
    const queued = outcome(batcher.add(2));
    expect(await Promise.all([sent, queued])).toEqual(["late", "late"]);
    const fresh = batcher.add(3);
    await turn();
    expect(batches).toHaveLength(1);
    batches[0]!.answer();
    await turn();
    expect(late).toEqual([[1, "1"]]);
    expect(batches.map(({ items }) => items)).toEqual([[1], [3]]);
    batches[1]!.answer();
    expect(await fresh).toBe("3");
    await batcher.settled();
  });

  it("goes on without a batch that is never answered, but not without bound", async () => {
    const { batcher, batches } = byHand({ waitMs: 30, unanswered: 2 });
    const asked: Promise<string>[] = [];
    for (let item = 1; item <= 5; item++) {
      asked.push(outcome(batcher.add(item)));
      await pause(45);
    }
    expect(await Promise.all(asked)).toEqual(Array(5).fill("late"));
    expect(batches.map(({ items }) => items)).toEqual([[1], [2], [3]]);
    for (const each of batches) each.answer();
    await batcher.settled();
  });

  it("turns away what does not fit into the queue", async () => {
    const { batcher, batches } = byHand({ queueItems: 2 });
    const first = batcher.add(1);
    await turn();
    const rest = [batcher.add(2), batcher.add(3)];
    expect(await outcome(batcher.add(4))).toBe("full");
    batches[0]!.answer();
    await turn();
    batches[1]!.answer();
    expect(await Promise.all([first, ...rest])).toEqual(["1", "2", "3"]);
  });
});
