import type { Frame } from "../frames.ts";
import type { Viewer } from "../subscriptions.ts";

/** A connection as rooms see it. */
export interface RoomClient {
  readonly appId: string;
  /** Unique among all connections of all nodes. */
  readonly clientId: string;
  /** Read anew each time: a fresh token may bring other claims. */
  readonly viewer: Viewer;
  send(frames: readonly Frame[]): void;
}

/** Messages between nodes: to all others, in the order each sent them, each at most once, within some milliseconds. */
export interface NodeBus {
  /** Names this node to the others. */
  readonly nodeId: string;
  /** The other nodes that live. */
  readonly others: ReadonlySet<string>;
  /** Tells the other nodes; costs nothing while there are none. Never waits; false: too much waits, and this was not taken. */
  publish(topic: string, body: unknown): boolean;
  subscribe(topic: string, listener: (body: unknown, fromNode: string) => void): void;
  /** Another node came, or is gone with everything that was on it. */
  onNodes(listener: NodeListener): void;
  /** Messages of that node were lost (with null: may have been, of every node) before the next that comes from it. */
  onLost(listener: (fromNode: string | null) => void): void;
}

type NodeListener = (change: { joined?: string; left?: string }) => void;

/** What the bus needs of this node's reader of the log. */
export interface LogPort {
  /** Names this run of the process, for as long as it runs. */
  readonly nodeId: string;
  /** Writes a message into the log, outside of any transaction and flushed; resolves when it stands there. */
  emit(prefix: string, content: string): Promise<unknown>;
  /** Every message of that prefix in the log's order, this node's own among them. */
  onMessage(prefix: string, listener: (content: string) => void): void;
  /** The other nodes that live. */
  readonly nodes: { others(): Iterable<string>; onNodes(listener: NodeListener): void };
  /** Messages may be missing between the last one and the next. */
  onGap(listener: () => void): void;
}

/** Runs `work` once after so many milliseconds, unless cancelled. */
export type Later = (ms: number, work: () => void) => { cancel(): void };

/** With the clock of the process; keeps no process alive. */
export const realLater: Later = (ms, work) => {
  const timer = setTimeout(work, ms).unref();
  return { cancel: () => clearTimeout(timer) };
};

/** What a rule is about: taking part as one who hears and sees, or saying and showing something. */
export type Action = "receive" | "send";
