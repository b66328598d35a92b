import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  isAlive,
  parentOf,
  pidWorld,
  processIds,
  sessionOf,
  startTicksOf,
} from "../../workerd/process/proc.ts";

/** What is written down of a program while it runs. */
interface Note {
  /** Its process, which is also its session and its group. */
  readonly pid: number;
  readonly startTicks: number | null;
  /** The Ambit that started it. */
  readonly owner: { readonly pid: number; readonly startTicks: number | null };
  /** Pids mean something only inside their namespace and until the next boot. */
  readonly world: string;
}

const pathOf = (dir: string, pid: number) => join(dir, `${pid}.json`);

/** Notes that a program runs, so that the next Ambit finds what this one may leave behind when it is killed. */
export function noteRunning(dir: string, pid: number): void {
  const owner = { pid: process.pid, startTicks: startTicksOf(process.pid) };
  const note: Note = { pid, startTicks: startTicksOf(pid), owner, world: pidWorld() };
  writeFileSync(pathOf(dir, pid), JSON.stringify(note), { mode: 0o600 });
}

export function noteEnded(dir: string, pid: number): void {
  rmSync(pathOf(dir, pid), { force: true });
}

/** Ends programs whose Ambit is gone, with everything of their sessions. Returns how many processes were ended. */
export function endLeftovers(dir: string): number {
  let ended = 0;
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const note = read(path);
    if (note !== null && note.world === pidWorld()) {
      if (isSame(note.owner)) continue;
      ended += endSession(note);
    } else if (note !== null && note.world.split(" ")[0] === pidWorld().split(" ")[0]) {
      // Of another pid namespace on this machine: not ours to judge.
      continue;
    }
    rmSync(path, { force: true });
  }
  return ended;
}

/** Kills all processes of a program's session that are left; those that began one of their own are not found. */
export function killSession(leader: number): number {
  let ended = 0;
  for (const pid of processIds()) {
    if (sessionOf(pid) !== leader || !isAlive(pid)) continue;
    if (kill(pid)) ended += 1;
  }
  return ended;
}

/**
 * Kills what a server's programs left running in sessions of their own, found by the user that only they run as and by
 * having been handed to init when their parent ended. `living` are the sessions of programs that are to run on.
 */
export function killEscaped(uid: number, living: ReadonlySet<number>): number {
  let ended = 0;
  for (const pid of processIds()) {
    if (uidOf(pid) !== uid || !isAlive(pid)) continue;
    // Where Ambit itself is process 1, what it started looks the same.
    if (parentOf(pid) !== 1 || living.has(sessionOf(pid) ?? 0)) continue;
    if (kill(pid)) ended += 1;
  }
  return ended;
}

function endSession(note: Note): number {
  // While anything of a session lives its number is not given away; another start time means another process.
  const leaderTicks = startTicksOf(note.pid);
  if (leaderTicks !== null && leaderTicks !== note.startTicks) return 0;
  return killSession(note.pid);
}

function isSame({ pid, startTicks }: Note["owner"]): boolean {
  return isAlive(pid) && startTicksOf(pid) === startTicks;
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    // It ended by itself meanwhile.
    return false;
  }
}

function read(path: string): Note | null {
  try {
    const note = JSON.parse(readFileSync(path, "utf8"));
    return typeof note?.pid === "number" && typeof note.world === "string" && note.owner ? note : null;
  } catch {
    return null;
  }
}

function uidOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return null;
  }
}
