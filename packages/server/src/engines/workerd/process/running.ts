import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { CONTROL_FD, LOCKED_EXIT_CODE } from "../sandbox/index.ts";
import type { CanaryError } from "../types.ts";
import { keepTail, readControl } from "./control.ts";
import { OUTER_KILL_AFTER_MS, PID_POLL_MS, PID_TIMEOUT_MS, READY_TIMEOUT_MS } from "./limits.ts";
import {
  childrenOf,
  commandOf,
  descriptorsOf,
  mainThreadOf,
  rssBytesOf,
  startTicksOf,
  threadsCpuMsOf,
} from "./proc.ts";
import { neverReady, startFailure, withoutNoise } from "./start-failure.ts";
import type { Exit, WorkerdProcess } from "./types.ts";

/** The programs around workerd and workerd itself, as one thing that runs and ends. */
export interface Chain {
  readonly exited: Promise<Exit>;
  /** Names of the sockets that listen so far. */
  readonly listening: ReadonlySet<string>;
  onListen(listener: () => void): void;
  stderr(): string;
  ended(): Exit | null;
}

/** Watches a child that was just spawned. */
export function watchChain(child: ChildProcess): Chain {
  const stderr = keepTail(child.stderr as Readable);
  const listening = new Set<string>();
  const listeners: (() => void)[] = [];
  let ended: Exit | null = null;
  readControl(child.stdio[CONTROL_FD] as Readable, (socket) => {
    listening.add(socket);
    for (const listener of listeners) listener();
  });
  // `close`, not `exit`: it comes when nobody holds the pipes any more, so when all the processes are gone.
  const exited = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      ended = { ...readExit(code, signal), stderr: withoutNoise(stderr()) };
      resolve(ended);
    });
  });
  return {
    exited,
    listening,
    onListen: (listener) => listeners.push(listener),
    stderr,
    ended: () => ended,
  };
}

/** bwrap and unshare report the inner process's signal as 128 + its number. */
function readExit(
  code: number | null,
  signal: string | null,
): { code: number | null; signal: string | null } {
  if (code === 128 + 9) return { code: null, signal: "SIGKILL" };
  if (code === 128 + 15) return { code: null, signal: "SIGTERM" };
  return { code, signal };
}

/**
 * Waits until workerd itself runs below `outer`; null when everything ended before that. Ends programs around it that
 * get stuck.
 */
export async function findWorkerd(child: ChildProcess, outer: number, chain: Chain): Promise<number | null> {
  // Elsewhere there is no sandbox around it, and no /proc to look in.
  if (process.platform !== "linux") return outer;
  const stuck = setTimeout(() => child.kill("SIGKILL"), PID_TIMEOUT_MS);
  try {
    while (!chain.ended()) {
      const found = below(outer);
      if (found !== null) return found;
      await Promise.race([new Promise((resolve) => setTimeout(resolve, PID_POLL_MS)), chain.exited]);
    }
    return null;
  } finally {
    clearTimeout(stuck);
  }
}

function below(pid: number): number | null {
  if (commandOf(pid) === "workerd") return pid;
  for (const child of childrenOf(pid)) {
    const found = below(child);
    if (found !== null) return found;
  }
  return null;
}

export function wasLocked(exit: Exit): boolean {
  return exit.code === LOCKED_EXIT_CODE && exit.stderr.trim() === "";
}

/** The handle on a process whose pid is known. */
export function handleOf(
  child: ChildProcess,
  chain: Chain,
  pid: number,
  socketsDir: string,
  sockets: readonly string[],
): WorkerdProcess {
  const startTicks = startTicksOf(pid);
  // A pid is used again once its process is gone; only with its start time it means the same one.
  const alive = () => chain.ended() === null && startTicksOf(pid) === startTicks;
  const signal = (name: "SIGTERM" | "SIGKILL") => {
    if (startTicks === null || !alive()) child.kill(name);
    else process.kill(pid, name);
  };
  const kill = () => {
    attempt(() => signal("SIGKILL"));
    // Killed from the inside out, the outermost ends last, and with it `exited`.
    const outer = setTimeout(() => chain.ended() ?? child.kill("SIGKILL"), OUTER_KILL_AFTER_MS);
    void chain.exited.then(() => clearTimeout(outer));
  };
  const ready = becomesReady(chain, sockets, kill);
  // Whoever starts a process may look at `exited` only.
  ready.catch(() => {});
  let cpuMs = 0;
  return {
    pid,
    socketsDir,
    exited: chain.exited,
    ready,
    terminate: () => attempt(() => signal("SIGTERM")),
    kill,
    rssBytes: () => (alive() ? rssBytesOf(pid) : 0),
    mainThread: () => (alive() ? mainThreadOf(pid) : null),
    cpuMs: () => {
      // A thread that ended takes its time with it.
      if (alive()) cpuMs = Math.max(cpuMs, threadsCpuMsOf(pid));
      return cpuMs;
    },
    descriptors: () => (alive() ? descriptorsOf(pid) : 0),
  };
}

function becomesReady(chain: Chain, sockets: readonly string[], kill: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: CanaryError | null) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve();
    };
    const timer = setTimeout(() => {
      settle(neverReady(chain.stderr(), READY_TIMEOUT_MS));
      kill();
    }, READY_TIMEOUT_MS);
    const look = () => {
      if (sockets.every((name) => chain.listening.has(name))) settle(null);
    };
    chain.onListen(look);
    look();
    void chain.exited.then((exit) => settle(startFailure(exit)));
  });
}

/** The process may end between the look and the signal. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // Gone already.
  }
}
