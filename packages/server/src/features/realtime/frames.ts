import { carries, type Outcome } from "./visibility.ts";
import { type Frame, textFrame } from "./web-socket-frame.ts";

export type { Frame };

/** Why a client is told to load a table (or all of its tables) afresh. */
export type ResyncReason =
  | "truncated"
  | "table_enabled"
  | "table_changed"
  | "policy_changed"
  | "dependency_changed"
  | "membership_changed"
  | "window_over"
  | "filters_changed"
  | "identity_changed"
  | "evaluation_failed"
  | "overrun"
  | "too_slow"
  | "stream_lost";

/** Any frame from its fields. */
export const frame = (fields: { type: string } & Record<string, unknown>): Frame =>
  textFrame(JSON.stringify(fields));

/** A problem in words, with what it is about; what is undefined is left out. */
export const errorFrame = (message: string, about: Readonly<Record<string, unknown>> = {}): Frame =>
  frame({ type: "error", message, ...about });

/** `seq`: everything up to there has been sent; null while that is not known. */
export const heartbeatFrame = (nowMs: number, seq: string | null = null): Frame =>
  frame({ type: "heartbeat", timestamp: new Date(nowMs).toISOString(), ...(seq === null ? {} : { seq }) });

/** Tells a client that changes are missing from what it was sent: of one table, or with null of all of its tables. */
export const resyncFrame = (table: string | null, reason: ResyncReason, id: string | null = null): Frame =>
  frame({ type: "resync", ...(table === null ? {} : { table }), ...(id === null ? {} : { id }), reason });

export const notEnabledFrame = (table: string): Frame =>
  frame({
    type: "warning",
    code: "TABLE_NOT_REALTIME_ENABLED",
    table,
    message: `Changes of ${table} are not broadcast.`,
    remediation: `Switch it on: POST /v1/<app_id>/realtime/configure {"tables": [${JSON.stringify(table)}]}, or manage_realtime action configure.`,
  });

/** Where a change stands in the log. The texts sort in commit order. */
export interface Place {
  /** Commit time, ISO 8601. */
  readonly timestamp: string;
  readonly seq: string;
}

/** The text of a place: `index` counts the events of the transaction. */
export const seqOf = (commitLsn: bigint, index: number): string =>
  `${commitLsn.toString(16).padStart(16, "0").toUpperCase()}-${index.toString(16).padStart(8, "0").toUpperCase()}`;

/** Index of a place behind every event of its transaction. */
export const BEHIND_ALL = 0xffff_ffff;

/** A place from its text; null if it is none. */
export function readSeq(text: string): { readonly commitLsn: bigint; readonly index: number } | null {
  const [, lsn, index] = /^([0-9A-F]{16})-([0-9A-F]{8})$/.exec(text) ?? [];
  if (lsn === undefined || index === undefined) return null;
  return { commitLsn: BigInt(`0x${lsn}`), index: Number.parseInt(index, 16) };
}

/** The place of the `index`-th event of a transaction. */
export function placeOf(commitLsn: bigint, commitTime: Date, index: number): Place {
  return { timestamp: commitTime.toISOString(), seq: seqOf(commitLsn, index) };
}

const OPS: Readonly<Record<Outcome, string>> = {
  insert: '"op":"INSERT"',
  enter: '"op":"INSERT","reason":"enter"',
  update: '"op":"UPDATE"',
  leave: '"op":"DELETE","reason":"leave"',
  delete: '"op":"DELETE"',
};

/** A change as one outcome shows it to subscriptions of this id (or of none); `record` and `oldRecord` give JSON text and are asked only for what is carried. */
export function changeFrame(
  change: { readonly table: string; readonly place: Place },
  { outcome, id }: { readonly outcome: Outcome; readonly id: string | null },
  record: () => string,
  oldRecord: () => string,
): Frame {
  const { timestamp, seq } = change.place;
  const shown = carries[outcome];
  return textFrame(
    `{"type":"change","table":${JSON.stringify(change.table)},${id === null ? "" : `"id":${JSON.stringify(id)},`}${OPS[outcome]},` +
      `"record":${shown.new ? record() : "null"},"old_record":${shown.old ? oldRecord() : "null"},` +
      `"timestamp":"${timestamp}","seq":"${seq}"}`,
  );
}
