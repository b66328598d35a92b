import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import type { Log } from "../../kernel/log.ts";

/** Another reader of this node's log, of tables in publications of its own. */
export interface LogFollower {
  readonly publications: readonly string[];
  /** Makes the publications where they are missing. Idempotent; two nodes may do it at once. */
  prepare(): Promise<void>;
  /**
   * Takes each committed transaction, or part of one, in commit order and once; with it come the changes of everybody
   * else's tables, to be passed over. Must not wait.
   */
  onTransaction(transaction: Transaction): void;
  /** Changes were lost between the last transaction and the next, also of this follower's tables. */
  onGap(): void;
}

/** Those who read along. One that fails has missed something: it is told so, and the others go on. */
export class Followers {
  readonly #log: Log;
  readonly #followers: LogFollower[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(follower: LogFollower): void {
    this.#followers.push(follower);
  }

  get publications(): string[] {
    return this.#followers.flatMap((follower) => follower.publications);
  }

  async prepare(): Promise<void> {
    for (const follower of this.#followers) await follower.prepare();
  }

  accept(transaction: Transaction): void {
    for (const follower of this.#followers) {
      try {
        follower.onTransaction(transaction);
      } catch (error) {
        this.#log.error({ err: error }, "a reader of the log failed");
        follower.onGap();
      }
    }
  }

  gap(): void {
    for (const follower of this.#followers) follower.onGap();
  }
}
