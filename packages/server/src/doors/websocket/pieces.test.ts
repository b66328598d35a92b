import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { inPieces, toKeep } from "./pieces.ts";

describe("inPieces", () => {
  it("gives the same bytes in few pieces, and copies no large frame", () => {
    const size = fc.oneof(
      fc.nat(400),
      fc.integer({ min: limits.pieceBytes - 50, max: limits.pieceBytes + 50 }),
    );
    fc.assert(
      fc.property(fc.array(size, { maxLength: 60 }), (sizes) => {
        const frames = sizes.map((length, at) => Buffer.alloc(length, at + 1));
        const pieces = inPieces(frames);
        expect(Buffer.concat(pieces).equals(Buffer.concat(frames))).toBe(true);
        for (const frame of frames) if (frame.length > limits.pieceBytes) expect(pieces).toContain(frame);
        for (const [at, piece] of pieces.entries()) {
          const next = pieces[at + 1];
          if (next !== undefined) expect(piece.length + next.length).toBeGreaterThan(limits.pieceBytes - 1);
        }
      }),
      { seed: 64, numRuns: 200 },
    );
  });
});

describe("toKeep", () => {
  it("holds no more memory than twice the bytes", () => {
    const cut = Buffer.from("a small piece of a large buffer");
    for (const bytes of [cut, Buffer.alloc(100_000, 1), Buffer.alloc(8_000, 2).subarray(10, 20)]) {
      const kept = toKeep(bytes);
      expect(kept.equals(bytes)).toBe(true);
      expect(kept.buffer.byteLength).toBeLessThanOrEqual(2 * bytes.length);
    }
  });
});
