import type { Queryable } from "../../engines/postgres/database.ts";
import { formatLsn, parseLsn } from "../../engines/postgres/replication/lsn.ts";

/** The anchor and the log as Postgres has them at one moment. Positions are null while there is no slot. */
export interface AnchorLook {
  readonly epoch: string | null;
  /** `reserved`, `extended`, `unreserved` or `lost`; null without a slot. */
  readonly walStatus: string | null;
  /** Bytes that may still be written before the slot is given up; null without max_slot_wal_keep_size. */
  readonly safeBytes: bigint | null;
  readonly maxKeptBytes: bigint | null;
  readonly restartLsn: bigint | null;
  readonly confirmedLsn: bigint | null;
  /** Where the log ends. */
  readonly end: bigint;
  readonly now: Date;
}

/** Where the log ended, and when. */
export interface LogMark {
  readonly lsn: bigint;
  readonly at: Date;
}

interface LookRow {
  epoch: string | null;
  wal_status: string | null;
  safe: string | null;
  kept_mb: string;
  restart: string | null;
  confirmed: string | null;
  end: string;
  now: Date;
}

const lsnOrNull = (text: string | null): bigint | null => (text === null ? null : parseLsn(text));

/** The anchor of this database; slots are named in one room for all databases of a server. */
export async function selectAnchorName(db: Queryable): Promise<string> {
  const [row] = await db.query<{ name: string }>(
    "select 'ambit_anchor_' || oid as name from pg_database where datname = current_database()",
  );
  return row!.name;
}

export async function lookAt(db: Queryable, slot: string): Promise<AnchorLook> {
  const [row] = await db.query<LookRow>(
    `select l.epoch, s.safe_wal_size::text as safe, s.restart_lsn::text as restart,
       case when to_jsonb(s)->>'invalidation_reason' is null then s.wal_status else 'lost' end as wal_status,
       s.confirmed_flush_lsn::text as confirmed, pg_current_wal_insert_lsn()::text as end, now() as now,
       (select setting from pg_settings where name = 'max_slot_wal_keep_size') as kept_mb
     from ambit.realtime_log l left join pg_replication_slots s on s.slot_name = $1`,
    [slot],
  );
  const { epoch, wal_status, safe, kept_mb, restart, confirmed, end, now } = row!;
  return {
    ...{ epoch, walStatus: wal_status, end: parseLsn(end), now },
    ...{ restartLsn: lsnOrNull(restart), confirmedLsn: lsnOrNull(confirmed) },
    safeBytes: safe === null ? null : BigInt(safe),
    maxKeptBytes: kept_mb === "-1" ? null : BigInt(kept_mb) * 1_048_576n,
  };
}

/** Makes this session the only one that makes or drops the anchor, until it ends. */
export async function lockAnchor(db: Queryable): Promise<void> {
  await db.query("select pg_advisory_lock(hashtextextended('ambit realtime anchor', 0))");
}

/** Null: a slot that is there now is not to be trusted. */
export async function setEpoch(db: Queryable, epoch: string | null): Promise<void> {
  await db.query("update ambit.realtime_log set epoch = $1", [epoch]);
  if (epoch === null) await db.query("delete from ambit.realtime_log_marks");
}

/** True for one of all nodes that ask within `everyMs`. */
export async function claimTending(db: Queryable, everyMs: number): Promise<boolean> {
  const rows = await db.query(
    `update ambit.realtime_log set tended_at = now()
     where tended_at < now() - make_interval(secs => $1) returning 1`,
    [everyMs / 1_000],
  );
  return rows.length > 0;
}

/** Notes where the log ends now. */
export async function insertMark(db: Queryable): Promise<void> {
  await db.query(
    "insert into ambit.realtime_log_marks (lsn) values (pg_current_wal_insert_lsn()) on conflict do nothing",
  );
}

/** Oldest first. */
export async function selectMarks(db: Queryable): Promise<LogMark[]> {
  const rows = await db.query<{ lsn: string; at: Date }>(
    "select lsn::text, at from ambit.realtime_log_marks order by realtime_log_marks.lsn",
  );
  return rows.map(({ lsn, at }) => ({ lsn: parseLsn(lsn), at }));
}

/** Forgets the marks before a position. */
export async function deleteMarks(db: Queryable, before: bigint): Promise<void> {
  await db.query("delete from ambit.realtime_log_marks where lsn < $1::pg_lsn", [formatLsn(before)]);
}

/** Moves the anchor on; false if somebody else is just doing so. What is before `to` is given up. */
export async function advanceAnchor(db: Queryable, slot: string, to: bigint): Promise<boolean> {
  try {
    await db.query("select pg_replication_slot_advance($1, $2::pg_lsn)", [slot, formatLsn(to)]);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "55006") return false;
    throw error;
  }
}
