import { limits } from "../limits.ts";
import type { ThreadTime } from "../process/index.ts";
import type { Live } from "./live.ts";
import { judge } from "./watch.ts";

interface Watched {
  readonly live: Live;
  /** Ticks since an unanswered question was sent. */
  silentTicks: number;
  asking: boolean;
  atQuestion: ThreadTime | null;
  askedAtMs: number;
  lastBegun: number;
  busyAtMs: number;
  lookedAtTick: number;
  cpuAtLookMs: number;
}

export interface MonitorOptions {
  readonly idleMs: number;
  /** Nobody has used the program for `idleMs`. */
  onIdle(live: Live): void;
}

/** Watches all running processes with one timer, which runs only while there are any. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #watched = new Map<Live, Watched>();
  #timer: NodeJS.Timeout | null = null;
  #tick = 0;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  add(live: Live): void {
    const nowMs = performance.now();
    this.#watched.set(live, {
      live,
      silentTicks: 0,
      asking: false,
      atQuestion: null,
      askedAtMs: 0,
      lastBegun: 0,
      busyAtMs: nowMs,
      lookedAtTick: this.#tick,
      cpuAtLookMs: 0,
    });
    this.#timer ??= setInterval(() => this.#onTick(), limits.healthMs).unref();
  }

  remove(live: Live): void {
    this.#watched.delete(live);
    if (this.#watched.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #onTick(): void {
    this.#tick += 1;
    const nowMs = performance.now();
    for (const watched of [...this.#watched.values()]) this.#look(watched, nowMs);
    if (this.#tick % Math.ceil(limits.cpuReportMs / limits.healthMs) === 0) {
      for (const { live } of this.#watched.values()) live.reportCpu();
    }
  }

  #look(watched: Watched, nowMs: number): void {
    const { live } = watched;
    const { traffic, process } = live;
    const used = traffic.inFlight + traffic.sockets > 0 || traffic.begun !== watched.lastBegun;
    watched.lastBegun = traffic.begun;
    if (used) watched.busyAtMs = nowMs;
    const sinceLook = (this.#tick - watched.lookedAtTick) * limits.healthMs;
    const thorough = sinceLook >= limits.idleLookMs;
    let restless = false;
    if (thorough) {
      const cpuMs = process.cpuMs();
      restless = cpuMs - watched.cpuAtLookMs > limits.idleCpuMs;
      watched.cpuAtLookMs = cpuMs;
      watched.lookedAtTick = this.#tick;
    }
    if (used || restless) this.#ask(watched, nowMs);
    if (used || restless || watched.asking || thorough) this.#judge(watched, nowMs, thorough);
    if (nowMs - watched.busyAtMs >= this.#options.idleMs) {
      watched.busyAtMs = nowMs;
      this.#options.onIdle(live);
    }
  }

  #ask(watched: Watched, nowMs: number): void {
    if (watched.asking) return;
    watched.asking = true;
    watched.silentTicks = 0;
    watched.askedAtMs = nowMs;
    watched.atQuestion = watched.live.process.mainThread();
    const answered = () => {
      watched.asking = false;
    };
    // A process that does not even take a connection ends in a moment, or is judged like one that says nothing.
    watched.live.traffic.health().then(answered, answered);
  }

  #judge(watched: Watched, nowMs: number, thorough: boolean): void {
    const { process, program, maxDescriptors } = watched.live;
    if (watched.asking) watched.silentTicks += 1;
    const silent = watched.asking && watched.silentTicks > 1;
    const death = judge({
      rssBytes: process.rssBytes(),
      memoryBytes: program.memoryBytes,
      descriptors: thorough ? process.descriptors() : 0,
      maxDescriptors,
      silentTicks: silent ? watched.silentTicks - 1 : 0,
      ...(silent ? silence(watched, nowMs) : NO_SILENCE),
    });
    if (death !== null) watched.live.condemn(death);
  }
}

const NO_SILENCE = { silentRanShare: 0, silentWaitedShare: 0, silentSleepsPerS: 0 };

/** What the process has done since it was asked. */
function silence({ live, atQuestion: before, askedAtMs }: Watched, nowMs: number): typeof NO_SILENCE {
  const now = live.process.mainThread();
  if (now === null || before === null) return NO_SILENCE;
  const ms = Math.max(1, nowMs - askedAtMs);
  return {
    silentRanShare: (now.ranMs - before.ranMs) / ms,
    silentWaitedShare: (now.waitedMs - before.waitedMs) / ms,
    silentSleepsPerS: ((now.sleeps - before.sleeps) * 1_000) / ms,
  };
}
