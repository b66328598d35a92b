import { statSync } from "node:fs";
import { descriptorPathsOf, isAlive, processIds, sessionOf } from "./proc.ts";

/**
 * Ends what an Ambit that was killed in the middle of a start may leave behind: a bwrap that waits for ever for its
 * parent, and holds the lock. Every process of a program belongs to the session of the one Ambit spawned; when that
 * one is gone, the rest is of no use to anyone. Returns how many were ended.
 */
export function endOrphans(lock: string): number {
  const file = statSync(lock);
  const holds = (path: string) => {
    try {
      const { dev, ino } = statSync(path);
      return dev === file.dev && ino === file.ino;
    } catch {
      return false;
    }
  };
  let ended = 0;
  for (const pid of processIds()) {
    const session = sessionOf(pid);
    // Session 0: its leader is outside of our sight, and so perhaps alive.
    if (!session || isAlive(session) || !descriptorPathsOf(pid).some(holds)) continue;
    process.kill(pid, "SIGKILL");
    ended += 1;
  }
  return ended;
}
