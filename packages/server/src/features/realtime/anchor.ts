import pg from "pg";
import { cancelStatement } from "../../engines/postgres/cancel-statement.ts";
import type { Database, Queryable } from "../../engines/postgres/database.ts";
import { createSlot } from "../../engines/postgres/replication/slots.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import {
  type AnchorLook,
  advanceAnchor,
  claimTending,
  deleteMarks,
  insertMark,
  lockAnchor,
  lookAt,
  selectMarks,
  setEpoch,
} from "./anchor-store.ts";
import { anchorTarget, type WindowBounds } from "./anchor-target.ts";
import { limits } from "./limits.ts";
import { dropSlot } from "./node-store.ts";

/** The anchor is there, can be copied, and is the one its epoch was given to. */
export const isSound = (look: AnchorLook): boolean =>
  look.epoch !== null && look.walStatus !== null && look.walStatus !== "lost";

/** The one permanent slot of a database: it keeps the log back as far as a client or a node may want to return. */
export class Anchor {
  readonly #database: Database;
  readonly #bounds: WindowBounds;
  readonly #log: Log;
  #making: pg.Client | null = null;
  #stopped = false;
  #tendedTo = 0n;

  constructor(database: Database, bounds: WindowBounds, log: Log) {
    this.#database = database;
    this.#bounds = bounds;
    this.#log = log;
  }

  /**
   * The epoch of a sound anchor; makes it anew, with a new epoch, when it is missing or lost, or when its epoch is
   * `given` up by the caller. Making waits for every transaction that is under way. Any number of nodes may ask.
   */
  async ensure(slot: string, given: string | null = null): Promise<string> {
    const found = await lookAt(this.#database, slot);
    if (isSound(found) && found.epoch !== given) return found.epoch!;
    const client = new pg.Client({
      ...this.#database.target,
      application_name: "ambit anchor",
      connectionTimeoutMillis: limits.slotConnectMs,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      if (this.#stopped) throw new Error("The server is stopping.");
      this.#making = client;
      return await this.#ensureOn(client, slot, given);
    } finally {
      this.#making = null;
      client.end().catch(() => {});
    }
  }

  async #ensureOn(client: pg.Client, slot: string, given: string | null): Promise<string> {
    const db: Queryable = {
      query: async (text, values = []) => (await client.query(text, [...values])).rows as never,
    };
    await lockAnchor(db);
    const look = await lookAt(db, slot);
    if (isSound(look) && look.epoch !== given) return look.epoch!;
    await setEpoch(db, null);
    if (!(await dropSlot(db, slot))) throw new Error(`The slot ${slot} is in use.`);
    await createSlot(client, slot);
    const epoch = newUuid();
    await setEpoch(db, epoch);
    await insertMark(db);
    this.#log.info({ slot, epoch, before: look.walStatus }, "realtime: the window of the log begins here");
    return epoch;
  }

  /**
   * Moves the anchor on, if it is time, there is something to give up, and no other node has just done so. Nothing is
   * written while the database is at rest.
   */
  async tend(slot: string, look: AnchorLook): Promise<void> {
    if (look.confirmedLsn === null) return;
    if (look.end - this.#tendedTo < BigInt(limits.tendWalBytes)) return;
    const everyMs = Math.min(limits.tendMs, this.#bounds.windowMs / 4);
    if (!(await claimTending(this.#database, everyMs))) return;
    this.#tendedTo = look.end;
    await insertMark(this.#database);
    const marks = await selectMarks(this.#database);
    const place = { confirmed: look.confirmedLsn, end: look.end, nowMs: look.now.getTime() };
    const target = anchorTarget(place, marks, this.#bounds);
    if (target === null || !(await advanceAnchor(this.#database, slot, target))) return;
    await deleteMarks(this.#database, target);
  }

  /**
   * Ends what is being made. A slot in the making is cancelled in Postgres: on a connection that is merely cut it would
   * still come to be.
   */
  stop(): void {
    this.#stopped = true;
    if (this.#making !== null) cancelStatement(this.#making);
  }
}
