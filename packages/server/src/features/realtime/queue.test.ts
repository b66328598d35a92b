import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Entry, EntryQueue } from "./queue.ts";

const notice = (seq: number): Entry => ({ kind: "notice", seq, resync: null });
const commit = { commitLsn: 1n, commitTime: new Date(0), xid: 1, complete: true };
const task = (): Entry => ({ kind: "task", run: async () => {} });

describe("EntryQueue", () => {
  it("gives back what was put in, in order, like an array", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 5_000 }), (pushes) => {
        const queue = new EntryQueue();
        const model: Entry[] = [];
        for (const [at, push] of pushes.entries()) {
          if (push) {
            model.push(notice(at));
            queue.push(model.at(-1)!);
          } else {
            expect(queue.peek()).toBe(model[0]);
            expect(queue.shift()).toBe(model.shift());
          }
          expect(queue.length).toBe(model.length);
        }
      }),
    );
  });

  it("keeps one entry for touches of one table in a row", () => {
    const queue = new EntryQueue();
    for (const [seq, table] of [
      [1, "a"],
      [2, "a"],
      [3, "b"],
      [4, "a"],
    ] as const) {
      queue.push({ kind: "touch", seq, table, commit });
    }
    const seqs = [queue.shift(), queue.shift(), queue.shift(), queue.shift()].map(
      (entry) => entry && "seq" in entry && entry.seq,
    );
    expect(seqs).toEqual([2, 3, 4, undefined]);
  });

  it("drops all but the tasks", () => {
    const queue = new EntryQueue();
    const tasks = [task(), task()];
    for (const entry of [notice(1), tasks[0]!, notice(2), tasks[1]!]) queue.push(entry);
    queue.shift();
    queue.keepTasks();
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([...tasks, undefined]);
  });
});
