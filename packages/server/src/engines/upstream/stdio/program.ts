import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Log } from "../../../kernel/log.ts";
import type { OsUser } from "../../workerd/sandbox/index.ts";
import type { Channel } from "../channel/types.ts";
import { UpstreamError, type UpstreamFailure } from "../types.ts";
import { noteEnded, noteRunning } from "./leftovers.ts";
import type { StdioLimits } from "./limits.ts";
import { createLineReader } from "./lines.ts";
import type { StderrTail } from "./stderr.ts";

/** Everything a start needs. */
export interface ProgramOptions {
  readonly command: readonly [string, ...string[]];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Null: as Ambit's own user. */
  readonly user: OsUser | null;
  readonly runningDirectory: string;
  readonly limits: StdioLimits;
  readonly log: Log;
  readonly stderr: StderrTail;
  /** It ended; `asked`: because it was to. */
  onExit(asked: boolean): void;
}

/** Sessions of the programs this Ambit runs now. */
export const livingPrograms = new Set<number>();

const failure = (kind: UpstreamFailure["kind"], ran: "no" | "maybe", message: string): UpstreamFailure => ({
  kind,
  status: null,
  ran,
  message,
});

/** Starts the program in a session of its own. Rejects with an UpstreamError when the system does not. */
export function startProgram(options: ProgramOptions): Promise<Channel> {
  const [file, ...args] = options.command;
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown) => {
      const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
      const hint = code === "EPERM" && options.user ? ": Ambit is root here, but can't change the user" : "";
      reject(
        new UpstreamError(failure("connect", "no", `The program could not be started (${code}${hint}).`)),
      );
    };
    try {
      const child = spawn(file, args, {
        cwd: options.directory,
        env: options.environment,
        // A session and a group of its own: signals reach all of it, and only it.
        detached: true,
        stdio: ["pipe", "pipe", "pipe"],
        ...(options.user ?? {}),
      });
      child.once("error", refuse);
      child.once("spawn", () => resolve(channelOf(child, child.pid ?? 0, options)));
    } catch (error) {
      refuse(error);
    }
  });
}

function channelOf(child: ChildProcessWithoutNullStreams, pid: number, options: ProgramOptions): Channel {
  const { limits, log } = options;
  let onMessage: (text: string) => void = () => {};
  let onTooLarge: (id: string | number | null) => void = () => {};
  let onClose: ((failure: UpstreamFailure) => void) | null = null;
  let closed: UpstreamFailure | null = null;
  let asked = false;
  let exited = false;
  let junk = 0;

  livingPrograms.add(pid);
  noteRunning(options.runningDirectory, pid);
  const reader = createLineReader(limits.maxMessageBytes, {
    onLine: (text) => onMessage(text),
    onJunk(bytes) {
      junk += 1;
      // Programs that print to the wrong place do it all the time: said at the 1st, 2nd, 4th, 8th …
      if (Number.isInteger(Math.log2(junk)))
        log.warn({ bytes, lines: junk }, "lines on standard output that are no messages were dropped");
    },
    onTooLarge(id) {
      log.warn({ bytes: limits.maxMessageBytes }, "a message larger than the limit was dropped");
      onTooLarge(id);
    },
  });
  child.stdout.on("data", (chunk: Buffer) => reader.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => options.stderr.push(chunk));
  // Writing to a program that has ended; its end is told anyway.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => {});

  const drained = createDrain(child);
  const signalAll = (signal: NodeJS.Signals) => {
    try {
      process.kill(-pid, signal);
    } catch {
      // Nothing of it is left.
    }
  };
  const gone = new Promise<void>((resolve) => {
    const finish = (why: UpstreamFailure) => {
      if (closed !== null) return;
      closed = why;
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      onClose?.(why);
      resolve();
    };
    child.once("exit", (code, signal) => {
      exited = true;
      // What it started: without it nobody talks to them any more.
      signalAll("SIGKILL");
      livingPrograms.delete(pid);
      noteEnded(options.runningDirectory, pid);
      options.onExit(asked);
      const how = signal ? `by ${signal}` : `with exit code ${code}`;
      const why = asked
        ? failure("broken", "maybe", "The program was stopped.")
        : failure("broken", "maybe", `The program ended ${how}.`);
      // What it wrote before may still be in the pipe.
      child.once("close", () => finish(why));
      setTimeout(() => finish(why), limits.drainMs).unref();
    });
  });

  return {
    send(text) {
      if (closed !== null || exited) return;
      if (Buffer.byteLength(text) > limits.maxMessageBytes)
        return Promise.reject(new UpstreamError(failure("too_large", "no", "The message is too large.")));
      if (child.stdin.writableLength > limits.maxPendingBytes)
        return Promise.reject(
          new UpstreamError(failure("refused", "no", "The program does not read its input.")),
        );
      if (!child.stdin.write(`${text}\n`)) return drained();
    },
    onMessage(listener) {
      onMessage = listener;
    },
    onClose(listener) {
      onClose = listener;
      if (closed !== null) listener(closed);
    },
    onTooLarge(listener) {
      onTooLarge = listener;
    },
    close() {
      if (!asked && !exited) {
        asked = true;
        child.stdin.end();
        const terminate = setTimeout(() => signalAll("SIGTERM"), limits.terminateAfterMs);
        const kill = setTimeout(() => signalAll("SIGKILL"), limits.terminateAfterMs + limits.killAfterMs);
        child.once("exit", () => {
          clearTimeout(terminate);
          clearTimeout(kill);
        });
      }
      return gone;
    },
  };
}

/** One promise for everyone who waits until a program reads again, or is gone. */
function createDrain(child: ChildProcessWithoutNullStreams): () => Promise<void> {
  let waiting: Promise<void> | null = null;
  return () => {
    waiting ??= new Promise((resolve) => {
      const done = () => {
        child.stdin.off("drain", done);
        child.stdin.off("close", done);
        waiting = null;
        resolve();
      };
      child.stdin.once("drain", done);
      child.stdin.once("close", done);
    });
    return waiting;
  };
}
