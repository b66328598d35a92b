import { chmodSync, chownSync, mkdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { failures } from "./errors.ts";
import { describeIdentity, type OsIdentity } from "./identity.ts";
import type { Log } from "./log.ts";

/** Makes the state directory if need be and gives its path without symbolic links, as the kernel shows it. */
export function makeStateDir(stateDir: string): string {
  try {
    mkdirSync(stateDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    return realpathSync(stateDir);
  } catch (error) {
    // The code is of no help: on a read-only file system Node gives ENOENT.
    throw failures.stateDirectoryNotWritable(stateDir, error);
  }
}

/**
 * Sees to it that PostgreSQL's user can reach the state directory. A state directory closed to everybody but
 * Ambit is opened for that user's group, for passing through only; what lies above it is the operator's, so
 * there the answer is an error that names the mend.
 */
export function ensureReachable(stateDir: string, dataDir: string, identity: OsIdentity, log: Log): void {
  if (!identity.switched) return;
  const own = statSync(stateDir);
  if (!mayEnter(own, identity) && own.uid === process.getuid?.() && (own.mode & 0o077) === 0) {
    chownSync(stateDir, own.uid, identity.gid);
    chmodSync(stateDir, 0o710);
    log("info", "opened the state directory to the database's group", { stateDir, gid: identity.gid });
  }
  const blockedAt = firstBlocked(stateDir, identity) ?? firstBlocked(dirname(dataDir), identity);
  if (blockedAt) throw failures.stateDirectoryUnreachable(stateDir, blockedAt, describeIdentity(identity));
}

/** The topmost directory on the way to `path` (itself included) that this identity may not pass. */
export function firstBlocked(path: string, identity: OsIdentity): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : firstBlocked(parent, identity);
  return above ?? (mayEnter(statSync(path), identity) ? undefined : path);
}

/** Makes a directory below the state directory; made by root, it belongs to the state directory's owner. */
export function makeSubdirectory(stateDir: string, name: string, mode: number): string {
  const path = join(stateDir, name);
  if (mkdirSync(path, { recursive: true })) {
    chmodSync(path, mode);
    giveToOwnerOf(stateDir, path);
  }
  return path;
}

/** Keeps files that root makes usable for the ordinary user whose directory it is. */
export function giveToOwnerOf(directory: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const owner = statSync(directory);
  if (owner.uid !== 0) chownSync(path, owner.uid, owner.gid);
}

function mayEnter(stats: Stats, identity: OsIdentity): boolean {
  if (stats.uid === identity.uid) return (stats.mode & 0o100) !== 0;
  if (stats.gid === identity.gid) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
}
