import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { socketPath } from "./socket.ts";

/** What the postmaster writes about itself (miscadmin.h, LOCK_FILE_LINE_*); later lines appear as it starts. */
export interface PidFile {
  readonly pid: number;
  readonly port: number | undefined;
  readonly socketDir: string | undefined;
  readonly status: string;
}

/** Parses postmaster.pid; undefined if it holds no postmaster's number (a single-user backend's is negative). */
export function parsePidFile(text: string): PidFile | undefined {
  const lines = text.split("\n").map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!lines[0] || !Number.isInteger(pid) || pid <= 1) return undefined;
  return {
    pid,
    port: lines[3] ? Number(lines[3]) : undefined,
    socketDir: lines[4] || undefined,
    status: lines[7] ?? "",
  };
}

/** Reads the cluster's postmaster.pid, if there is one. */
export function readPidFile(dataDir: string): PidFile | undefined {
  return parsePidFile(readIfPresent(join(dataDir, "postmaster.pid")));
}

/**
 * Removes what a dead postmaster left. PostgreSQL does so itself, except when the number seems alive: a zombie
 * nobody reaps, or another program that got the number since.
 */
export function removeStalePidFile(dataDir: string, stale: PidFile): void {
  if (readPidFile(dataDir)?.pid === stale.pid) rmSync(join(dataDir, "postmaster.pid"), { force: true });
  if (!stale.socketDir || !stale.port) return;
  const socket = socketPath(stale.socketDir, stale.port);
  if (parsePidFile(readIfPresent(`${socket}.lock`))?.pid !== stale.pid) return;
  rmSync(socket, { force: true });
  rmSync(`${socket}.lock`, { force: true });
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
