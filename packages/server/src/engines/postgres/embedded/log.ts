import { closeSync, copyFileSync, fstatSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { giveToOwnerOf } from "./access.ts";
import { limits } from "./limits.ts";

/** Where the launcher tells what it does. */
export type Log = (level: "info" | "warn" | "error", message: string, detail?: object) => void;

/** Opens the server's log for appending and gives its descriptor; the caller closes it. */
export function openServerLog(logFile: string, stateDir: string): number {
  const descriptor = openSync(logFile, "a", 0o600);
  giveToOwnerOf(stateDir, logFile);
  return descriptor;
}

/**
 * Bounds the server's log: beyond `maxBytes` its content moves to `<logFile>.1` and it starts empty. The server
 * keeps its descriptor, which is open for appending and so follows the truncation.
 */
export function rotateServerLog(logFile: string, maxBytes: number = limits.logBytes): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= maxBytes) return;
  copyFileSync(logFile, `${logFile}.1`);
  truncateSync(logFile);
}

/** What was written to the log from `offsetBytes` on, its last part if that is long. */
export function readServerLog(logFile: string, offsetBytes: number): string {
  const descriptor = openSync(logFile, "r");
  try {
    const end = fstatSync(descriptor).size;
    const begin = Math.max(Math.min(offsetBytes, end), end - limits.diagnosticBytes);
    const buffer = Buffer.alloc(end - begin);
    const length = readSync(descriptor, buffer, 0, buffer.length, begin);
    return buffer.toString("utf8", 0, length);
  } finally {
    closeSync(descriptor);
  }
}
