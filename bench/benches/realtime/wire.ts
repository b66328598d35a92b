import { randomBytes } from "node:crypto";

/** An upgrade request (RFC 6455 §4.1). */
export const upgradeRequest = (host: string, path: string, token: string | null): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n` +
  `${token === null ? "" : `Authorization: Bearer ${token}\r\n`}\r\n`;

/** A client's text frame. The mask is all zeros, which leaves the bytes as they are. */
export function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

/** The answer to a ping. */
export const PONG: Buffer = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

export const OPCODE = { text: 1, close: 8, ping: 9 } as const;

/** Called with the payload's place in `bytes`, which are only good until the call returns. */
export type OnFrame = (opcode: number, bytes: Buffer, from: number, to: number) => void;

const NOTHING = Buffer.alloc(0);

/** Cuts what one server sends into frames. Makes nothing anew while frames come whole. */
export class FrameReader {
  #rest: Buffer = NOTHING;

  push(chunk: Buffer, onFrame: OnFrame): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + 2 <= bytes.length) {
      const short = bytes[at + 1]!;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (at + head > bytes.length) break;
      const length =
        head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
      const end = at + head + length;
      if (end > bytes.length) break;
      onFrame(bytes[at]! & 0x0f, bytes, at + head, end);
      at = end;
    }
    // A copy, since the chunk's memory is used again.
    this.#rest = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  }
}
