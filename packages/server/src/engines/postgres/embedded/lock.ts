import { readlinkSync, renameSync, symlinkSync, unlinkSync } from "node:fs";
import { failures } from "./errors.ts";
import { limits } from "./limits.ts";
import { isSameProcess, startToken } from "./process.ts";
import { waitFor } from "./wait.ts";

let acquisitions = 0;

/**
 * Takes the lock at `path`, waiting for whoever holds it, and gives the function that frees it; undefined if it
 * is still held after `timeoutMs`. A lock whose holder died is taken over.
 *
 * The lock is a symbolic link that points at its holder's name: made with its content in one atomic step, and
 * never half-written. Taking over a dead one could displace a lock made in the same instant; it is then put
 * back. What the lock protects stays safe without it (a cluster appears by one rename, and PostgreSQL has a lock
 * of its own): it saves work and keeps the clean-up of stale files apart from a start.
 */
export async function acquireLock(
  path: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<(() => void) | undefined> {
  const mine = `${process.pid}:${startToken(process.pid)}:${++acquisitions}`;
  return await waitFor(() => tryAcquire(path, mine), timeoutMs, limits.lockPollMs, signal);
}

/** As `acquireLock` with the patience of a start; throws POSTGRES_START_BUSY when that is exhausted. */
export async function acquireStartLock(
  path: string,
  stateDir: string,
  signal?: AbortSignal,
): Promise<() => void> {
  const release = await acquireLock(path, limits.lockMs, signal);
  if (!release) throw failures.startBusy(stateDir, Number.parseInt(readLock(path) ?? "", 10));
  return release;
}

function tryAcquire(path: string, mine: string): (() => void) | undefined {
  if (makeLock(path, mine)) {
    return () => {
      if (readLock(path) === mine) unlinkSync(path);
    };
  }
  const held = readLock(path);
  if (held !== undefined && !isHolderAlive(held)) takeAway(path, held);
  return undefined;
}

function makeLock(path: string, content: string): boolean {
  try {
    symlinkSync(content, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readLock(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function isHolderAlive(content: string): boolean {
  const [pid, token] = content.split(":");
  return isSameProcess(Number(pid), token ?? "");
}

function takeAway(path: string, dead: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const taken = readLock(aside);
  unlinkSync(aside);
  if (taken !== undefined && taken !== dead) makeLock(path, taken);
}
