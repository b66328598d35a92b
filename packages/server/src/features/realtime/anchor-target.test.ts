import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anchorTarget } from "./anchor-target.ts";

const bounds = { windowMs: 1_000, windowWalBytes: 500 };
const mark = (lsn: number, atMs: number) => ({ lsn: BigInt(lsn), at: new Date(atMs) });

describe("anchorTarget", () => {
  it.each([
    ["stays while everything is young", 100, 300, 1_500, [mark(150, 600), mark(200, 900)], null],
    ["moves to the newest mark that is old enough", 100, 300, 1_950, [mark(150, 600), mark(200, 950)], 200],
    ["moves earlier when there is too much log", 100, 900, 1_500, [mark(150, 600)], 400],
    ["never moves back", 450, 900, 1_500, [mark(150, 400)], null],
    ["stays where nothing is known", 100, 300, 9_000, [], null],
    ["does not pass the end", 100, 300, 9_000, [mark(700, 10)], 300],
  ] as const)("%s", (_what, confirmed, end, nowMs, marks, wanted) => {
    const found = anchorTarget({ confirmed: BigInt(confirmed), end: BigInt(end), nowMs }, marks, bounds);
    expect(found).toBe(wanted === null ? null : BigInt(wanted));
  });

  it("keeps everything young that the bound of bytes allows, and never more bytes than that after moving", () => {
    const marksOf = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 400 })), { maxLength: 30 })
      .map((steps) => {
        let lsn = 0;
        let atMs = 0;
        return steps.map(([bytes, ms]) => {
          lsn += bytes;
          atMs += ms;
          return mark(lsn, atMs);
        });
      });
    fc.assert(
      fc.property(
        marksOf,
        fc.integer({ min: 0, max: 1_000 }),
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: 0, max: 3_000 }),
        (marks, confirmed, more, laterMs) => {
          const last = marks.at(-1) ?? mark(0, 0);
          const end = last.lsn + BigInt(more);
          const nowMs = last.at.getTime() + laterMs;
          const found = anchorTarget({ confirmed: BigInt(confirmed), end, nowMs }, marks, bounds);
          const at = found ?? BigInt(confirmed);
          if (found !== null) expect(found > BigInt(confirmed) && found <= end).toBe(true);
          // At most as many bytes as allowed, whatever their age.
          expect(end - at <= 500n || at >= end).toBe(true);
          // What is given up is old, or too much.
          for (const { lsn, at: time } of marks) {
            const young = time.getTime() > nowMs - bounds.windowMs;
            if (found !== null && young && lsn < found) {
              const older = marks.some(
                (each) => each.lsn >= lsn && each.at.getTime() <= nowMs - bounds.windowMs,
              );
              expect(older || lsn < end - 500n).toBe(true);
            }
          }
        },
      ),
      { seed: 62, numRuns: 500 },
    );
  });
});
