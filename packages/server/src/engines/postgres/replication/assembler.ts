import type { Clock } from "../../../kernel/clock.ts";
import { errors } from "./errors.ts";
import { limits } from "./limits.ts";
import { type Message, type OldRowKind, type Relation, type Row, UNCHANGED } from "./pgoutput.ts";
import type { Progress, StreamEvent, Transaction } from "./transactions.ts";

type SizeLimits = Readonly<Record<"partBytes" | "partEvents", number>>;

interface OpenTransaction extends Omit<Transaction, "endLsn" | "final"> {
  /** Events met so far, delivered before or not. */
  seen: number;
  /** Events the handler has already finished with: replayed by the server, passed over here. */
  skip: number;
  bytes: number;
}

/** What `accept` gives when a part is complete; `bytes` is its size on the wire. */
export interface Assembled {
  transaction: Transaction;
  bytes: number;
}

/**
 * Puts the messages of one connection together into transactions, and leaves out what `progress` says has been
 * handled: the server replays from the last position it saved, which may lie far back.
 */
export class TransactionAssembler {
  readonly #relations = new Map<number, Relation>();
  readonly #progress: Progress;
  readonly #now: Clock;
  readonly #limits: SizeLimits;
  #open: OpenTransaction | null = null;

  constructor(progress: Progress, now: Clock, sizes: SizeLimits = limits) {
    this.#progress = progress;
    this.#now = now;
    this.#limits = sizes;
  }

  /** Between two transactions a keepalive's position says that everything before it has been sent. */
  get insideTransaction(): boolean {
    return this.#open !== null;
  }

  /** Takes the next message, `bytes` long on the wire. Throws REPLICATION_PROTOCOL_ERROR if it is out of place. */
  accept(message: Message, bytes: number): Assembled | null {
    switch (message.type) {
      case "begin":
        return this.#begin(message);
      case "commit":
        return this.#commit(message);
      case "relation":
        this.#relations.set(message.relation.oid, message.relation);
        return null;
      case "message":
        if (this.#open === null) return this.#standalone(message, bytes);
        return this.#add(message, bytes);
      case "type":
      case "origin":
        return null;
      default:
        return this.#add(message, bytes);
    }
  }

  #begin({ commitLsn, commitTime, xid }: Message & { type: "begin" }): null {
    if (this.#open !== null) throw outOfPlace("begin inside a transaction");
    const { lsn, partial } = this.#progress;
    const resumed = partial?.commitLsn === commitLsn ? partial : { parts: 0, events: 0 };
    const skip = commitLsn < lsn ? Number.POSITIVE_INFINITY : resumed.events;
    const open = { commitLsn, commitTime, xid, events: [], part: resumed.parts, firstEvent: resumed.events };
    this.#open = { ...open, seen: 0, skip, bytes: 0 };
    return null;
  }

  #commit({ endLsn }: Message & { type: "commit" }): Assembled | null {
    const open = this.#open;
    if (open === null) throw outOfPlace("commit outside of a transaction");
    this.#open = null;
    return open.skip === Number.POSITIVE_INFINITY ? null : part(open, endLsn, true);
  }

  #add(message: Message, bytes: number): Assembled | null {
    const open = this.#open;
    if (open === null) throw outOfPlace(`${message.type} outside of a transaction`);
    if (open.seen++ < open.skip) return null;
    open.events.push(this.#event(message));
    open.bytes += bytes;
    if (open.bytes < this.#limits.partBytes && open.events.length < this.#limits.partEvents) return null;
    const assembled = part(open, open.commitLsn, false);
    open.part += 1;
    open.firstEvent += open.events.length;
    open.events = [];
    open.bytes = 0;
    return assembled;
  }

  /** A non-transactional message carries the end of its own record; the byte before it lies inside the record. */
  #standalone(message: Message & { type: "message" }, bytes: number): Assembled | null {
    if (message.lsn <= this.#progress.lsn) return null;
    const commitTime = new Date(this.#now());
    const place = { commitLsn: message.lsn - 1n, endLsn: message.lsn, commitTime, xid: 0 };
    const transaction = { ...place, events: [this.#event(message)], part: 0, firstEvent: 0, final: true };
    return { transaction, bytes };
  }

  #event(message: Message): StreamEvent {
    switch (message.type) {
      case "insert":
        return { kind: "insert", relation: this.#relation(message.relationOid), new: message.new };
      case "update": {
        const relation = this.#relation(message.relationOid);
        if (message.oldKind === "full" && message.old) complete(message.new, message.old);
        return {
          kind: "update",
          relation,
          old: oldRow(relation, message.old, message.oldKind),
          new: message.new,
        };
      }
      case "delete": {
        const relation = this.#relation(message.relationOid);
        return { kind: "delete", relation, old: oldRow(relation, message.old, message.oldKind) };
      }
      case "truncate":
        return { kind: "truncate", relations: message.relationOids.map((oid) => this.#relation(oid)) };
      case "message":
        return {
          kind: "message",
          prefix: message.prefix,
          content: message.content,
          transactional: message.transactional,
        };
      default:
        throw outOfPlace(message.type);
    }
  }

  #relation(oid: number): Relation {
    const relation = this.#relations.get(oid);
    if (!relation) throw outOfPlace(`a change of relation ${oid}, which was not described`);
    return relation;
  }
}

function part(open: OpenTransaction, endLsn: bigint, final: boolean): Assembled {
  const { commitLsn, commitTime, xid, events, part, firstEvent, bytes } = open;
  return { transaction: { commitLsn, endLsn, commitTime, xid, events, part, firstEvent, final }, bytes };
}

/** With REPLICA IDENTITY FULL the old row carries the large values the statement did not touch. */
function complete(row: Row, old: Row): void {
  for (let i = 0; i < row.length; i++) if (row[i] === UNCHANGED) row[i] = old[i]!;
}

/** A key-only old row arrives with NULL in the columns outside of the key: that is absence, not a value. */
function oldRow<R extends Row | null>(relation: Relation, old: R, kind: OldRowKind | null): R {
  if (old === null || kind === "full") return old;
  for (let i = 0; i < old.length; i++) if (!relation.columns[i]?.isKey) old[i] = UNCHANGED;
  return old;
}

function outOfPlace(what: string) {
  return errors.REPLICATION_PROTOCOL_ERROR({ details: { unexpected: what } });
}
