import type { Queryable } from "../../engines/postgres/database.ts";
import type { JsonObject } from "../ledger/service.ts";

export interface SnapshotRow {
  /** `2026-05-04`, in UTC. */
  readonly snapshot_date: string;
  readonly counts: JsonObject;
  readonly taken_at: Date;
}

const COLUMNS = "to_char(snapshot_date, 'YYYY-MM-DD') as snapshot_date, counts, taken_at";

/** The snapshots of `from` and later days, newest first. */
export function selectSnapshots(db: Queryable, organizationId: string, from: string): Promise<SnapshotRow[]> {
  return db.query<SnapshotRow>(
    `select ${COLUMNS} from ambit.substrate_snapshots s
     where organization_id = $1 and s.snapshot_date >= $2::date order by s.snapshot_date desc`,
    [organizationId, from],
  );
}

/** Writes a day's snapshot, unless another node has written a later one. */
export async function putSnapshot(
  db: Queryable,
  organizationId: string,
  snapshot: { readonly date: string; readonly counts: JsonObject; readonly takenAt: Date },
): Promise<void> {
  await db.query(
    `insert into ambit.substrate_snapshots as s (organization_id, snapshot_date, counts, taken_at)
     values ($1, $2::date, $3, $4)
     on conflict (organization_id, snapshot_date) do update
       set counts = excluded.counts, taken_at = excluded.taken_at where s.taken_at <= excluded.taken_at`,
    [organizationId, snapshot.date, JSON.stringify(snapshot.counts), snapshot.takenAt],
  );
}

/** Organisations whose snapshot of `date` is missing, or older than `before`. */
export async function selectStale(
  db: Queryable,
  date: string,
  before: Date,
  limit: number,
): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `select o.id from ambit.organizations o
     left join ambit.substrate_snapshots s on s.organization_id = o.id and s.snapshot_date = $1::date
     where s.taken_at is null or s.taken_at < $2 order by s.taken_at nulls first limit $3`,
    [date, before, limit],
  );
  return rows.map(({ id }) => id);
}

/** Whether this transaction is the one that takes snapshots now; the others leave it to this one. */
export async function tryToBeTheOne(tx: Queryable): Promise<boolean> {
  const [row] = await tx.query<{ got: boolean }>(
    "select pg_try_advisory_xact_lock(hashtextextended('ambit snapshots', 0)) as got",
  );
  return row!.got;
}

export async function deleteBefore(db: Queryable, date: string): Promise<void> {
  await db.query("delete from ambit.substrate_snapshots where snapshot_date < $1::date", [date]);
}
