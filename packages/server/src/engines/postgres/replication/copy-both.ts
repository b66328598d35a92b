/**
 * The frames inside the CopyBoth stream of a replication connection.
 *
 * Source: PostgreSQL documentation, "Streaming Replication Protocol" (protocol-replication).
 */
import { errors } from "./errors.ts";
import { postgresEpochMs } from "./wire-reader.ts";

/** Where the payload of an XLogData frame begins: after its tag, two positions and the server's clock. */
export const payloadOffset = 25;

const xLogData = 0x77; // w
const keepalive = 0x6b; // k

/** A keepalive: everything before `sentLsn` has been sent; `replyRequested` asks for a status update at once. */
export interface Keepalive {
  sentLsn: bigint;
  replyRequested: boolean;
}

/** A frame from the server: null for XLogData, whose payload starts at `payloadOffset`, or the keepalive. */
export function readFrame(frame: Buffer): Keepalive | null {
  if (frame[0] === xLogData && frame.length > payloadOffset) return null;
  if (frame[0] === keepalive && frame.length === 18) {
    return { sentLsn: frame.readBigUInt64BE(1), replyRequested: frame[17] === 1 };
  }
  throw errors.REPLICATION_PROTOCOL_ERROR({ details: { unexpected: `a frame of type ${frame[0]}` } });
}

/**
 * A standby status update, framed as CopyData: all before `lsn` is written, flushed and applied here, so the server
 * need not keep it. `nowMs` is this machine's clock; `replyRequested` asks the server for a keepalive.
 */
export function statusUpdate(lsn: bigint, nowMs: number, replyRequested: boolean): Buffer {
  const frame = Buffer.allocUnsafe(39);
  frame[0] = 0x64; // d, CopyData
  frame.writeInt32BE(38, 1);
  frame[5] = 0x72; // r, standby status update
  frame.writeBigUInt64BE(lsn, 6);
  frame.writeBigUInt64BE(lsn, 14);
  frame.writeBigUInt64BE(lsn, 22);
  frame.writeBigInt64BE(BigInt(Math.round(nowMs - postgresEpochMs)) * 1000n, 30);
  frame[38] = replyRequested ? 1 : 0;
  return frame;
}
