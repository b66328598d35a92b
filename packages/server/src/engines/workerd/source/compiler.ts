import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { workerdErrors } from "../errors.ts";
import type { CompileResult } from "./compile.ts";
import { limits } from "./limits.ts";
import { type Job, type Reply, tooDeep } from "./protocol.ts";
import { type Refusal, SourceError } from "./source-error.ts";

/** Signals with which a process ends itself: an overflown stack, an exhausted heap, an assertion. */
const CRASHES = new Set(["SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGTRAP", "SIGFPE"]);

const tooComplex = (what: string): Refusal => ({
  reason: "SOURCE_TOO_COMPLEX",
  message: `the code takes too much ${what} to compile`,
  remediation: "Make the file smaller and simpler; keep data out of the code.",
  at: null,
});

const busy = () =>
  workerdErrors.RUNTIME_BUSY({
    message: "Too many files wait for the compiler.",
    headers: { "Retry-After": "5" },
  });

interface Waiting extends Job {
  resolve(result: CompileResult): void;
  reject(error: Error): void;
}

/** Those of `limits.ts` that make an end to a file or a process. */
export type Bounds = Readonly<Record<"compileMs" | "memoryBytes" | "memoryProbeMs" | "idleMs", number>>;

/** How the process of one job ended, seen from outside. */
type Ending = { reply: Reply } | { refusal: Refusal } | { lost: string };

/**
 * One compiler process at most, started on the first file and ended when idle. Files are compiled one after another;
 * one that crashes the process, or takes too long or too much memory, is refused and the next gets a fresh process.
 */
export class Compiler {
  #child: ChildProcess | null = null;
  #queue: Waiting[] = [];
  #running: Promise<void> | null = null;
  #idle: NodeJS.Timeout | null = null;
  #nextId = 1;
  readonly #bounds: Bounds;

  constructor(bounds: Bounds = limits) {
    this.#bounds = bounds;
  }

  compile(kind: Job["kind"], source: string, fileName: string): Promise<CompileResult> {
    if (this.#queue.length >= limits.queued) return Promise.reject(busy());
    return new Promise((resolve, reject) => {
      this.#queue.push({ id: this.#nextId++, kind, source, fileName, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** The compiler's process, while there is one. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Ends the process. Files under way are finished first; a later file starts a new one. */
  async close(): Promise<void> {
    await this.#running;
    await this.#end();
  }

  async #run(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      try {
        job.resolve(await this.#attempt(job));
      } catch (error) {
        job.reject(error as Error);
      }
    }
    this.#running = null;
    this.#idle = setTimeout(() => void this.#end(), this.#bounds.idleMs);
    this.#idle.unref();
  }

  async #attempt(job: Waiting): Promise<CompileResult> {
    // A process may be lost for reasons that are not the file's (an operator, the host's memory): try once more.
    let lost = "";
    for (let attempt = 0; attempt < 2; attempt++) {
      const ending = await this.#once(job);
      if ("refusal" in ending) throw new SourceError(job.fileName, ending.refusal);
      if ("lost" in ending) {
        lost = ending.lost;
        continue;
      }
      const { reply } = ending;
      if ("result" in reply) return reply.result;
      if ("refusal" in reply) throw new SourceError(job.fileName, reply.refusal);
      throw new Error(`The compiler failed: ${"failure" in reply ? reply.failure : "no answer"}`);
    }
    throw new Error(`The compiler's process was lost: ${lost}`);
  }

  async #once(job: Waiting): Promise<Ending> {
    let child: ChildProcess;
    try {
      child = await this.#ready();
    } catch (error) {
      return { lost: String(error) };
    }
    hold(child, true);
    const { id, kind, source, fileName } = job;
    const ending = await answerOf(child, { id, kind, source, fileName }, this.#bounds);
    hold(child, false);
    if (!("reply" in ending) || rssBytes(child) > limits.recycleBytes) await this.#end();
    return ending;
  }

  async #ready(): Promise<ChildProcess> {
    if (this.#child?.connected) return this.#child;
    await this.#end();
    this.#child = await startChild();
    return this.#child;
  }

  async #end(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    hold(child, true);
    child.kill("SIGKILL");
    await gone;
  }
}

async function startChild(): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL("./compiler-child.ts", import.meta.url)), ["compile"], {
    // Nothing of the server's: no secrets in its environment, no flags, no standard streams.
    env: {},
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const reason = await new Promise<string | null>((resolve) => {
    const late = setTimeout(() => resolve("it did not start in time"), limits.startMs);
    child.once("message", () => {
      clearTimeout(late);
      resolve(null);
    });
    for (const event of ["error", "exit"])
      child.once(event, (what: unknown) => {
        clearTimeout(late);
        resolve(`it did not start (${what})`);
      });
  });
  if (reason === null) {
    child.removeAllListeners();
    // Errors of a channel that breaks are followed by an exit, which is what is looked at.
    child.on("error", () => {});
    return child;
  }
  child.kill("SIGKILL");
  throw new Error(reason);
}

function answerOf(child: ChildProcess, job: Job, bounds: Bounds): Promise<Ending> {
  return new Promise((resolve) => {
    const late = setTimeout(() => done({ refusal: tooComplex("time") }), bounds.compileMs);
    const probe = setInterval(() => {
      if (rssBytes(child) > bounds.memoryBytes) done({ refusal: tooComplex("memory") });
    }, bounds.memoryProbeMs);
    const onMessage = (reply: Reply) => done({ reply });
    const onExit = (code: number | null, signal: string | null) =>
      done(signal !== null && CRASHES.has(signal) ? { refusal: tooDeep } : { lost: `${signal ?? code}` });
    const done = (ending: Ending) => {
      clearTimeout(late);
      clearInterval(probe);
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(ending);
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
    else
      child.send(job, (error) => {
        if (error !== null) done({ lost: String(error) });
      });
  });
}

/** Whether the process keeps the server's event loop alive: only while somebody waits for it. */
function hold(child: ChildProcess, yes: boolean): void {
  if (yes) child.ref();
  else child.unref();
  if (yes) child.channel?.ref();
  else child.channel?.unref();
}

function rssBytes(child: ChildProcess): number {
  try {
    return Number(readFileSync(`/proc/${child.pid}/statm`, "utf8").split(" ")[1]) * 4096;
  } catch {
    return 0;
  }
}
