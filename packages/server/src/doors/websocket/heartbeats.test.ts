import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Beating, Heartbeats } from "./heartbeats.ts";

interface Socket extends Beating {
  readonly addedAtMs: number;
  lastMs: number;
  beats: number;
}
const socket = (addedAtMs: number): Socket => ({ addedAtMs, lastMs: addedAtMs, beats: 0, heartbeatSlot: 0 });

describe("Heartbeats", () => {
  it("come once per period to each, however sockets come and go, and few at once", () => {
    const event = fc.record({ kind: fc.constantFrom("add", "add", "remove", "pass"), ms: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const heartbeats = new Heartbeats<Socket>(1_000, 20);
        const open = new Set<Socket>();
        let nowMs = 0;
        for (const { kind, ms } of events) {
          nowMs += ms;
          if (kind === "add") {
            const added = socket(nowMs);
            open.add(added);
            heartbeats.add(added, nowMs);
          } else if (kind === "remove") {
            const [gone] = open;
            if (gone !== undefined) {
              heartbeats.remove(gone);
              open.delete(gone);
            }
          }
          for (const due of heartbeats.due(nowMs)) {
            expect(open.has(due)).toBe(true);
            if (due.beats > 0) expect(nowMs - due.lastMs).toBeGreaterThan(1_000 - 100);
            due.beats += 1;
            due.lastMs = nowMs;
          }
          for (const { lastMs } of open) expect(nowMs - lastMs).toBeLessThanOrEqual(1_000 + 100);
          expect(heartbeats.count).toBe(open.size);
        }
      }),
      { seed: 25, numRuns: 300 },
    );
  });

  it("are spread evenly, and are not made up for after a pause", () => {
    const heartbeats = new Heartbeats<Socket>(1_000, 20);
    for (let at = 0; at < 2_000; at += 1) heartbeats.add(socket(0), 0);
    for (let nowMs = 50; nowMs <= 1_000; nowMs += 50) expect([...heartbeats.due(nowMs)]).toHaveLength(100);
    expect([...heartbeats.due(60_000)]).toHaveLength(2_000);
    expect([...heartbeats.due(60_049)]).toHaveLength(0);
  });
});
