import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../../kernel/clock.ts";
import { AmbitError } from "../../../kernel/errors.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Traffic } from "../forward/traffic.ts";
import { limits } from "../limits.ts";
import { programDir, type WorkerdProcess } from "../process/index.ts";
import type { EnginePorts, Program, ProgramKey, ProgramStatus } from "../types.ts";
import { firstAlarmMs } from "./alarms.ts";
import { Held, unavailable } from "./held.ts";
import { type Live, startLive } from "./live.ts";
import type { Monitor } from "./monitor.ts";
import {
  type After,
  type Effect,
  initialState,
  next,
  type ProgramEvent,
  type ProgramState,
} from "./program-state.ts";
import { Retired } from "./retired.ts";

/** What all programs of an engine share. */
export interface ProgramContext {
  readonly dataDir: string;
  readonly ports: EnginePorts;
  readonly allowPrivateFetch: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  readonly monitor: Monitor;
  readonly drainMs: number;
  documentationBase(): string;
  /** The program sleeps and wants to be woken then; null: no more. */
  setAlarm(key: ProgramKey, dueMs: number | null): void;
}

/** One program of this node: carries out what `program-state.ts` decides. Costs next to nothing while it sleeps. */
export class ProgramRunner {
  readonly key: ProgramKey;
  readonly #context: ProgramContext;
  readonly #held = new Held();
  readonly #retired = new Retired();
  #state: ProgramState = initialState;
  #live: Live | null = null;
  /** To be started next, if it is not to be asked for. */
  #next: Program | null = null;
  /** Ran before the one being started, and can again. */
  #old: Program | null = null;
  #failure: unknown = null;
  #refusal: AmbitError | null = null;
  /** Changes of the program's life, one after the other. */
  #changes: Promise<unknown> = Promise.resolve();
  /** Woken at every change of the phase, and when requests end. */
  #watchers = new Set<() => void>();
  #closed = false;
  #drainMs: number = limits.drainMs;
  #startingProcess: WorkerdProcess | null = null;
  /** Alarms don't wake it before: it may not start now. */
  #quietUntilMs = 0;

  constructor(key: ProgramKey, context: ProgramContext) {
    this.key = key;
    this.#context = context;
  }

  /** What serves requests now; null while there is nothing, or nothing new may begin. */
  get traffic(): Traffic | null {
    return this.#state.phase === "running" ? this.#live!.traffic : null;
  }

  /** The same for calls that requests under way make to their own program: a drain waits for those. */
  get trafficForNested(): Traffic | null {
    return this.#state.phase === "running" || this.#state.phase === "draining" ? this.#live!.traffic : null;
  }

  get live(): Live | null {
    return this.#live;
  }

