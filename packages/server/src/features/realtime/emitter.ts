import type { Queryable } from "../../engines/postgres/database.ts";
import { parseLsn } from "../../engines/postgres/replication/lsn.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { realtimeErrors } from "./errors.ts";
import { limits } from "./limits.ts";

interface Waiting {
  readonly prefix: string;
  readonly content: string;
  resolve(lsn: bigint): void;
  reject(error: unknown): void;
}

/** Writes messages into the log in the order they are given, those that come meanwhile together and flushed once. */
export class Emitter {
  readonly #db: Queryable;
  readonly #metrics: Pick<Metrics, "limitsHit">;
  #waiting: Waiting[] = [];
  #chars = 0;
  #writing = false;

  constructor(db: Queryable, metrics: Pick<Metrics, "limitsHit">) {
    this.#db = db;
    this.#metrics = metrics;
  }

  /**
   * Writes one message outside of any transaction and resolves, once it is safe on disk, to the position behind it.
   * Whether it was written is not known when it rejects with a database error. Throws REALTIME_MESSAGES_FULL.
   */
  emit(prefix: string, content: string): Promise<bigint> {
    const { messageChars, messagesWaitingChars } = limits;
    if (content.length > messageChars || this.#chars + content.length > messagesWaitingChars) {
      this.#metrics.limitsHit.inc({ limit: "realtime_messages" });
      return Promise.reject(realtimeErrors.REALTIME_MESSAGES_FULL());
    }
    this.#chars += content.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ prefix, content, resolve, reject });
      if (!this.#writing) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, limits.messagesAtOnce);
      try {
        const lsns = await emitAll(this.#db, batch);
        for (const [i, { resolve }] of batch.entries()) resolve(lsns[i]!);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      for (const { content } of batch) this.#chars -= content.length;
    }
    this.#writing = false;
  }
}

/** One statement; the last message is flushed, and with it those before. */
async function emitAll(db: Queryable, batch: readonly Waiting[]): Promise<bigint[]> {
  const rows = await db.query<{ lsn: string }>(
    `select pg_logical_emit_message(false, prefix, content, n = $3)::text as lsn
     from unnest($1::text[], $2::text[]) with ordinality as m (prefix, content, n) order by n`,
    [batch.map(({ prefix }) => prefix), batch.map(({ content }) => content), batch.length],
  );
  return rows.map(({ lsn }) => parseLsn(lsn));
}
