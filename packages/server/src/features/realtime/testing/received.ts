import type { Frame } from "../web-socket-frame.ts";

/** What a client reads out of frames sent to it: the JSON of each, in order. For tests. */
// biome-ignore lint/suspicious/noExplicitAny: frames of every type
export function received(...sent: readonly Frame[]): any[] {
  const bytes = Buffer.concat(sent);
  const found: unknown[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 0x81) throw new Error(`no unmasked, complete text frame begins at ${at}`);
    const short = bytes[at + 1]!;
    const [length, head] =
      short < 126
        ? [short, 2]
        : short === 126
          ? [bytes.readUInt16BE(at + 2), 4]
          : [Number(bytes.readBigUInt64BE(at + 2)), 10];
    if (at + head + length > bytes.length) throw new Error("the last frame is cut off");
    found.push(JSON.parse(bytes.toString("utf8", at + head, at + head + length)));
    at += head + length;
  }
  return found;
}
