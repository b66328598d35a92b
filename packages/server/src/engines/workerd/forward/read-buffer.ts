import { connect, type Socket } from "node:net";
import { limits } from "../limits.ts";

/**
 * Reads of all connections to processes go through this one buffer: node hands over each read before the next one
 * begins, so what must outlive the call is copied, and nothing is allocated per read.
 */
const shared = Buffer.allocUnsafeSlow(limits.readBytes);

/** Connects to a unix socket; `onBytes` gets bytes that are only valid during the call, false stops the reading. */
export function connectReading(path: string, onBytes: (bytes: Buffer) => boolean): Socket {
  return connect({
    path,
    allowHalfOpen: true,
    onread: { buffer: shared, callback: (length) => onBytes(shared.subarray(0, length)) },
  });
}
