import type { TileHash } from "@ambit/ledger";
import type { Queryable } from "../../engines/postgres/database.ts";
import type { Gap, Progress } from "./placing.ts";

const HASH_BYTES = 32;

/** Looked up entry by entry: as an anti-join it may be planned as a walk through both tables. */
const UNPLACED = "(select l.index from ambit.ledger_leaves l where l.seq = e.seq) is null";

/** Where the tree stands, as the node that places entries knows it. */
export interface HeadRow extends Progress {
  readonly treeSize: number;
}

interface StoredHead {
  readonly tree_size: string;
  readonly high_seq: string;
  readonly gap_from: string[];
  readonly gap_to: string[];
  readonly gap_until: string[];
}

/** Name of this ledger and the size of its tree. */
export async function selectHead(db: Queryable): Promise<{ id: string; treeSize: number }> {
  const [row] = await db.query<{ id: string; tree_size: string }>(
    "select id, tree_size from ambit.ledger_head",
  );
  return { id: row!.id, treeSize: Number(row!.tree_size) };
}

/** Takes the lease when it is free, run out, or held by `holder` already; null when another node has it. */
export async function takeLease(db: Queryable, holder: string, leaseMs: number): Promise<HeadRow | null> {
  const [row] = await db.query<StoredHead>(
    `update ambit.ledger_head set holder = $1, lease_until = clock_timestamp() + $2 * interval '1 millisecond'
     where holder is null or holder = $1 or lease_until < clock_timestamp()
     returning tree_size, high_seq, gap_from, gap_to, gap_until::text[]`,
    [holder, leaseMs],
  );
  if (row === undefined) return null;
  return {
    treeSize: Number(row.tree_size),
    highSeq: Number(row.high_seq),
    gaps: row.gap_from.map((from, at) => ({
      from: Number(from),
      to: Number(row.gap_to[at]),
      until: BigInt(row.gap_until[at]!),
    })),
  };
}

/** Gives the lease back, if `holder` has it. */
export async function releaseLease(db: Queryable, holder: string): Promise<void> {
  await db.query("update ambit.ledger_head set holder = null, lease_until = '-infinity' where holder = $1", [
    holder,
  ]);
}

/** What one snapshot shows beyond `progress`. */
export interface Unplaced {
  readonly seqs: number[];
  /** Of the leaves, in the same order. */
  readonly hashes: Buffer[];
  readonly oldest: bigint;
  /** When the oldest of them was written. */
  readonly since: Date | null;
}

/** The first `most` entries, by number, that are to be seen and have no place. The leaves are hashed where the texts are. */
export async function selectUnplaced(db: Queryable, progress: Progress, most: number): Promise<Unplaced> {
  const [row] = await db.query<{
    seqs: string[];
    hashes: Buffer | null;
    oldest: string;
    since: Date | null;
  }>(
    `with found as (
       (select e.seq, e.entry, e.at from unnest($2::bigint[], $3::bigint[]) as gap (low, high)
        cross join lateral (
          select e.seq, e.entry, e.at from ambit.ledger_entries e
          where e.seq between gap.low and gap.high and ${UNPLACED} order by e.seq limit $4) as e
        order by e.seq limit $4)
       union all
       (select e.seq, e.entry, e.at from ambit.ledger_entries e where e.seq > $1 order by e.seq limit $4)),
     taken as (select * from found order by seq limit $4)
     select coalesce(array_agg(seq order by seq), '{}') as seqs, min(at) as since,
       string_agg(sha256('\\x00'::bytea || convert_to(entry, 'UTF8')), ''::bytea order by seq) as hashes,
       pg_snapshot_xmin(pg_current_snapshot())::text as oldest
     from taken`,
    [progress.highSeq, progress.gaps.map(({ from }) => from), progress.gaps.map(({ to }) => to), most],
  );
  return {
    seqs: row!.seqs.map(Number),
    hashes: row!.hashes === null ? [] : splitHashes(row!.hashes),
    oldest: BigInt(row!.oldest),
    since: row!.since,
  };
}

/** Hashes of 32 bytes each from their concatenation. */
export function splitHashes(bytes: Buffer): Buffer[] {
  const hashes: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += HASH_BYTES) hashes.push(bytes.subarray(at, at + HASH_BYTES));
  return hashes;
}