  get storageDir(): string {
    return join(programDir(this.#context.dataDir, this.key), "storage");
  }

  /** Waits until the program serves, starting it if it sleeps. Rejects with an AmbitError. */
  async running(): Promise<Traffic> {
    for (;;) {
      const { traffic } = this;
      if (traffic !== null) return traffic;
      if (this.#closed) throw unavailable(1_000);
      this.#refusal = null;
      this.#apply({ type: "wanted" });
      if (this.#refusal !== null) throw this.#refusal;
      await this.#held.wait();
    }
  }

  /** Has it run if it sleeps and may. */
  wake(): void {
    if (this.#state.phase === "stopped" && !this.#closed) this.#apply({ type: "wanted" });
    else this.#wakeLater();
  }

  /** Has what runs replaced by what `load` gives now. Rejects if that does not start; then the old one serves. */
  swap(): Promise<void> {
    return this.#change(async () => {
      this.#apply({ type: "forgive" });
      const found = await this.#compare();
      if (found === null) {
        this.#quietUntilMs = 0;
        this.#wakeLater();
        return;
      }
      const { live, program } = found;
      if (program?.kind === "functions") return await this.#relieve(live, program);
      this.#next = program;
      this.#old = program === null ? null : live.program;
      this.#failure = null;
      await this.#stop(program === null ? "sleep" : "start", this.#context.drainMs);
      await this.#until(() => this.#state.phase !== "starting");
      this.#old = null;
      if (program === null) this.#serveHeld();
      if (this.#failure !== null) throw this.#failure;
    });
  }

  /** What runs and what should run; null when they are the same, or nothing runs that could be stale. */
  async #compare(): Promise<{ live: Live; program: Program | null } | null> {
    for (;;) {
      while (this.#state.phase === "starting") await this.#until(() => this.#state.phase !== "starting");
      const live = this.#live;
      if (live === null) return null;
      const program = await this.#context.ports.load(this.key);
      // If it died meanwhile, what was started in its place may be the old revision again.
      if (this.#live === live) return program?.revision === live.program.revision ? null : { live, program };
    }
  }

  /** Without storage the new process can start beside the old one: nobody waits. */
  async #relieve(live: Live, program: Program): Promise<void> {
    const fresh = await this.#boot(program);
    if (this.#live !== live || this.#closed) {
      await fresh.end(0); // the old one died meanwhile: the next request starts what is deployed now
      return;
    }
    this.#retired.retire(live, this.#context.drainMs);
    this.#begin(fresh);
  }

  /** Runs `work` while no process can be there. */
  exclusive<T>(work: (storageDir: string) => Promise<T>): Promise<T> {
    return this.#change(async () => {
      await this.#stop("work", this.#context.drainMs);
      if (this.#state.phase !== "working") throw new Error("A process runs where none may.");
      try {
        return await work(this.storageDir);
      } finally {
        this.#apply({ type: "worked" });
        this.#serveHeld();
        await this.#setAlarm();
      }
    });
  }

  /** Stops it because nobody needs it; a request that comes meanwhile starts it anew. */
  sleep(): Promise<void> {
    return this.#change(async () => {
      const traffic = this.traffic;
      if (traffic === null || traffic.inFlight + traffic.sockets > 0) return;
      await this.#stop("sleep", this.#context.drainMs);
      this.#serveHeld();
    });
  }

  /** Stops it for good. */
  close(drainMs: number, destroy = false): Promise<void> {
    this.#closed = true;
    this.#held.refuse(unavailable(1_000));
    this.#startingProcess?.kill();
    this.#retired.hurry();
    return this.#change(async () => {
      const live = this.#live;
      await Promise.all([this.#stop("sleep", drainMs), this.#retired.gone()]);
      live?.traffic.cut();
      this.#context.setAlarm(this.key, null);
      const dir = programDir(this.#context.dataDir, this.key);
      if (!destroy) return;
      await rm(dir, { recursive: true, force: true });
      // The app's own directory goes with its last program.
      await rmdir(dirname(dir)).catch(() => {});
    });
  }

  status(): ProgramStatus {
    const live = this.#live;
    return {
      key: this.key,
      state: this.#publicState(),
      revision: live?.program.revision ?? null,
      pid: live?.process.pid ?? null,
      startedAtMs: live?.startedAtMs ?? null,
      rssBytes: live?.process.rssBytes() ?? 0,
      inFlight: live?.traffic.inFlight ?? 0,
      sockets: live?.traffic.sockets ?? 0,
      restarts: this.#state.restarts,
    };
  }

  #publicState(): ProgramStatus["state"] {
    const { phase, after } = this.#state;
    if (phase === "draining" || phase === "stopping") return after === "start" ? "swapping" : "stopping";
    if (phase === "working") return "stopping";
    if (phase === "starting" && this.#old !== null) return "swapping";
    return phase;
  }

  /** One change at a time, and none while a start is under way. */
  #change<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#changes.then(async () => {
      while (this.#state.phase === "starting") await this.#until(() => this.#state.phase !== "starting");
      return await act();
    });
    this.#changes = turn.catch(() => {});
    return turn;
  }

