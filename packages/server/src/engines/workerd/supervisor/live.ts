import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type { Clock } from "../../../kernel/clock.ts";
import type { Log } from "../../../kernel/log.ts";
import { listeningSockets, newTokens, type ProcessTokens, renderConfig } from "../config/index.ts";
import { Traffic } from "../forward/traffic.ts";
import { limits } from "../limits.ts";
import { programDir, startProcess, type WorkerdProcess } from "../process/index.ts";
import type { Death, EnginePorts, Program, ProgramKey } from "../types.ts";
import { openServers, type ProcessServers } from "./servers.ts";

export interface LiveOptions {
  readonly key: ProgramKey;
  readonly program: Program;
  /** `<dataDir>/workerd`. */
  readonly dataDir: string;
  readonly ports: EnginePorts;
  readonly allowPrivateFetch: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  documentationBase(): string;
  /** It has been spawned; it may never be ready. */
  onProcess(process: WorkerdProcess): void;
  /** Requests or sockets have become fewer. */
  onChange(): void;
}

/** A running process of a program, with all that belongs to it on Ambit's side. */
export class Live {
  readonly program: Program;
  readonly process: WorkerdProcess;
  readonly tokens: ProcessTokens;
  readonly traffic: Traffic;
  readonly startedAtMs: number;
  readonly maxDescriptors: number;
  readonly #servers: ProcessServers;
  readonly #options: LiveOptions;
  /** Why Ambit ended it, if it did so unasked. */
  death: Death | null = null;
  /** Its end was asked for. */
  ending = false;
  /** Another process has taken its place; it only finishes what it has. */
  retired = false;
  #cpuMs = 0;
  #released = false;

  constructor(
    options: LiveOptions,
    process: WorkerdProcess,
    tokens: ProcessTokens,
    traffic: Traffic,
    servers: ProcessServers,
  ) {
    this.#options = options;
    this.startedAtMs = options.clock();
    this.program = options.program;
    this.process = process;
    this.tokens = tokens;
    this.traffic = traffic;
    this.#servers = servers;
    this.maxDescriptors = maxDescriptorsOf(process.pid);
  }

  get maxSockets(): number {
    return Math.min(limits.sockets, Math.floor(this.maxDescriptors * limits.socketShare));
  }

  /** Ends the process at once for what it did. */
  condemn(death: Death): void {
    if (this.ending || this.death !== null) return;
    this.death = death;
    this.reportCpu();
    this.process.kill();
  }

  /** Ends the process, politely if it can; resolves when nothing of it lives. */
  async end(terminateMs: number): Promise<void> {
    this.ending = true;
    this.traffic.closeSockets();
    this.reportCpu();
    this.process.terminate();
    const timer = setTimeout(() => this.process.kill(), terminateMs);
    await this.process.exited;
    clearTimeout(timer);
    this.release();
  }

  /** Tells the time used since the last call. */
  reportCpu(): void {
    const total = this.process.cpuMs();
    const ms = total - this.#cpuMs;
    this.#cpuMs = total;
    if (ms > 0) this.#options.ports.onCpu(this.#options.key, ms);
  }

  /** After the end of the process: whatever still waits for it is told. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.reportCpu();
    this.traffic.lose();
    this.#servers.close();
  }
}

/** Starts a process; resolves when it serves. Rejects with what it said when it does not. */
export async function startLive(options: LiveOptions): Promise<Live> {
  const { key, program, log } = options;
  const tokens = newTokens(program);
  // By its directory a start of Ambit sees that there are programs here.
  await mkdir(programDir(options.dataDir, key), { recursive: true, mode: 0o711 });
  const process = await startProcess({
    key,
    configText: (paths) => renderConfig(program, paths, tokens),
    dataDir: options.dataDir,
    // Functions store nothing: two of their processes may run while one takes over from the other.
    storage: program.kind === "actors" ? "own" : "empty",
    memoryBytes: program.memoryBytes,
    log,
    sockets: listeningSockets(program),
  });
  options.onProcess(process);
  let servers: ProcessServers | null = null;
  try {
    const opened = openServers({ ...options, socketsDir: process.socketsDir, tokens }).then((result) => {
      servers = result;
      return result;
    });
    const [mine] = await Promise.all([opened, process.ready]);
    const traffic = new Traffic(program, process.socketsDir, options.onChange, options.documentationBase);
    return new Live(options, process, tokens, traffic, mine);
  } catch (error) {
    process.kill();
    await process.exited;
    (servers as ProcessServers | null)?.close();
    throw error;
  }
}

/** Starts it on empty storage and ends it again. Rejects with CanaryError when it does not start. */
export async function tryStart(
  key: ProgramKey,
  program: Program,
  options: { dataDir: string; log: Log },
): Promise<void> {
  const tokens = newTokens(program);
  const process = await startProcess({
    key,
    configText: (paths) => renderConfig(program, paths, tokens),
    dataDir: options.dataDir,
    storage: "empty",
    memoryBytes: program.memoryBytes,
    log: options.log,
    sockets: listeningSockets(program),
  });
  try {
    await process.ready;
  } finally {
    process.kill();
    await process.exited;
  }
}

function maxDescriptorsOf(pid: number): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"));
    return found === null ? limits.fallbackDescriptors : Number(found[1]);
  } catch {
    return limits.fallbackDescriptors;
  }
}
