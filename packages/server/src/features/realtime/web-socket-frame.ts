/**
 * Bytes ready for a WebSocket of any number of clients: complete, unmasked text frames (RFC 6455 §5.2), one or more of
 * them. Frames one after the other are a Frame again. Nobody changes the bytes once they are made.
 */
export type Frame = Buffer;

/** FIN and the opcode for text. */
const FINAL_TEXT = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MOST_IN_16_BITS = 0xffff;
const HIGH = 2 ** 32;

/** One text frame that carries this text. The client has to be able to read it as one message, whatever its size. */
export function textFrame(text: string): Frame {
  const length = Buffer.byteLength(text);
  const head = length < LENGTH_16 ? 2 : length <= MOST_IN_16_BITS ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = FINAL_TEXT;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeUInt32BE(Math.floor(length / HIGH), 2);
    frame.writeUInt32BE(length % HIGH, 6);
  }
  frame.write(text, head);
  return frame;
}