  /** Resolves when the process has ended and what comes after is under way. */
  async #stop(after: After, drainMs: number): Promise<void> {
    this.#drainMs = drainMs;
    this.#apply({ type: "stop", after });
    await this.#until(() => this.#state.phase !== "draining" && this.#state.phase !== "stopping");
  }

  #apply(event: ProgramEvent): void {
    const step = next(this.#state, event, this.#context.clock());
    this.#state = step.state;
    for (const effect of step.effects) this.#carryOut(effect);
    for (const watcher of [...this.#watchers]) watcher();
  }

  #carryOut(effect: Effect): void {
    switch (effect) {
      case "start":
        void this.#start(null);
        break;
      case "start old":
        void this.#start(this.#old);
        break;
      case "release":
        this.#held.release();
        break;
      case "refuse":
        this.#refuse();
        break;
      case "drain":
        void this.#drain(this.#live!);
        break;
      case "end":
        void this.#end(this.#live!);
        break;
      case "lose":
      case "work":
        break; // the end of the process has released its traffic; who asked for work waits for the phase
    }
  }

  #refuse(): void {
    const waitMs = this.#state.phase === "failing" ? this.#state.retryAtMs - this.#context.clock() : 1_000;
    this.#refusal ??= unavailable(waitMs);
    this.#held.refuse(this.#refusal);
  }

  async #start(old: Program | null): Promise<void> {
    this.#refusal = null;
    const returning = old !== null;
    if (returning) this.#old = null;
    let counts = false;
    try {
      const program = old ?? this.#next ?? (await this.#context.ports.load(this.key));
      this.#next = null;
      if (this.#closed) throw unavailable(1_000);
      if (program === null) throw unavailable(1_000, "Nothing is deployed here.");
      counts = true;
      this.#begin(await this.#boot(program));
    } catch (error) {
      this.#next = null;
      if (this.#old !== null || returning) this.#failure ??= error;
      else
        this.#context.log[counts ? "warn" : "debug"](
          { err: error, program: this.key },
          "program did not start",
        );
      if (!counts) {
        this.#refusal = error instanceof AmbitError ? error : null;
        this.#quietUntilMs = this.#context.clock() + limits.alarmRefusedMs;
      }
      this.#apply({ type: "start failed", old: this.#old !== null, counts });
      if (this.#live === null && this.#state.phase !== "starting") this.#wakeLater();
    }
  }

  #boot(program: Program): Promise<Live> {
    return startLive({
      ...this.#context,
      key: this.key,
      program,
      onProcess: (process) => {
        this.#startingProcess = process;
      },
      onChange: () => this.#onTraffic(),
      documentationBase: this.#context.documentationBase,
    });
  }

  #begin(live: Live): void {
    this.#startingProcess = null;
    this.#live = live;
    this.#context.monitor.add(live);
    this.#context.setAlarm(this.key, null);
    void live.process.exited.then(({ stderr }) => this.#onExit(live, stderr));
    this.#apply({ type: "ready" });
  }

  /** The process is gone, asked or not. */
  #onExit(live: Live, stderr: string): void {
    this.#context.monitor.remove(live);
    if (this.#live === live) this.#live = null;
    if (live.ending && live.death === null) return;
    const lost = live.traffic.casualties();
    live.release();
    this.#context.ports.onDeath(this.key, live.death ?? "crashed", lost, stderr);
    if (live.retired) return;
    this.#apply({ type: "died" });
    this.#serveHeld();
    this.#wakeLater();
  }

  /** Requests came while nothing could serve them. */
  #serveHeld(): void {
    if (this.#held.size > 0 && !this.#closed) this.#apply({ type: "wanted" });
  }

  #onTraffic(): void {
    if (this.#state.phase === "draining") for (const watcher of [...this.#watchers]) watcher();
  }

  /** Waits for requests under way, but not for ever, and less for answers without an end. */
  async #drain(live: Live): Promise<void> {
    const streamMs = Math.min(limits.streamDrainMs, this.#drainMs);
    const gone = () => this.#live !== live;
    await this.#until(() => gone() || live.traffic.inFlight === 0, streamMs);
    await this.#until(() => gone() || live.traffic.finite === 0, this.#drainMs - streamMs);
    if (this.#state.phase === "draining") this.#apply({ type: "drained" });
  }

  async #end(live: Live): Promise<void> {
    await live.end(limits.terminateMs);
    if (this.#live === live) this.#live = null;
    if (this.#state.after === "sleep") await this.#setAlarm();
    this.#apply({ type: "ended" });
  }

  /** Sees to it that an alarm is not forgotten while nothing runs. */
  #wakeLater(): void {
    void this.#change(() => this.#setAlarm()).catch(() => {});
  }

  async #setAlarm(): Promise<void> {
    if (this.#closed || this.#live !== null || !this.key.endsWith("/actors")) return;
    try {
      const dueMs = await firstAlarmMs(this.storageDir);
      if (this.#closed || this.#live !== null) return;
      const earliestMs = this.#state.phase === "failing" ? this.#state.retryAtMs : 0;
      this.#context.setAlarm(
        this.key,
        dueMs === null ? null : Math.max(dueMs, earliestMs, this.#quietUntilMs),
      );
    } catch (error) {
      this.#context.log.error({ err: error, program: this.key }, "the program's alarms can't be read");
    }
  }

  /** Resolves when `done` holds, or after `limitMs`. */
  #until(done: () => boolean, limitMs?: number): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        resolve();
      };
      const watcher = () => {
        if (done()) finish();
      };
      const timer = limitMs === undefined ? undefined : setTimeout(finish, Math.max(0, limitMs));
      this.#watchers.add(watcher);
    });
  }
}
