import { laterLsn } from "./lsn.ts";
import type { StreamEvent, Transaction } from "./transactions.ts";
import type { LogWindow } from "./window-types.ts";

export interface WindowOptions {
  /** Memory it may hold, by its own count; see `sizeOf`. */
  readonly maxBytes: number;
  /** How long a transaction stays after its commit, in milliseconds. */
  readonly maxAgeMs: number;
  /** What changes of a schema are kept under: itself, or null if they are not kept. */
  keepSchema(schema: string): boolean;
  /** The schema a message belongs to; null if it is not kept. */
  schemaOf(message: StreamEvent & { kind: "message" }): string | null;
}

interface Entry {
  readonly transaction: Transaction;
  readonly bytes: number;
  readonly lists: readonly SchemaList[];
}

/** The transactions of one schema, oldest first; the first `head` places are empty. */
interface SchemaList {
  readonly schema: string;
  items: (Transaction | undefined)[];
  head: number;
}

/** A queue as an array with its head moving on; cut when half of it is empty, so that each step costs the same. */
const CUT_AT = 1_024;

/** The last transactions read, by schema, bounded in bytes and age. */
export class LogRing implements LogWindow {
  readonly #options: WindowOptions;
  readonly #lists = new Map<string, SchemaList>();
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #from: bigint | null = null;
  #to = 0n;
  #epoch = "";

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  get from(): bigint | null {
    return this.#from;
  }

  get to(): bigint {
    return this.#to;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Bytes held, by count. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Transactions and parts held. */
  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** When the oldest transaction held was committed; null while there is none. */
  get oldest(): Date | null {
    return this.#entries[this.#head]?.transaction.commitTime ?? null;
  }

  /** Forgets everything and begins again at `from`; null while it is not known where. */
  reset(from: bigint | null, epoch: string = this.#epoch): void {
    this.#lists.clear();
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#from = from;
    this.#to = from ?? 0n;
    this.#epoch = epoch;
  }

  /** Everything that committed before `lsn` has been pushed. */
  passed(lsn: bigint): void {
    this.#to = laterLsn(this.#to, lsn);
  }

  /** Takes the next transaction or part. It must not be changed afterwards. */
  push(transaction: Transaction, nowMs: number): void {
    this.passed(transaction.endLsn);
    const lists = this.#listsOf(transaction);
    if (lists.length > 0) {
      const bytes = sizeOf(transaction) + lists.length * 8;
      for (const list of lists) list.items.push(transaction);
      this.#entries.push({ transaction, bytes, lists });
      this.#bytes += bytes;
    }
    this.expire(nowMs);
  }

  /** Drops what is too old or too much. */
  expire(nowMs: number): void {
    const { maxBytes, maxAgeMs } = this.#options;
    for (let first = this.#entries[this.#head]; first !== undefined; first = this.#entries[this.#head]) {
      const old = first.transaction.commitTime.getTime() < nowMs - maxAgeMs;
      if (!old && this.#bytes <= maxBytes) break;
      this.#dropFirst(first);
    }
    if (this.#head > CUT_AT && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  since(schema: string, after: bigint): readonly Transaction[] | null {
    if (this.#from === null || after < this.#from) return null;
    const list = this.#lists.get(schema);
    if (list === undefined) return [];
    let low = list.head;
    for (let high = list.items.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (list.items[middle]!.commitLsn < after) low = middle + 1;
      else high = middle;
    }
    return list.items.slice(low) as Transaction[];
  }

  #dropFirst({ transaction, bytes, lists }: Entry): void {
    this.#entries[this.#head++] = undefined;
    this.#bytes -= bytes;
    // Of a transaction that is gone in part, nothing can be promised.
    this.#from = laterLsn(this.#from ?? 0n, laterLsn(transaction.commitLsn + 1n, transaction.endLsn));
    for (const list of lists) {
      list.items[list.head++] = undefined;
      if (list.head === list.items.length) this.#lists.delete(list.schema);
      else if (list.head > CUT_AT && list.head * 2 > list.items.length) {
        list.items = list.items.slice(list.head);
        list.head = 0;
      }
    }
  }

  #listsOf({ events }: Transaction): SchemaList[] {
    const lists: SchemaList[] = [];
    let last = "";
    for (const event of events) {
      for (const schema of schemasOf(event, this.#options)) {
        if (schema === last) continue;
        last = schema;
        let list = this.#lists.get(schema);
        if (list === undefined) {
          list = { schema, items: [], head: 0 };
          this.#lists.set(schema, list);
        }
        if (!lists.includes(list)) lists.push(list);
      }
    }
    return lists;
  }
}

const NONE: readonly string[] = [];

function schemasOf(event: StreamEvent, { keepSchema, schemaOf }: WindowOptions): readonly string[] {
  if (event.kind === "message") {
    const schema = schemaOf(event);
    return schema === null ? NONE : [schema];
  }
  if (event.kind === "truncate") return event.relations.map(({ schema }) => schema).filter(keepSchema);
  return keepSchema(event.relation.schema) ? [event.relation.schema] : NONE;
}

/** What V8 takes, in bytes, with pointers of 8: measured against the heap in window.test.ts. */
const TRANSACTION_BYTES = 400;
const EVENT_BYTES = 72;
const ROW_BYTES = 32;
/** A place in the row's array and the string's header, rounding included. */
const VALUE_BYTES = 28;

/**
 * About how many bytes of memory a transaction takes. Text is counted as one byte a character, as it is unless it goes
 * beyond Latin 1.
 */
export function sizeOf({ events }: Transaction): number {
  let bytes = TRANSACTION_BYTES + events.length * EVENT_BYTES;
  for (const event of events) {
    if (event.kind === "message") bytes += event.content.length + 120;
    else if (event.kind !== "truncate") {
      if (event.kind !== "delete") bytes += rowBytes(event.new);
      if (event.kind !== "insert" && event.old !== null) bytes += rowBytes(event.old);
    }
  }
  return bytes;
}

function rowBytes(row: readonly unknown[]): number {
  let bytes = ROW_BYTES + row.length * 8;
  for (const value of row) if (typeof value === "string") bytes += VALUE_BYTES - 8 + value.length;
  return bytes;
}
