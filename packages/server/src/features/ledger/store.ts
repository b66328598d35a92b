import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";
import type { PreparedEntry } from "./prepare.ts";

/**
 * Writes entries in the given order, with what opens them, in one statement. The transaction has its number (`begun`)
 * before it draws the first `seq`: this is what lets the sequencer know when nobody is left who could fill a gap.
 */
export async function insertEntries(db: Queryable, entries: readonly PreparedEntry[]): Promise<void> {
  const [first, ...others] = entries;
  if (first === undefined) return;
  if (others.length === 0) {
    const columns = first.openings === null ? COLUMNS.slice(0, -1) : COLUMNS;
    await db.query(
      first.openings === null ? INSERT_BARE : INSERT_ONE,
      columns.map((column) => first[column]),
    );
  } else
    await db.query(
      INSERT_MANY,
      COLUMNS.map((column) => entries.map((entry) => entry[column])),
    );
}

const COLUMNS = ["id", "organizationId", "appId", "kind", "subject", "at", "entry", "openings"] as const;

/** The least work: for one entry that seals nothing, as the gateway's decisions are, whose answers wait for it. */
const INSERT_BARE = `
  insert into ambit.ledger_entries (id, organization_id, app_id, kind, subject, at, entry)
  select $1::text, $2::uuid, $3::text, $4::text, $5::text, $6::timestamptz, $7::text
  from (select pg_current_xact_id() as xid offset 0) as begun where xid is not null`;

/** Half the work of the last for most transactions, which have one entry. */
const INSERT_ONE = `
  with begun as materialized (select pg_current_xact_id() as xid),
  written as (
    insert into ambit.ledger_entries (id, organization_id, app_id, kind, subject, at, entry)
    select $1::text, $2::uuid, $3::text, $4::text, $5::text, $6::timestamptz, $7::text from begun where xid is not null
    returning seq)
  insert into ambit.ledger_openings (seq, organization_id, openings, bytes)
  select seq, $2::uuid, $8::text::jsonb, octet_length($8::text) from written where $8::text is not null`;

const INSERT_MANY = `
  with begun as materialized (select pg_current_xact_id() as xid),
  given as materialized (
    select given.* from begun, unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
        $7::text[], $8::text[])
      with ordinality as given (id, organization_id, app_id, kind, subject, at, entry, openings, place)
    where begun.xid is not null),
  written as (
    insert into ambit.ledger_entries (id, organization_id, app_id, kind, subject, at, entry)
    select id, organization_id, app_id, kind, subject, at, entry from given order by place
    returning seq, id)
  insert into ambit.ledger_openings (seq, organization_id, openings, bytes)
  select written.seq, given.organization_id, given.openings::jsonb, octet_length(given.openings)
  from given join written using (id) where given.openings is not null`;

/** An entry as it is read. */
export interface EntryRow {
  readonly id: string;
  /** Its place in the tree; null while it has none. */
  readonly index: number | null;
  readonly entry: string;
  /** name → JSON text of {salt, value} */
  readonly openings: Readonly<Record<string, string>> | null;
}

type StoredEntry = Omit<EntryRow, "index"> & { readonly index: string | null };

const asRow = (row: StoredEntry): EntryRow => ({
  ...{ id: row.id, entry: row.entry, openings: row.openings },
  index: row.index === null ? null : Number(row.index),
});

export interface EntryFilter {
  readonly kind?: string | undefined;
  readonly subject?: string | undefined;
  /** Ids between which times lie: not below `from`, below `to`. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Id of an entry: only what is older. */
  readonly before?: string | undefined;
}

/**
 * Entries of an organisation, newest first: at most `limit`, and of those as many as `limits.pageBytes` hold, at least
 * one. `more` tells whether there are others.
 */
export async function selectEntries(
  db: Queryable,
  organizationId: string,
  filter: EntryFilter,
  limit: number,
): Promise<{ rows: EntryRow[]; more: boolean }> {
  const values: unknown[] = [organizationId, limit + 1, limits.pageBytes];
  const terms = ["e.organization_id = $1"];
  const add = (value: string | undefined, sql: (n: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    terms.push(sql(`$${values.length}`));
  };
  add(filter.kind, (n) => `e.kind = ${n}`);
  add(filter.subject, (n) => `e.subject = ${n}`);
  add(filter.from, (n) => `e.id >= ${n}`);
  add(filter.to, (n) => `e.id < ${n}`);
  add(filter.before, (n) => `e.id < ${n}`);
  const rows = await db.query<StoredEntry & { found: number }>(
    `with page as materialized (
       select e.seq, e.id, e.entry, o.openings, row_number() over (order by e.id desc) as place,
         sum(octet_length(e.entry) + coalesce(o.bytes, 0)) over (order by e.id desc) as bytes
       from ambit.ledger_entries e left join ambit.ledger_openings o on o.seq = e.seq
       where ${terms.join(" and ")} order by e.id desc limit $2)
     select p.id, l.index, p.entry, p.openings, (select count(*)::int from page) as found
     from page p left join ambit.ledger_leaves l on l.seq = p.seq
     where p.place = 1 or (p.place < $2 and p.bytes <= $3) order by p.place`,
    values,
  );
  return { rows: rows.map(asRow), more: (rows[0]?.found ?? 0) > rows.length };
}

/** An entry of an organisation; null when it has none of that id. */
export async function selectEntry(
  db: Queryable,
  organizationId: string,
  id: string,
): Promise<EntryRow | null> {
  const [row] = await db.query<StoredEntry>(
    `select e.id, l.index, e.entry, o.openings from ambit.ledger_entries e
     left join ambit.ledger_leaves l on l.seq = e.seq left join ambit.ledger_openings o on o.seq = e.seq
     where e.id = $1 and e.organization_id = $2`,
    [id, organizationId],
  );
  return row === undefined ? null : asRow(row);
}

/** Erases openings of an organisation's entries about these subjects, all names or those given; returns how many. */
export async function eraseOpenings(
  db: Queryable,
  erased: {
    readonly organizationId: string;
    readonly subjects: readonly string[];
    readonly names: readonly string[] | undefined;
  },
): Promise<{ values: number; entries: number }> {
  const { organizationId, subjects, names } = erased;
  const about = `select e.seq from ambit.ledger_entries e where e.subject = any($2) and e.organization_id = $1`;
  const [row] =
    names === undefined
      ? await db.query<{ values: number; entries: number }>(
          `with erased as (delete from ambit.ledger_openings where seq in (${about}) returning openings)
           select coalesce(sum((select count(*) from jsonb_object_keys(openings))), 0)::int as values,
             count(*)::int as entries from erased`,
          [organizationId, subjects],
        )
      : await db.query<{ values: number; entries: number }>(
          `with erased as (
             update ambit.ledger_openings set openings = openings - $3::text[]
             where seq in (${about}) and openings ?| $3::text[] returning old.openings)
           select coalesce(sum((select count(*) from jsonb_object_keys(openings) as k where k = any($3))), 0)::int as values,
             count(*)::int as entries from erased`,
          [organizationId, subjects, names],
        );
  return row ?? { values: 0, entries: 0 };
}
