import { describe, expect, it } from "vitest";
import { closeFrame, FrameCursor } from "./frames.ts";

function frame(opcode: number, payload: number, masked = false): Buffer {
  const length =
    payload < 126
      ? [payload]
      : payload < 65_536
        ? [126, payload >> 8, payload & 255]
        : [127, 0, 0, 0, 0, 0, payload >> 16, (payload >> 8) & 255, payload & 255];
  if (masked) length[0]! |= 0x80;
  return Buffer.concat([
    Buffer.from([0x80 | opcode, ...length]),
    Buffer.alloc((masked ? 4 : 0) + payload, 0x88),
  ]);
}

describe("FrameCursor", () => {
  it("knows the boundaries of frames of every size, cut anywhere", () => {
    const frames = [0, 1, 125, 126, 127, 65_535, 65_536, 70_001].flatMap((size) => [
      frame(1, size),
      frame(2, size, true),
    ]);
    const all = Buffer.concat(frames);
    const ends = new Set<number>();
    frames.reduce((at, each) => {
      ends.add(at + each.length);
      return at + each.length;
    }, 0);
    for (const cut of [1, 2, 3, 7, 125, 4_096, 65_536]) {
      const cursor = new FrameCursor();
      for (let at = 0; at < all.length; at += cut) {
        cursor.push(all.subarray(at, at + cut));
        const here = Math.min(at + cut, all.length);
        if (cursor.atBoundary !== ends.has(here)) throw new Error(`wrong at ${here}, cut ${cut}`);
      }
      expect(cursor.sawClose).toBe(false);
    }
  });

  it("sees a close frame, and not one inside of a payload", () => {
    const cursor = new FrameCursor();
    cursor.push(frame(2, 300));
    expect(cursor.sawClose).toBe(false);
    cursor.push(closeFrame(1000, "bye"));
    expect(cursor).toMatchObject({ sawClose: true, atBoundary: true });
  });
});
