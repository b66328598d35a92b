import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";
import { Settling } from "./settling.ts";

export interface MenderPorts {
  mend(appId: string): Promise<void>;
  /** The text of `pg_current_snapshot()`. */
  snapshot(): Promise<string>;
  readonly log: Log;
}

/** Mends apps after changes of their schema: one run per app at a time, again if asked meanwhile, until it succeeds. */
export class Mender {
  readonly #ports: MenderPorts;
  readonly #asked = new Map<string, Settling>();
  readonly #running = new Set<string>();
  #closed = false;

  constructor(ports: MenderPorts) {
    this.#ports = ports;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** `xid` is the transaction that made it necessary, as the log has it; 0 for none. */
  ask(appId: string, xid: number): void {
    const settling = this.#asked.get(appId) ?? new Settling();
    settling.add(xid);
    this.#asked.set(appId, settling);
    if (!this.#running.has(appId)) void this.#run(appId);
  }

  close(): void {
    this.#closed = true;
  }

  async #run(appId: string): Promise<void> {
    this.#running.add(appId);
    for (let asked = this.#take(appId); asked !== undefined; asked = this.#take(appId)) {
      try {
        await asked.settle(this.#ports.snapshot, this);
        await this.#ports.mend(appId);
      } catch (error) {
        if (this.#closed) break;
        this.#ports.log.warn({ err: error, app: appId }, "realtime: tables could not be brought up to date");
        this.#asked.set(appId, asked);
        await sleep(limits.mendAgainMs, undefined, { ref: false });
      }
    }
    this.#running.delete(appId);
  }

  #take(appId: string): Settling | undefined {
    const asked = this.#closed ? undefined : this.#asked.get(appId);
    this.#asked.delete(appId);
    return asked;
  }
}
