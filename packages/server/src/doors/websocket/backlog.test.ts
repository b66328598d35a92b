import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backlog, type Behind, whomToCut } from "./backlog.ts";

const queues = fc.array(fc.record({ bytes: fc.nat(1_000), ended: fc.boolean() }), { maxLength: 40 });
const sum = (all: readonly { bytes: number }[]) => all.reduce((total, { bytes }) => total + bytes, 0);

describe("whomToCut", () => {
  it("lets everybody be while all fits, and else takes the slowest, no more than it needs", () => {
    fc.assert(
      fc.property(queues, fc.nat(20_000), (all, most) => {
        const { cutOff, terminate } = whomToCut(all, most);
        if (sum(all) <= most) {
          expect([...cutOff, ...terminate]).toEqual([]);
          return;
        }
        expect(terminate).toEqual([...all.keys()].filter((at) => all[at]!.ended));
        expect(cutOff.some((at) => all[at]!.ended)).toBe(false);
        const stays = all.filter(({ ended }, at) => !ended && !cutOff.includes(at));
        expect(sum(stays)).toBeLessThanOrEqual(most);
        const slowest = Math.max(0, ...stays.map(({ bytes }) => bytes));
        expect(cutOff.every((at) => all[at]!.bytes >= slowest)).toBe(true);
        const least = Math.min(...cutOff.map((at) => all[at]!.bytes));
        if (cutOff.length > 0) expect(sum(stays) + least).toBeGreaterThan(most / 2);
      }),
      { seed: 1013, numRuns: 500 },
    );
  });
});

class Pretended implements Behind {
  queuedBytes = 0;
  ended = false;
  cutOff(): void {
    this.ended = true;
  }
  terminate(): void {
    this.queuedBytes = 0;
  }
}

describe("Backlog", () => {
  it("knows at least what waits, and never lets open sockets together have more than the limit and one writing", () => {
    const step = fc.record({
      socket: fc.nat(9),
      bytes: fc.integer({ min: 1, max: 300 }),
      read: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const backlog = new Backlog<Pretended>(1_000);
        const sockets = Array.from({ length: 10 }, () => new Pretended());
        for (const { socket: at, bytes, read } of steps) {
          const socket = sockets[at]!;
          if (read) socket.queuedBytes = Math.max(0, socket.queuedBytes - bytes);
          else if (!socket.ended) {
            socket.queuedBytes += bytes;
            backlog.note(socket);
          }
          expect(backlog.bytes).toBeGreaterThanOrEqual(
            sum(sockets.map((each) => ({ bytes: each.queuedBytes }))),
          );
          const open = sockets.filter(({ ended }) => !ended);
          expect(sum(open.map((each) => ({ bytes: each.queuedBytes })))).toBeLessThanOrEqual(1_000);
        }
        for (const socket of sockets) socket.queuedBytes = 0;
        backlog.refresh();
        expect(backlog.bytes).toBe(0);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
