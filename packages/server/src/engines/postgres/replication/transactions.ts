/** The stream's vocabulary: committed transactions and the events in them. */
import type { Relation, Row } from "./pgoutput.ts";

/**
 * One change. `old` of an update is null when the log carries no old row (replica identity default, key unchanged).
 * An old row that holds only the replica identity has UNCHANGED in every other column.
 */
export type StreamEvent =
  | { kind: "insert"; relation: Relation; new: Row }
  | { kind: "update"; relation: Relation; old: Row | null; new: Row }
  | { kind: "delete"; relation: Relation; old: Row }
  | { kind: "truncate"; relations: Relation[] }
  | { kind: "message"; prefix: string; content: Buffer; transactional: boolean };

/**
 * A committed transaction, or one part of it: a transaction larger than `limits.partBytes` or `limits.partEvents`
 * arrives as several, in order and with nothing between them; the last has `final` set. `(commitLsn, firstEvent + i)`
 * names the event `events[i]` for ever, also across reconnects, restarts and replays.
 *
 * A non-transactional message comes as a transaction of its own, with xid 0 and the time it was read.
 */
export interface Transaction {
  /** Where the commit record starts: unique per transaction, and growing in the order of the stream. */
  commitLsn: bigint;
  /** Where to continue after this: just past the commit; on parts before the last one, `commitLsn` itself. */
  endLsn: bigint;
  commitTime: Date;
  xid: number;
  events: StreamEvent[];
  /** 0 for the first part. */
  part: number;
  /** How many events of this transaction came in earlier parts. */
  firstEvent: number;
  final: boolean;
}

/** How far the handler has come: everything before `lsn`, and of the transaction after it the first few events. */
export interface Progress {
  lsn: bigint;
  partial: { commitLsn: bigint; parts: number; events: number } | null;
}
