import type { Log } from "../../../kernel/log.ts";
import { fitting, pack, readBatch, standing, writeBatch } from "./batch.ts";
import { limits } from "./limits.ts";
import { type Later, type LogPort, type NodeBus, realLater } from "./types.ts";

/** The prefix of the bus's messages in the log. */
export const BUS_PREFIX = "ambit.bus";

type Change = { joined?: string; left?: string };

export interface BusPorts {
  readonly reader: LogPort;
  readonly log: Pick<Log, "warn" | "error">;
  /** Counts what was refused, by the limit's name in the metrics. */
  onLimit(limit: string): void;
  readonly later?: Later;
}

/**
 * The bus between nodes. What is published is gathered for `limits.busMs`, written into the log as one message, and
 * read by the others from there, so that it comes in one order and needs no connection between nodes. A write that
 * failed is repeated under the same number: it may stand in the log twice and is taken once.
 */
export class Bus implements NodeBus {
  readonly nodeId: string;
  readonly #ports: BusPorts;
  readonly #later: Later;
  readonly #others = new Set<string>();
  /** Number of the last batch taken from each node. */
  readonly #taken = new Map<string, number>();
  readonly #topics = new Map<string, (body: unknown, fromNode: string) => void>();
  readonly #nodeListeners: ((change: Change) => void)[] = [];
  readonly #lostListeners: ((fromNode: string | null) => void)[] = [];
  #waiting: string[] = [];
  #sizes: number[] = [];
  #waitingBytes = 0;
  #next = 0;
  #timer: { cancel(): void } | null = null;
  #writing = false;
  #closed = false;

  constructor(ports: BusPorts) {
    this.#ports = ports;
    this.#later = ports.later ?? realLater;
    this.nodeId = ports.reader.nodeId;
    for (const node of ports.reader.nodes.others()) this.#others.add(node);
    ports.reader.onMessage(BUS_PREFIX, (content) => this.#receive(content));
    ports.reader.nodes.onNodes((change) => this.#changed(change));
    ports.reader.onGap(() => this.#lost(null));
  }

  get others(): ReadonlySet<string> {
    return this.#others;
  }

  publish(topic: string, body: unknown): boolean {
    if (this.#others.size === 0 || this.#closed) return true;
    const message = pack(topic, body);
    const bytes = Buffer.byteLength(message) + 1;
    // One that the log would not take could never be got rid of.
    if (bytes > limits.busMessageBytes || this.#waitingBytes + bytes > limits.busWaitingBytes) {
      this.#ports.onLimit("realtime_bus_waiting_bytes");
      return false;
    }
    this.#waiting.push(message);
    this.#sizes.push(bytes);
    this.#waitingBytes += bytes;
    this.#arm(limits.busMs);
    return true;
  }

  subscribe(topic: string, listener: (body: unknown, fromNode: string) => void): void {
    this.#topics.set(topic, listener);
  }

  onNodes(listener: (change: Change) => void): void {
    this.#nodeListeners.push(listener);
  }

  onLost(listener: (fromNode: string | null) => void): void {
    this.#lostListeners.push(listener);
  }

  /** Gives up what still waits. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#clear();
  }

  #arm(ms: number): void {
    if (this.#timer !== null || this.#writing || this.#closed) return;
    this.#timer = this.#later(ms, () => {
      this.#timer = null;
      this.#writing = true;
      this.#write()
        .catch((error) =>
          this.#ports.log.error({ err: error }, "realtime: writing to the other nodes failed"),
        )
        .finally(() => {
          this.#writing = false;
          if (this.#waiting.length > 0) this.#arm(limits.busMs);
        });
    });
  }

  /** Writes all that waits, one batch after the other. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const count = fitting(this.#sizes, limits.busBatchBytes);
      const messages = this.#waiting.splice(0, count);
      const bytes = this.#sizes.splice(0, count).reduce((sum, size) => sum + size, 0);
      this.#waitingBytes -= bytes;
      await this.#writeOne(writeBatch(this.nodeId, this.#next++, messages));
    }
  }

  async #writeOne(content: string): Promise<void> {
    let pauseMs: number = limits.busRetryMs;
    while (!this.#closed && this.#others.size > 0) {
      try {
        await this.#ports.reader.emit(BUS_PREFIX, content);
        return;
      } catch (error) {
        this.#ports.log.warn({ err: error }, "realtime: the other nodes could not be told; trying again");
      }
      await new Promise<void>((resolve) => void this.#later(pauseMs, resolve));
      pauseMs = Math.min(pauseMs * 2, limits.busRetryMaxMs);
    }
  }

  #receive(content: string): void {
    const batch = readBatch(content);
    // Of a node that is not known to live nothing is taken: it is asked for everything once it is.
    if (batch === null || !this.#others.has(batch.node)) return;
    const { node, number } = batch;
    const place = standing(this.#taken.get(node), number);
    if (place === "again") return;
    this.#taken.set(node, number);
    if (place === "gap") this.#lost(node);
    for (const [topic, body] of batch.messages) this.#safely(() => this.#topics.get(topic)?.(body, node));
  }

  #changed({ joined, left }: Change): void {
    if (left !== undefined && this.#others.delete(left)) {
      this.#taken.delete(left);
      if (this.#others.size === 0) this.#clear();
      for (const listener of this.#nodeListeners) this.#safely(() => listener({ left }));
    }
    if (joined !== undefined && joined !== this.nodeId) {
      this.#others.add(joined);
      for (const listener of this.#nodeListeners) this.#safely(() => listener({ joined }));
    }
  }

  #lost(node: string | null): void {
    for (const listener of this.#lostListeners) this.#safely(() => listener(node));
  }

  #clear(): void {
    this.#waiting = [];
    this.#sizes = [];
    this.#waitingBytes = 0;
  }

  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#ports.log.error({ err: error }, "realtime: a message of another node could not be taken");
    }
  }
}
