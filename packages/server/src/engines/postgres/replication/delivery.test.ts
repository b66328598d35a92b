import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Delivery, type DeliverySource } from "./delivery.ts";
import { Fifo } from "./fifo.ts";
import type { Transaction } from "./transactions.ts";

const deaf: DeliverySource = { onFailure() {}, onPressure() {} };

function transaction(
  lsn: bigint,
  more: Partial<Transaction> = {},
): { transaction: Transaction; bytes: number } {
  const event = { kind: "message" as const, prefix: "", content: Buffer.alloc(0), transactional: true };
  const events = [event];
  const base = { commitLsn: lsn, endLsn: lsn + 1n, commitTime: new Date(0), xid: 1, part: 0, firstEvent: 0 };
  return { transaction: { ...base, events, final: true, ...more }, bytes: 100 };
}

/** A handler whose every call waits until `release` is called. */
function gate() {
  const calls: { lsn: bigint; release: () => void; fail: (error: unknown) => void }[] = [];
  const handler = ({ commitLsn: lsn }: Transaction) =>
    new Promise<void>((release, fail) => calls.push({ lsn, release, fail }));
  return { calls, handler };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("Delivery", () => {
  it("hands over one at a time, in order, and counts only what the handler has finished", async () => {
    const { calls, handler } = gate();
    const delivery = new Delivery({ from: 5n, handler });
    delivery.start(0n, deaf);
    for (const lsn of [10n, 20n, 30n]) delivery.push(transaction(lsn));
    expect(calls.map(({ lsn }) => lsn)).toEqual([10n]);
    expect(delivery.progress.lsn).toBe(5n);
    calls[0]?.release();
    await turn();
    expect(calls.map(({ lsn }) => lsn)).toEqual([10n, 20n]);
    expect(delivery.progress.lsn).toBe(11n);
    calls[1]?.release();
    await turn();
    calls[2]?.release();
    await delivery.idle();
    expect(delivery.progress.lsn).toBe(31n);
    expect(delivery.handled).toBe(3);
  });

  it("runs a synchronous handler before push returns", () => {
    const seen: bigint[] = [];
    const delivery = new Delivery({ from: 0n, handler: ({ commitLsn }) => void seen.push(commitLsn) });
    delivery.start(0n, deaf);
    delivery.push(transaction(10n));
    delivery.push(transaction(20n));
    expect(seen).toEqual([10n, 20n]);
    expect(delivery.progress.lsn).toBe(21n);
  });

  it("takes the server's position only after all that was sent before it", async () => {
    const { calls, handler } = gate();
    const delivery = new Delivery({ from: 0n, handler });
    delivery.start(0n, deaf);
    delivery.push(transaction(10n));
    delivery.passed(500n);
    expect(delivery.progress.lsn).toBe(0n);
    calls[0]?.release();
    await delivery.idle();
    expect(delivery.progress.lsn).toBe(500n);
    delivery.passed(400n);
    expect(delivery.progress.lsn).toBe(500n);
  });

  it("remembers the parts handled of an unfinished transaction, also across keepalives", async () => {
    const delivery = new Delivery({ from: 0n, handler() {} });
    delivery.start(0n, deaf);
    delivery.push(transaction(10n, { part: 1, firstEvent: 4, final: false, endLsn: 10n }));
    expect(delivery.progress).toEqual({ lsn: 0n, partial: { commitLsn: 10n, parts: 2, events: 5 } });
    delivery.halt();
    delivery.start(9n, deaf);
    delivery.passed(10n);
    expect(delivery.progress).toEqual({ lsn: 10n, partial: { commitLsn: 10n, parts: 2, events: 5 } });
    delivery.push(transaction(10n, { part: 2, firstEvent: 5, events: [] }));
    expect(delivery.progress).toEqual({ lsn: 11n, partial: null });
  });

  it("does not bother the handler with an empty transaction, but moves on", () => {
    const delivery = new Delivery({
      from: 0n,
      handler() {
        throw new Error("called");
      },
    });
    delivery.start(0n, deaf);
    delivery.push(transaction(10n, { events: [] }));
    expect(delivery.progress.lsn).toBe(11n);
  });

  it("drops what waits when the handler fails, and takes nothing more until it is started again", async () => {
    const { calls, handler } = gate();
    const failures: unknown[] = [];
    const delivery = new Delivery({ from: 0n, handler });
    delivery.start(0n, { ...deaf, onFailure: (error) => failures.push(error) });
    for (const lsn of [10n, 20n, 30n]) delivery.push(transaction(lsn));
    delivery.passed(900n);
    calls[0]?.release();
    await turn();
    calls[1]?.fail("broken");
    await delivery.idle();
    delivery.push(transaction(40n));
    expect(failures).toEqual(["broken"]);
    expect(calls).toHaveLength(2);
    expect(delivery.progress.lsn).toBe(11n);
    delivery.start(0n, deaf);
    delivery.push(transaction(20n));
    expect(calls[2]?.lsn).toBe(20n);
  });

  it("tells when too much waits and when little enough waits again", async () => {
    const { calls, handler } = gate();
    const pressure: boolean[] = [];
    const sizes = { queueBytes: 350, queueParts: 1000 };
    const delivery = new Delivery({ from: 0n, handler, sizes });
    delivery.start(0n, { ...deaf, onPressure: (high) => pressure.push(high) });
    for (let lsn = 1n; lsn <= 4n; lsn++) delivery.push(transaction(lsn * 10n));
    expect(pressure).toEqual([]); // one is in the handler's hands, three wait
    delivery.push(transaction(50n));
    expect(pressure).toEqual([true]);
    for (let i = 0; i < 2; i++) {
      calls[i]?.release();
      await turn();
    }
    expect(pressure).toEqual([true]);
    calls[2]?.release();
    await turn();
    expect(pressure).toEqual([true, false]);
  });
});

describe("Fifo", () => {
  it("gives what was put in, in order, and counts it", () => {
    const operations = fc.array(
      fc.oneof(
        fc.nat().map((value) => ({ value })),
        fc.constant("shift" as const),
      ),
    );
    fc.assert(
      fc.property(operations, (list) => {
        const fifo = new Fifo<{ value: number }>();
        const model: { value: number }[] = [];
        for (const operation of list) {
          if (operation === "shift") expect(fifo.shift()).toBe(model.shift());
          else {
            fifo.push(operation);
            model.push(operation);
          }
          expect(fifo.length).toBe(model.length);
        }
      }),
    );
  });
});
