import { formatLsn } from "../../engines/postgres/replication/lsn.ts";
import { carries, type Outcome } from "./visibility.ts";

/** A frame ready to be sent to any number of sockets: UTF-8 JSON. */
export type Frame = Buffer;

/** Why a client is told to load a table (or all of its tables) afresh. */
export type ResyncReason =
  | "truncated"
  | "table_enabled"
  | "table_changed"
  | "policy_changed"
  | "dependency_changed"
  | "identity_changed"
  | "evaluation_failed"
  | "overrun"
  | "too_slow"
  | "stream_lost";

/** Any frame from its fields. */
export const frame = (fields: { type: string } & Record<string, unknown>): Frame =>
  Buffer.from(JSON.stringify(fields));

export const errorFrame = (message: string): Frame => frame({ type: "error", message });

export const heartbeatFrame = (nowMs: number): Frame =>
  frame({ type: "heartbeat", timestamp: new Date(nowMs).toISOString() });

/** Tells a client that changes are missing from what it was sent: of one table, or with null of all of its tables. */
export const resyncFrame = (table: string | null, reason: ResyncReason): Frame =>
  frame({ type: "resync", ...(table === null ? {} : { table }), reason });

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

/** The place of the `index`-th event of a transaction. */
export function placeOf(commitLsn: bigint, commitTime: Date, index: number): Place {
  const [high = "", low = ""] = formatLsn(commitLsn).split("/");
  const lsn = `${high.padStart(8, "0")}${low.padStart(8, "0")}`;
  return {
    timestamp: commitTime.toISOString(),
    seq: `${lsn}-${index.toString(16).padStart(8, "0").toUpperCase()}`,
  };
}

const OPS: Readonly<Record<Outcome, string>> = {
  insert: '"op":"INSERT"',
  enter: '"op":"INSERT","reason":"enter"',
  update: '"op":"UPDATE"',
  leave: '"op":"DELETE","reason":"leave"',
  delete: '"op":"DELETE"',
};

/** A change as one outcome shows it; `record` and `oldRecord` give JSON text and are asked only for what is carried. */
export function changeFrame(
  change: { readonly table: string; readonly place: Place },
  outcome: Outcome,
  record: () => string,
  oldRecord: () => string,
): Frame {
  const { timestamp, seq } = change.place;
  const shown = carries[outcome];
  return Buffer.from(
    `{"type":"change","table":${JSON.stringify(change.table)},${OPS[outcome]},` +
      `"record":${shown.new ? record() : "null"},"old_record":${shown.old ? oldRecord() : "null"},` +
      `"timestamp":"${timestamp}","seq":"${seq}"}`,
  );
}
