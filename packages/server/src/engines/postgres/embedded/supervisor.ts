import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "./limits.ts";
import type { Log } from "./log.ts";
import { isRunning } from "./process.ts";
import { nextRestartState, type RestartState, restartPauseMs } from "./restart.ts";
import type { Server } from "./server.ts";

export interface SupervisorOptions {
  /** Gives a server that answers; rejects when it cannot, or when the signal is aborted. */
  readonly ensure: (signal: AbortSignal) => Promise<Server>;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Watches the server and brings it back when it dies, until `end` is called. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #listeners = new Set<() => void>();
  readonly #ending = new AbortController();
  #server: Server;
  #state: RestartState;
  #recovery: Promise<void> | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(server: Server, options: SupervisorOptions) {
    this.#options = options;
    this.#server = server;
    this.#state = { failures: 0, readySinceMs: options.now() };
    this.#observe();
  }

  /** The server as it is now, or was when it was last seen. */
  get server(): Server {
    return this.#server;
  }

  /** `listener` is called after every restart, once the server answers again. */
  onRestart(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Ends the supervision; a restart under way is broken off and waited for. */
  async end(): Promise<void> {
    this.#ending.abort();
    clearInterval(this.#watch);
    await this.#recovery;
  }

  #observe(): void {
    const { child, pid } = this.#server;
    if (child) {
      if (child.exitCode !== null || child.signalCode !== null) this.#onDeath();
      else child.once("exit", () => this.#onDeath());
      return;
    }
    this.#watch = setInterval(() => {
      if (isRunning(pid)) return;
      clearInterval(this.#watch);
      this.#onDeath();
    }, limits.watchMs).unref();
  }

  #onDeath(): void {
    if (this.#ending.signal.aborted) return;
    this.#options.log("warn", "PostgreSQL died; restarting it", { pid: this.#server.pid });
    this.#advance("died");
    this.#recovery = this.#recover();
  }

  async #recover(): Promise<void> {
    const { signal } = this.#ending;
    const { ensure, log, now } = this.#options;
    const begun = now();
    for (;;) {
      try {
        await sleep(restartPauseMs(this.#state), undefined, { signal });
        this.#server = await ensure(signal);
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.#advance("restart failed");
        log("error", "PostgreSQL could not be restarted; trying again", {
          error: String(error),
          pauseMs: restartPauseMs(this.#state),
        });
      }
    }
    this.#advance("ready");
    log("info", "PostgreSQL is back", { pid: this.#server.pid, durationMs: Math.round(now() - begun) });
    this.#observe();
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#options.log("error", "a listener for restarts failed", { error: String(error) });
      }
    }
  }

  #advance(event: "died" | "restart failed" | "ready"): void {
    this.#state = nextRestartState(this.#state, event, this.#options.now());
  }
}