/** Leaves that go into the tree, after the `treeSize` that are there. */
export interface Placement {
  readonly holder: string;
  readonly leaseMs: number;
  readonly treeSize: number;
  readonly seqs: readonly number[];
  readonly hashes: readonly Buffer[];
  readonly tiles: readonly TileHash[];
  readonly progress: Progress;
}

/**
 * Places entries, renews the lease and notes the progress, in one statement: nothing of it happens when `holder` has
 * lost the lease or the tree has another size. Returns the gaps with the transaction number that new ones wait for; null
 * when it did not happen.
 */
export async function place(db: Queryable, placement: Placement): Promise<Gap[] | null> {
  const { holder, leaseMs, treeSize, seqs, hashes, tiles, progress } = placement;
  const { highSeq, gaps } = progress;
  const [row] = await db.query<{ gap_until: string[] }>(
    `with head as (
       update ambit.ledger_head set tree_size = $3 + cardinality($4::bigint[]), high_seq = $5,
         gap_from = $6::bigint[], gap_to = $7::bigint[],
         gap_until = array(select coalesce(u.until, pg_current_xact_id()) from unnest($8::xid8[]) with ordinality as u (until, n) order by n),
         lease_until = clock_timestamp() + $2 * interval '1 millisecond'
       where holder = $1 and tree_size = $3 returning gap_until),
     leaves as (
       insert into ambit.ledger_leaves (index, seq, hash)
       select $3 + n - 1, seq, substring($9::bytea from (n::int - 1) * ${HASH_BYTES} + 1 for ${HASH_BYTES})
       from head, unnest($4::bigint[]) with ordinality as leaf (seq, n)),
     tiles as (
       insert into ambit.ledger_tiles (level, index, hash)
       select level, index, substring($12::bytea from (n::int - 1) * ${HASH_BYTES} + 1 for ${HASH_BYTES})
       from head, unnest($10::smallint[], $11::bigint[]) with ordinality as tile (level, index, n))
     select gap_until::text[] from head`,
    [
      ...[holder, leaseMs, treeSize, seqs, highSeq],
      ...[
        gaps.map(({ from }) => from),
        gaps.map(({ to }) => to),
        gaps.map(({ until }) => until?.toString() ?? null),
      ],
      Buffer.concat(hashes),
      ...[tiles.map(({ level }) => level), tiles.map(({ index }) => index)],
      Buffer.concat(tiles.map(({ hash }) => hash)),
    ],
  );
  if (row === undefined) return null;
  return gaps.map((gap, at) => ({ ...gap, until: BigInt(row.gap_until[at]!) }));
}

/** The hashes that a tile of the tree holds so far; see `TileReader`. */
export async function readTile(db: Queryable, level: number, tile: number, width: number): Promise<Buffer> {
  const [first, end] = [tile * width, (tile + 1) * width];
  const [row] =
    level === 0
      ? await db.query<{ hashes: Buffer | null }>(
          `select string_agg(hash, ''::bytea order by index) as hashes from ambit.ledger_leaves where index >= $1 and index < $2`,
          [first, end],
        )
      : await db.query<{ hashes: Buffer | null }>(
          `select string_agg(hash, ''::bytea order by index) as hashes from ambit.ledger_tiles
           where level = $3 and index >= $1 and index < $2`,
          [first, end, level],
        );
  return row?.hashes ?? Buffer.alloc(0);
}

/**
 * The highest number of an entry that is committed now. Once `isPlacedUpTo` says yes to it, everything committed before
 * is in the tree.
 */
export async function selectLastSeq(db: Queryable): Promise<number> {
  const [row] = await db.query<{ seq: string | null }>("select max(seq) as seq from ambit.ledger_entries");
  return Number(row?.seq ?? 0);
}

/** Whether every entry up to `seq` that is to be seen is in the tree. */
export async function isPlacedUpTo(db: Queryable, seq: number): Promise<boolean> {
  const [row] = await db.query<{ placed: boolean }>(
    `select h.high_seq >= $1 and not exists (
       select from unnest(h.gap_from, h.gap_to) as gap (low, high)
       cross join lateral (
         select from ambit.ledger_entries e
         where e.seq between gap.low and least(gap.high, $1) and ${UNPLACED} limit 1) as e) as placed
     from ambit.ledger_head h`,
    [seq],
  );
  return row!.placed;
}
