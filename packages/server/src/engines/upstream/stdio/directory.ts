import { chmodSync, lchownSync, mkdirSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { OsUser } from "../../workerd/sandbox/index.ts";

/** Below Ambit's data directory: what belongs to registered programs. */
const NAME = "mcp";

/** What identifies a server may be part of a path. */
const SAFE_ID = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}$/;

/**
 * Makes the directory a server's programs work in, theirs alone, and gives its path, without links. `user` owns it; null:
 * Ambit's own user does. Others pass through what is above it without seeing what is there.
 */
export function makeServerDirectory(dataDir: string, serverId: string, user: OsUser | null): string {
  if (!SAFE_ID.test(serverId)) throw new Error(`${serverId} can't be the name of a directory`);
  const above = join(dataDir, NAME);
  mkdirSync(above, { recursive: true, mode: 0o700 });
  const passable = user === null ? 0o700 : 0o711;
  if ((statSync(above).mode & 0o777) !== passable) chmodSync(above, passable);
  const own = join(realpathSync(above), serverId);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  if (user !== null && statSync(own).uid !== user.uid) giveTo(own, user);
  if ((statSync(own).mode & 0o777) !== 0o700) chmodSync(own, 0o700);
  return own;
}

/** Where Ambit notes which programs run, for the next start; nobody else may look. */
export function makeRunningDirectory(dataDir: string): string {
  const path = join(dataDir, NAME, ".running");
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** With all it holds: it may come from an Ambit that ran as another user, or from a backup. */
function giveTo(path: string, user: OsUser): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) giveTo(join(path, entry.name), user);
    else lchownSync(join(path, entry.name), user.uid, user.gid);
  }
  // Last, so that a change broken off half way is begun anew the next time.
  lchownSync(path, user.uid, user.gid);
}
