import { Bus } from "../bus.ts";
import type { Later, LogPort } from "../types.ts";

const quiet = { warn: () => {}, error: () => {} };

type Change = { joined?: string; left?: string };

/** A log in memory that several nodes write and read, each as slowly as it is told, and a clock that is moved by hand. */
export class Cluster {
  readonly log: { readonly prefix: string; readonly content: string }[] = [];
  readonly nodes = new Map<string, SimNode>();
  nowMs = 0;
  #timers: { atMs: number; order: number; work: () => void; node: SimNode }[] = [];
  #order = 0;

  /** A node that reads from here on; nobody is told of it yet. */
  start(id: string): SimNode {
    const node = new SimNode(this, id);
    this.nodes.set(id, node);
    return node;
  }

  laterOn =
    (node: SimNode): Later =>
    (ms, work) => {
      const timer = { atMs: this.nowMs + ms, order: this.#order++, work, node };
      this.#timers.push(timer);
      const cancel = () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      };
      return { cancel };
    };

  /** Lets time pass, with everything that was to be done in it. */
  async pass(ms: number): Promise<void> {
    const until = this.nowMs + ms;
    for (;;) {
      const [next] = this.#timers
        .filter(({ atMs, node }) => atMs <= until && node.alive)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.work();
      await settled();
    }
    this.nowMs = until;
    await settled();
  }

  /**
   * Every node that lives learns which others live, so far as it does not know; then everything is read and said that
   * is left to be. Each says something, as a loss that only the numbers tell shows with the next message.
   */
  async settle(): Promise<void> {
    const alive = [...this.nodes.values()].filter((node) => node.alive);
    for (const node of alive) {
      node.failures = [];
      for (const other of this.nodes.values()) {
        if (other === node || other.alive === node.bus.others.has(other.id)) continue;
        node.hear(other.alive ? { joined: other.id } : { left: other.id });
      }
    }
    for (const node of alive) {
      await this.pass(700);
      for (const each of alive) each.read(Number.POSITIVE_INFINITY);
      node.bus.publish("noise", 0);
    }
    for (let round = 0; round < 40; round++) {
      await this.pass(700);
      for (const node of alive) node.read(Number.POSITIVE_INFINITY);
    }
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What an attempt to write comes to: it fails, or it fails although the message stands in the log. */
export type Failure = "not_written" | "written";

export class SimNode {
  readonly id: string;
  readonly bus: Bus;
  readonly later: Later;
  readonly limitsHit: string[] = [];
  alive = true;
  failures: Failure[] = [];
  readonly #cluster: Cluster;
  #position: number;
  #message: (content: string) => void = () => {};
  #change: (change: Change) => void = () => {};
  #gap: () => void = () => {};

  constructor(cluster: Cluster, id: string) {
    this.id = id;
    this.#cluster = cluster;
    this.#position = cluster.log.length;
    this.later = cluster.laterOn(this);
    const reader: LogPort = {
      nodeId: id,
      emit: async (prefix, content) => {
        const failure = this.failures.shift();
        if (failure !== "not_written") cluster.log.push({ prefix, content });
        if (failure !== undefined) throw new Error("lost");
      },
      onMessage: (_prefix, listener) => {
        this.#message = listener;
      },
      nodes: {
        others: () => [],
        onNodes: (listener) => {
          this.#change = listener;
        },
      },
      onGap: (listener) => {
        this.#gap = listener;
      },
    };
    this.bus = new Bus({
      reader,
      log: quiet,
      onLimit: (limit) => void this.limitsHit.push(limit),
      later: this.later,
    });
  }

  hear(change: Change): void {
    if (this.alive) this.#change(change);
  }

  read(count: number): void {
    if (!this.alive) return;
    for (let n = 0; n < count && this.#position < this.#cluster.log.length; n++) {
      this.#message(this.#cluster.log[this.#position++]!.content);
    }
  }

  /** Misses the next messages; with `told` the reader notices by itself, otherwise only by their numbers. */
  lose(count: number, told: boolean): void {
    this.#position = Math.min(this.#position + count, this.#cluster.log.length);
    if (told && this.alive) this.#gap();
  }

  kill(): void {
    this.alive = false;
    this.bus.close();
  }
}
