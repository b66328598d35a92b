import type { Frame } from "../../features/realtime/frames.ts";
import { limits } from "./limits.ts";

/**
 * The same bytes in few pieces, so that one writing hands them over. Large frames stay themselves: they are shared with
 * other sockets, and copying them would cost more than a piece does. Pure.
 */
export function inPieces(frames: readonly Frame[]): readonly Buffer[] {
  if (frames.length < 2) return frames;
  const pieces: Buffer[] = [];
  let from = 0;
  let bytes = 0;
  const close = (to: number) => {
    if (to - from === 1) pieces.push(frames[from]!);
    else if (to > from) pieces.push(Buffer.concat(frames.slice(from, to), bytes));
    from = to;
    bytes = 0;
  };
  for (let at = 0; at < frames.length; at += 1) {
    const { length } = frames[at]!;
    if (bytes + length > limits.pieceBytes) close(at);
    bytes += length;
  }
  close(frames.length);
  return pieces;
}

/**
 * The bytes for a socket that will keep them for a while. Small buffers are cut from larger ones, which a slow client
 * would hold in memory whole.
 */
export function toKeep(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= 2 * bytes.length) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
