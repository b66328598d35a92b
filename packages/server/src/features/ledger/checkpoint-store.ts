import type { Queryable } from "../../engines/postgres/database.ts";

/** A checkpoint as it is kept. */
export interface CheckpointRow {
  readonly size: number;
  /** The signed note. */
  readonly note: string;
  readonly at: Date;
}

type Stored = Omit<CheckpointRow, "size"> & { readonly size: string };
const asRow = (row: Stored): CheckpointRow => ({ ...row, size: Number(row.size) });

export async function latestCheckpoint(db: Queryable): Promise<CheckpointRow | null> {
  const [row] = await db.query<Stored>(
    "select size, note, at from ambit.ledger_checkpoints order by size desc limit 1",
  );
  return row === undefined ? null : asRow(row);
}

export async function checkpointOf(db: Queryable, size: number): Promise<CheckpointRow | null> {
  const [row] = await db.query<Stored>(
    "select size, note, at from ambit.ledger_checkpoints where size = $1",
    [size],
  );
  return row === undefined ? null : asRow(row);
}

/** Checkpoints of more than `after` and at most `upTo` entries, the smallest first. */
export async function selectCheckpoints(
  db: Queryable,
  range: { readonly after: number; readonly upTo: number | null; readonly limit: number },
): Promise<CheckpointRow[]> {
  const rows = await db.query<Stored>(
    `select size, note, at from ambit.ledger_checkpoints
     where size > $1 and ($2::bigint is null or size <= $2) order by size limit $3`,
    [range.after, range.upTo, range.limit],
  );
  return rows.map(asRow);
}

/** Keeps a checkpoint; one of the same size that another node signed meanwhile stays. */
export async function insertCheckpoint(db: Queryable, { size, note, at }: CheckpointRow): Promise<void> {
  await db.query(
    "insert into ambit.ledger_checkpoints (size, note, at) values ($1, $2, $3) on conflict do nothing",
    [size, note, at],
  );
}

/** Some of the tree's leaves, and how far they are what they should be. */
export interface LeafRun {
  /** Their hashes from the first on, concatenated. */
  readonly hashes: Buffer;
  /** Place of the first whose entry is not there or has another hash; null when there is none. */
  readonly wrong: number | null;
}

/** The leaves from `first` to `end - 1`, each compared with the entry it stands for. */
export async function selectLeafRun(db: Queryable, first: number, end: number): Promise<LeafRun> {
  const [row] = await db.query<{ hashes: Buffer | null; wrong: string | null }>(
    `select string_agg(l.hash, ''::bytea order by l.index) as hashes,
       min(l.index) filter (where l.hash is distinct from sha256('\\x00'::bytea || convert_to(e.entry, 'UTF8'))) as wrong
     from ambit.ledger_leaves l left join ambit.ledger_entries e on e.seq = l.seq
     where l.index >= $1 and l.index < $2`,
    [first, end],
  );
  return {
    hashes: row?.hashes ?? Buffer.alloc(0),
    wrong: row?.wrong == null ? null : Number(row.wrong),
  };
}
