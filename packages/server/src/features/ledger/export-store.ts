import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";

/** A leaf as an export shows it. */
export interface ExportedLeaf {
  readonly index: number;
  readonly hash: Buffer;
  readonly kind: string | null;
  /** The text, where the reader may have it. */
  readonly entry: string | null;
  /** name → JSON text of {salt, value}, where the reader may have them. */
  readonly openings: Readonly<Record<string, string>> | null;
  /** There is no such entry, whoever asks: somebody took it out. */
  readonly lost: boolean;
}

/**
 * Leaves from `first` to `end - 1`, in order: as many as `limits.pageBytes` hold, at least one. The organisation's own
 * entries come with what opens them, the server's own with their text, others' as hashes.
 */
export async function selectExportedLeaves(
  db: Queryable,
  organizationId: string,
  first: number,
  end: number,
): Promise<ExportedLeaf[]> {
  const rows = await db.query<Omit<ExportedLeaf, "index"> & { readonly index: string }>(
    `with page as materialized (
       select l.index, l.hash, e.kind, mine.entry, o.openings, e.seq is null as lost, min(l.index) over () as first,
         sum(coalesce(octet_length(mine.entry), 0) + coalesce(o.bytes, 0)) over (order by l.index) as bytes
       from ambit.ledger_leaves l
       left join ambit.ledger_entries e on e.seq = l.seq
       left join lateral (select e.entry where e.organization_id = $1 or e.organization_id is null) as mine on true
       left join ambit.ledger_openings o on o.seq = e.seq and o.organization_id = $1
       where l.index >= $2 and l.index < $3)
     select index, hash, kind, entry, openings, lost from page where bytes <= $4 or index = first order by index`,
    [organizationId, first, Math.min(end, first + limits.exportLeaves), limits.pageBytes],
  );
  return rows.map((row) => ({ ...row, index: Number(row.index) }));
}
