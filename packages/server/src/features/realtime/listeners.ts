import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import type { Log } from "../../kernel/log.ts";

type Listener = (content: string) => void;

/** Those who listen for messages in the log, by prefix. One that fails does not disturb the others. */
export class Listeners {
  readonly #log: Log;
  readonly #byPrefix = new Map<string, Listener[]>();

  constructor(log: Log) {
    this.#log = log;
  }

  add(prefix: string, listener: Listener): void {
    const known = this.#byPrefix.get(prefix);
    if (known === undefined) this.#byPrefix.set(prefix, [listener]);
    else known.push(listener);
  }

  accept({ events }: Transaction): void {
    if (this.#byPrefix.size === 0) return;
    for (const event of events) {
      if (event.kind !== "message") continue;
      const listeners = this.#byPrefix.get(event.prefix);
      if (listeners === undefined) continue;
      const content = event.content.toString();
      for (const listener of listeners) {
        try {
          listener(content);
        } catch (error) {
          this.#log.error({ err: error }, "realtime: a listener for messages failed");
        }
      }
    }
  }
}
