import type { Queryable } from "../../engines/postgres/database.ts";
import { lowestIdAt } from "./entry-ids.ts";
import { limits } from "./limits.ts";

/** What entries of an organisation are looked for, and from where on. */
export interface EntryScan {
  readonly kinds: readonly string[];
  /** Only entries about these subjects, a bounded number; null: about any. */
  readonly subjects: readonly string[] | null;
  /** Texts that the canonical JSON of an entry holds, all of them; what looks for members of it still compares them itself. */
  readonly holding: readonly string[];
  /** Milliseconds since the epoch: not before `fromMs`, before `toMs`. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly order: "newest" | "oldest";
}

/** A part of the log that was looked at. */
export interface Scanned {
  /** Entries that fit, in the order of the scan. */
  readonly rows: readonly { readonly id: string; readonly entry: string }[];
  /** How many entries were looked at; fewer than asked for means that there are no more. */
  readonly looked: number;
  /** The last of them, from which the scan goes on; null when there was none. */
  readonly last: string | null;
}

interface Row {
  readonly id: string | null;
  readonly entry: string | null;
  readonly looked: number;
  readonly last: string | null;
}

const asScanned = (rows: readonly Row[]): Scanned => ({
  rows: rows.flatMap(({ id, entry }) => (id === null || entry === null ? [] : [{ id, entry }])),
  looked: rows[0]?.looked ?? 0,
  last: rows[0]?.last ?? null,
});

/** Ids begin with `led_`. */
const [BELOW_ALL, ABOVE_ALL] = ["", "~"];
/** Places are positive. */
const [FIRST, LAST] = ["0", "9223372036854775807"];

/**
 * Looks at the next `look` entries of a scan after the entry `after` (null: from its beginning), whatever fits. One step
 * costs about as much as reading so many rows of an index, however large the ledger is.
 */
export async function scanEntries(
  db: Queryable,
  organizationId: string,
  scan: EntryScan,
  after: string | null,
  look: number,
): Promise<Scanned> {
  const low = scan.fromMs === undefined ? BELOW_ALL : lowestIdAt(scan.fromMs);
  const high = scan.toMs === undefined ? ABOVE_ALL : lowestIdAt(scan.toMs);
  const newest = scan.order === "newest";
  const filter = [scan.kinds, scan.holding] as const;
  if (scan.subjects === null) {
    // Nothing lies between an id and the same one longer by a character.
    const from = !newest && after !== null && after >= low ? `${after}0` : low;
    const to = newest && after !== null && after < high ? after : high;
    const text = newest ? OF_ORGANIZATION_NEWEST : OF_ORGANIZATION_OLDEST;
    return asScanned(await db.query<Row>(text, [organizationId, from, to, look, ...filter]));
  }
  const places = await placesOf(db, organizationId, scan, after);
  if (places === null) return { rows: [], looked: 0, last: null };
  const text = newest ? OF_SUBJECTS_NEWEST : OF_SUBJECTS_OLDEST;
  const between = [places.from, places.to, low, high];
  return asScanned(await db.query<Row>(text, [organizationId, scan.subjects, ...between, look, ...filter]));
}

/** Places (`seq`) outside of which nothing can lie that the scan looks for; null when nothing can lie anywhere. */
async function placesOf(
  db: Queryable,
  organizationId: string,
  { fromMs, toMs, order }: EntryScan,
  after: string | null,
): Promise<{ from: string; to: string } | null> {
  if (after === null && fromMs === undefined && toMs === undefined) return { from: FIRST, to: LAST };
  // The order of places is that of commits; clocks of nodes and long transactions lie within the slack.
  const [row] = await db.query<{ cursor: string | null; low: string | null; high: string | null }>(PLACES, [
    ...[organizationId, after, fromMs === undefined ? BELOW_ALL : lowestIdAt(fromMs - limits.scanSlackMs)],
    toMs === undefined ? ABOVE_ALL : lowestIdAt(toMs + limits.scanSlackMs),
  ]);
  const [cursor, low, high] = [row?.cursor ?? null, row?.low ?? null, row?.high ?? null];
  if (after !== null && cursor === null) return null;
  const newest = order === "newest";
  return {
    from: later(low ?? FIRST, newest ? FIRST : (cursor ?? FIRST)),
    to: earlier(high ?? LAST, newest ? (cursor ?? LAST) : LAST),
  };
}

const earlier = (a: string, b: string): string => (BigInt(a) < BigInt(b) ? a : b);
const later = (a: string, b: string): string => (BigInt(a) < BigInt(b) ? b : a);

const PLACES = `
  select
    (select seq from ambit.ledger_entries where organization_id = $1 and id = $2) as cursor,
    (select seq from ambit.ledger_entries where organization_id = $1 and id < $3 order by id desc limit 1) as low,
    (select seq from ambit.ledger_entries where organization_id = $1 and id >= $4 order by id limit 1) as high`;

const ofOrganization = (direction: "asc" | "desc") => `
  with part as materialized (
    select id, kind, entry from ambit.ledger_entries
    where organization_id = $1 and id >= $2 and id < $3 order by id ${direction} limit $4)
  select fits.id, fits.entry, whole.looked, whole.last
  from (select count(*)::int as looked, ${direction === "asc" ? "max" : "min"}(id) as last from part) as whole
  left join part as fits on fits.kind = any($5::text[])
    and not exists (select from unnest($6::text[]) as needle where strpos(fits.entry, needle) = 0)
  order by fits.id ${direction}`;

/** Places first, by the index of subjects alone; what lies there is then looked at. A subject is one organisation's. */
const ofSubjects = (direction: "asc" | "desc") => `
  with places as materialized (
    select e.seq from unnest($2::text[]) as wanted (subject) cross join lateral (
      select seq from ambit.ledger_entries
      where subject = wanted.subject and seq > $3::bigint and seq < $4::bigint order by seq ${direction} limit $7) as e
    order by e.seq ${direction} limit $7),
  part as materialized (
    select seq, id, kind, entry from places join ambit.ledger_entries using (seq) where organization_id = $1)
  select fits.id, fits.entry, whole.looked, whole.last
  from (select count(*)::int as looked,
      (select id from part order by seq ${direction === "asc" ? "desc" : "asc"} limit 1) as last from part) as whole
  left join part as fits on fits.kind = any($8::text[]) and fits.id >= $5 and fits.id < $6
    and not exists (select from unnest($9::text[]) as needle where strpos(fits.entry, needle) = 0)
  order by fits.seq ${direction}`;

const [OF_ORGANIZATION_NEWEST, OF_ORGANIZATION_OLDEST] = [ofOrganization("desc"), ofOrganization("asc")];
const [OF_SUBJECTS_NEWEST, OF_SUBJECTS_OLDEST] = [ofSubjects("desc"), ofSubjects("asc")];

/** What one entry sealed under a name; undefined when it sealed nothing, or it was erased. */
export interface Opened {
  readonly id: string;
  readonly value: unknown;
}

/** What entries sealed under `name`, in the order of `ids`; holds a few megabytes at a time. */
export async function* openedValues(
  db: Queryable,
  organizationId: string,
  ids: readonly string[],
  name: string,
): AsyncGenerator<Opened> {
  const sizes = await db.query<{ id: string; seq: string; bytes: number }>(
    `select e.id, e.seq, o.bytes from ambit.ledger_entries e join ambit.ledger_openings o on o.seq = e.seq
     where e.organization_id = $1 and e.id = any($2::text[])`,
    [organizationId, ids],
  );
  const known = new Map(sizes.map((row) => [row.id, row]));
  for (let first = 0; first < ids.length; ) {
    let bytes = 0;
    let next = first;
    for (; next < ids.length; next += 1) {
      bytes += known.get(ids[next]!)?.bytes ?? 0;
      if (next > first && bytes > limits.pageBytes) break;
    }
    const some = ids.slice(first, next);
    const rows = await db.query<{ seq: string; opening: string | null }>(
      "select seq, openings ->> $2 as opening from ambit.ledger_openings where seq = any($1::bigint[])",
      [some.flatMap((id) => known.get(id)?.seq ?? []), name],
    );
    const opened = new Map(rows.map(({ seq, opening }) => [seq, opening]));
    for (const id of some) {
      const opening = opened.get(known.get(id)?.seq ?? "") ?? null;
      yield { id, value: opening === null ? undefined : (JSON.parse(opening) as { value: unknown }).value };
    }
    first = next;
  }
}
