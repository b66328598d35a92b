import type { Assembled } from "./assembler.ts";
import { Fifo } from "./fifo.ts";
import { limits } from "./limits.ts";
import { laterLsn } from "./lsn.ts";
import type { Progress, Transaction } from "./transactions.ts";

type SizeLimits = Readonly<Record<"queueBytes" | "queueParts", number>>;

export interface DeliveryOptions {
  /** Where the handler stands before the first delivery. */
  from: bigint;
  /** What of the transaction after `from` it has had. */
  within?: Progress["partial"];
  handler(transaction: Transaction): Promise<void> | void;
  sizes?: SizeLimits;
}

/** What the source of the deliveries is told. */
export interface DeliverySource {
  /** The handler threw. What waited is dropped, and nothing more is taken until `start`. */
  onFailure(error: unknown): void;
  /** Too much waits for the handler (true), or little enough again (false). */
  onPressure(high: boolean): void;
}

/** A part for the handler, or (without one) the knowledge that all before `lsn` has been sent. */
type Item = Assembled | { lsn: bigint; transaction?: undefined; bytes: 0 };

/** Hands transactions to the handler one at a time and in order, and knows how far it has come. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #sizes: SizeLimits;
  readonly #queue = new Fifo<Item>();
  #bytes = 0;
  #running: Promise<void> = Promise.resolve();
  #busy = false;
  #source: DeliverySource | null = null;
  #handled = 0;
  #high = false;
  #progress: Progress;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#sizes = options.sizes ?? limits;
    this.#progress = { lsn: options.from, partial: options.within ?? null };
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** Queues one part. A handler that returns no promise has run before this returns, if nothing waited. */
  push(assembled: Assembled): void {
    this.#put(assembled);
  }

  /** Every transaction that committed before `lsn` has been pushed, and none is half pushed. */
  passed(lsn: bigint): void {
    this.#put({ lsn, bytes: 0 });
  }

  /** Resolves when nothing waits and the handler is at rest, or has failed. */
  async idle(): Promise<void> {
    while (this.#busy) await this.#running;
  }

  /** How many parts the handler has finished with. */
  get handled(): number {
    return this.#handled;
  }

  /** Takes deliveries from `source`: the first must be the next after `progress`, or after `from` if that is later. */
  start(from: bigint, source: DeliverySource): void {
    this.#source = source;
    this.#moveTo(from);
  }

  /** Forgets what waits and takes no more; a delivery under way is still finished and counted. */
  halt(): void {
    this.#queue.clear();
    this.#bytes = 0;
    this.#weigh();
    this.#source = null;
  }

  #put(item: Item): void {
    if (!this.#source) return;
    this.#queue.push(item);
    this.#bytes += item.bytes;
    if (this.#busy) this.#weigh();
    else this.#running = this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    try {
      for (let item = this.#queue.shift(); item; item = this.#queue.shift()) {
        this.#bytes -= item.bytes;
        if (this.#high) this.#weigh();
        const { transaction } = item;
        if (transaction) {
          const pending = isEmpty(transaction) ? undefined : this.#options.handler(transaction);
          if (pending) await pending;
          this.#progress = after(transaction, this.#progress.lsn);
          this.#handled += 1;
        } else {
          this.#moveTo(item.lsn);
        }
      }
    } catch (error) {
      const source = this.#source;
      this.halt();
      source?.onFailure(error);
    } finally {
      this.#busy = false;
    }
  }

  #moveTo(lsn: bigint): void {
    this.#progress = { ...this.#progress, lsn: laterLsn(this.#progress.lsn, lsn) };
  }

  #weigh(): void {
    const { queueBytes, queueParts } = this.#sizes;
    const high = this.#high
      ? this.#bytes > queueBytes / 2 || this.#queue.length > queueParts / 2
      : this.#bytes > queueBytes || this.#queue.length > queueParts;
    if (high === this.#high) return;
    this.#high = high;
    this.#source?.onPressure(high);
  }
}

/** Servers before version 15 also send transactions that touched no published table. */
function isEmpty(transaction: Transaction): boolean {
  return transaction.events.length === 0 && transaction.part === 0;
}

function after(
  { commitLsn, endLsn, part, firstEvent, events, final }: Transaction,
  before: bigint,
): Progress {
  if (final) return { lsn: endLsn, partial: null };
  return { lsn: before, partial: { commitLsn, parts: part + 1, events: firstEvent + events.length } };
}
