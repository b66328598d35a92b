import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Database, Queryable } from "../../engines/postgres/database.ts";
import { copySlot } from "../../engines/postgres/replication/slots.ts";
import { limits } from "./limits.ts";
import { announceNode, dropSlot } from "./node-store.ts";

/**
 * A connection of this node's own, made anew when it is lost. What belongs to it goes with it, however the node ends:
 * the lock by which the others know that this node lives, and the slot that keeps its place while it does not read.
 */
export class NodeSession implements Queryable {
  readonly #database: Database;
  readonly #nodeId: string;
  #client: Promise<pg.Client> | null = null;
  #kept: string | null = null;
  #keptCount = 0;
  #since = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(database: Database, nodeId: string) {
    this.#database = database;
    this.#nodeId = nodeId;
  }

  /** The slot that keeps this node's place, if there is one. */
  get kept(): string | null {
    return this.#kept;
  }

  /** When the connection was made, on the clock of `performance.now`. */
  get since(): number {
    return this.#since;
  }

  /** One statement, after those before it. Rejects when the connection can't be made or is lost. */
  async query<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const client = await this.#connected();
    return (await client.query<R & pg.QueryResultRow>(text, [...values])).rows;
  }

  /** Keeps the place of the slot `live`, which is still being read from. */
  async keepPlace(live: string): Promise<void> {
    const before = this.#kept;
    const client = await this.#connected();
    const name = `ambit_kept_${this.#nodeId}_${this.#keptCount++}`;
    await copySlot(client, live, name);
    this.#kept = name;
    if (before !== null) await dropSlot(this, before);
  }

  /** Gives the place up: somebody reads on from it. */
  async givePlaceUp(): Promise<void> {
    const slot = this.#kept;
    this.#kept = null;
    if (slot !== null) await dropSlot(this, slot);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => null);
    await client?.end().catch(() => {});
  }

  #connected(): Promise<pg.Client> {
    if (this.#closed) return Promise.reject(new Error("The server is stopping."));
    if (this.#client !== null) return this.#client;
    const connecting = this.#connect();
    this.#client = connecting;
    connecting.catch(() => {
      if (this.#client === connecting) this.#client = null;
    });
    return connecting;
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      ...this.#database.target,
      application_name: "ambit node",
      connectionTimeoutMillis: limits.slotConnectMs,
      keepAlive: true,
    });
    client.on("error", () => {});
    let ended = false;
    client.once("end", () => {
      ended = true;
    });
    try {
      await client.connect();
      await client.query(SETTINGS);
      await announceNode(
        { query: async (text, values) => (await client.query(text, [...values!])).rows },
        this.#nodeId,
      );
      if (ended) throw new Error("The connection was lost.");
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
    this.#since = performance.now();
    client.once("end", () => {
      this.#client = null;
      this.#kept = null;
      void this.#comeBack();
    });
    return client;
  }

  /** The others are to see this node again as soon as that is possible. */
  async #comeBack(): Promise<void> {
    for (let pauseMs: number = limits.retryMs; !this.#closed && this.#client === null; ) {
      await this.#connected().catch(() => {});
      await sleep(pauseMs, undefined, { ref: false });
      pauseMs = Math.min(pauseMs * 2, limits.retryMaxMs);
    }
  }
}

/** Postgres gives up a node that hangs, or whose machine is gone without a word. */
const SETTINGS = `select set_config('idle_session_timeout', '${limits.sessionSilentMs}ms', false),
  set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
  set_config('tcp_keepalives_count', '3', false)`;
