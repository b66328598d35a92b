import { limits } from "./limits.ts";

const NEWLINE = 10;

/**
 * The lines of a stream of UTF-8, those of one chunk at a time, without their newlines. Of a line that is too long only
 * as much is kept as makes it recognisable as such (more than `maxBytes` characters), so that memory stays bounded
 * whatever comes.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number = limits.lineBytes,
): AsyncGenerator<string[]> {
  let begun: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end >= 0) {
      const lines = textOf([...begun, chunk.subarray(0, end)]).split("\n");
      if (bytes > maxBytes) lines[0] = lines[0]!.padEnd(maxBytes + 1);
      yield lines;
      begun = [];
      bytes = 0;
    }
    const rest = chunk.subarray(end + 1);
    if (rest.length > 0 && bytes <= maxBytes) begun.push(rest);
    bytes += rest.length;
  }
  if (bytes > 0) yield [bytes > maxBytes ? textOf(begun).padEnd(maxBytes + 1) : textOf(begun)];
}

const textOf = (parts: readonly Uint8Array[]) => Buffer.concat(parts).toString();
