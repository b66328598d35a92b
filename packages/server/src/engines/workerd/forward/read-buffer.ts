import { connect, type Socket } from "node:net";
import { limits } from "../limits.ts";

/**
 * Reads of all connections to processes go through this one buffer: node hands over each read before the next one
 * begins, so what must outlive the call is copied, and nothing is allocated per read.
 */
const shared = Buffer.allocUnsafeSlow(limits.readBytes);

/** Connects to a unix socket; `onBytes` gets bytes that are only valid during the call, false stops the reading. */
export function connectReading(path: string, onBytes: (bytes: Buffer) => boolean): Socket {
  const socket = connect({
    path,
    allowHalfOpen: true,
    onread: { buffer: shared, callback: (length) => onBytes(shared.subarray(0, length)) },
  });
  keepReading(socket);
  return socket;
}

/**
 * A write that fails does not end the reading. workerd answers a request whose body nobody reads, and closes: what we
 * still write then fails, and node would throw the answer away that has already arrived. No option says so; these two
 * fields are node's own switches for it.
 */
function keepReading(socket: Socket): void {
  const states = socket as unknown as Record<"_readableState" | "_writableState", { autoDestroy: boolean }>;
  states._readableState.autoDestroy = false;
  states._writableState.autoDestroy = false;
}
