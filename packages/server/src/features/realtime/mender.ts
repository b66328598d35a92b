import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";

/** Runs one piece of work per app, one at a time, again if it was asked for meanwhile, and until it succeeds. */
export class Mender {
  readonly #mend: (appId: string) => Promise<void>;
  readonly #log: Log;
  readonly #wanted = new Map<string, "once" | "again">();
  readonly #stopping = new AbortController();

  constructor(mend: (appId: string) => Promise<void>, log: Log) {
    this.#mend = mend;
    this.#log = log;
  }

  ask(appId: string): void {
    if (this.#wanted.has(appId)) {
      this.#wanted.set(appId, "again");
      return;
    }
    void this.#run(appId);
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(appId: string): Promise<void> {
    const { signal } = this.#stopping;
    do {
      this.#wanted.set(appId, "once");
      try {
        await this.#mend(appId);
      } catch (error) {
        if (signal.aborted) break;
        this.#log.warn({ err: error, app: appId }, "realtime: tables could not be brought up to date");
        this.#wanted.set(appId, "again");
        await sleep(limits.mendAgainMs, undefined, { signal, ref: false }).catch(() => {});
      }
    } while (this.#wanted.get(appId) === "again" && !signal.aborted);
    this.#wanted.delete(appId);
  }
}
