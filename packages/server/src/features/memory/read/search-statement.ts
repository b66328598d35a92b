import type { MemoryReader } from "../types.ts";
import { type BoundFilter, bindFilter, type MemoryFilter } from "./filter.ts";
import { limits } from "./limits.ts";
import { Parameters } from "./parameters.ts";
import type { Query } from "./query.ts";
import { LISTED_NOW, LISTED_THEN, opaque, replacedSince, STATE, VERSION_VECTOR } from "./rows.ts";
import { type BoundReader, bindReader } from "./scope.ts";
import {
  type Alternatives,
  densityText,
  type IndexFilter,
  indexText,
  NO_ALTERNATIVES,
  termText,
  titleIndexText,
} from "./tsquery.ts";

/** After which result a page begins. */
export interface RankedPlace {
  readonly rank: number;
  readonly at: string;
  readonly id: string;
}

/** Where candidates come from. */
export interface Source {
  /** What the index is asked, without what `indexText` adds to the words. */
  readonly query: Query;
  readonly alternatives: Alternatives;
  readonly inTitles: boolean;
  /** So many have it that the newest records are looked through instead of asking the index. */
  readonly throughNewest: boolean;
}

/** A search ready to be sent. */
export interface SearchOrder {
  readonly reader: MemoryReader;
  readonly filter: MemoryFilter;
  readonly query: Query;
  readonly alternatives: Alternatives;
  /** The first gives everything that can be found; the others are for when that is too much, so that the best is there. */
  readonly sources: readonly Source[];
  readonly after: RankedPlace | null;
  readonly limit: number;
}

/**
 * Finds candidates, ranks them, and reads those of the page. Answers rows of `LISTED_NOW`, `rank`, `found` (the
 * alternatives that stand in the record), and `tally` (how many candidates each source gave); one row with the id null
 * when the page is empty.
 *
 * The rank is between 0 and 1, rounded so that like records tie and the newer goes first. What share of the terms
 * stands there as it was typed counts more than everything else together, then the share that stands in the title, then
 * how densely the words stand.
 */
export function searchStatement(order: SearchOrder): { text: string; values: unknown[] } {
  const { query, alternatives, filter } = order;
  const bind = new Parameters();
  const who = bindReader(bind, order.reader);
  const where = bindFilter(bind, who, filter);
  const exact = bind.add(
    query.terms.map((term) => termText(term, NO_ALTERNATIVES)),
    "tsquery[]",
  );
  const inTitle = bind.add(
    query.terms.map((term) => termText(term, alternatives, "A")),
    "tsquery[]",
  );
  const density = bind.add(densityText(query, alternatives), "tsquery");
  const others = bind.add([...new Set([...alternatives.values()].flat())], "text[]");
  const { rank, at, id } = order.after ?? { rank: 2, at: "infinity", id: "" };
  const after = `(${bind.add(rank, "float8")}, ${bind.add(at, "timestamptz")}, ${bind.add(id, "text")})`;
  const limit = bind.add(order.limit, "int");
  const share = (terms: string) =>
    `(select count(*) from unnest(${terms}) as term where c.search @@ term)::float8 / cardinality(${terms})`;
  const then = filter.asOf != null;
  const text = `with ${then ? candidatesThen(bind, order, who, where) : candidatesNow(bind, order, who, where)},
    ranked as materialized (
      select c.id, c.version, c.updated_at,
        array(select word from unnest(${others}) as word where c.search @@ ('''' || word || '''')::tsquery) as found,
        round(((10 * ${share(exact)} + ${share(inTitle)} + 0.2 * ts_rank(c.search, ${density}, 32)) / 11.2)::numeric, 4)::float8 as rank
      from candidates c
    ), page as (
      select * from ranked where (rank, updated_at, id) < ${after}
      order by rank desc, updated_at desc, id desc limit ${limit}
    ), shown as (
      select ${LISTED_NOW}, page.rank, page.found from page
      join ambit.memory_records r on r.organization_id = ${who.organization} and r.id = page.id and page.version is null
      ${
        then
          ? `union all select ${LISTED_THEN}, page.rank, page.found from page
             join ambit.memory_versions v on v.organization_id = ${who.organization} and v.record_id = page.id
               and v.version = page.version ${STATE}`
          : ""
      }
    )
    select shown.*, ${then ? "array[]::int[]" : "(select tally from tallied)"} as tally from (select 1) as one left join shown on true
    order by shown.rank desc, shown.updated_at desc, shown.id desc`;
  return { text, values: bind.values };
}

const NEWEST_FIRST = "order by updated_at desc, id desc limit";

/** Candidates as things are now: the newest of what each source gives. */
function candidatesNow(bind: Parameters, order: SearchOrder, who: BoundReader, where: BoundFilter): string {
  const index = indexFilterOf(order);
  const most = bind.add(limits.candidates, "int");
  const row = `${where.isWanted("s")} and ${opaque(`s.organization_id = ${who.organization} and ${where.now("s")}`)}`;
  const hits = ({ query, alternatives, inTitles, throughNewest }: Source) => {
    const text = (inTitles ? titleIndexText : indexText)(query, alternatives, index);
    const found = `s.search @@ ${bind.add(text, "tsquery")} and ${row}`;
    if (throughNewest) {
      return `select s.ctid as spot, s.updated_at, s.id from (
          select n.ctid, n.* from ambit.memory_search n where n.organization_id = ${who.organization}
          ${NEWEST_FIRST} ${bind.add(limits.recentRecords, "int")}
        ) s where ${found} limit ${most}`;
    }
    return `select s.ctid as spot, s.updated_at, s.id from ambit.memory_search s
      ${where.about === null ? "" : `join ${where.about} about on s.organization_id = ${who.organization} and s.id = about.from_id`}
      where ${found}`;
  };
  // Materialised, lest Postgres walk through all records by age to find a rare word.
  const sources = order.sources.map((source, at) =>
    at === 0
      ? `source_0 as materialized (${hits(source)})`
      : `source_${at} as materialized (
           select * from (${hits(source)}) more where (select count(*) >= ${most} from source_0))`,
  );
  const newest = sources.map((_, at) => `(select spot from source_${at} ${NEWEST_FIRST} ${most})`);
  const counts = sources.map((_, at) => `(select count(*)::int from source_${at})`);
  return `${sources.join(", ")},
    candidates as (
      select s.id, null::int as version, s.updated_at, s.search from ambit.memory_search s
      where s.ctid = any(array(${newest.join(" union ")}))
    ), tallied as (select array[${counts.join(", ")}] as tally)`;
}

/** Candidates as things were: of what has not changed since, and of what has been replaced since, the newest. */
function candidatesThen(bind: Parameters, order: SearchOrder, who: BoundReader, where: BoundFilter): string {
  const most = bind.add(limits.candidates, "int");
  const words = bind.add(indexText(order.query, order.alternatives, indexFilterOf(order)), "tsquery");
  const instant = bind.add(order.filter.asOf!.toISOString(), "timestamptz");
  const about = where.about === null ? "" : `and s.id in (select from_id from ${where.about} about)`;
  return `unchanged as materialized (
      select s.ctid as spot, s.id, s.updated_at from ambit.memory_search s
      where s.search @@ ${words} and ${where.isWanted("s")} ${about} and ${opaque(
        `s.organization_id = ${who.organization} and s.updated_at <= ${instant} and ${where.now("s")}`,
      )}
    ), replaced as materialized (
      select v.record_id as id, v.version, v.known_from as updated_at from ambit.memory_versions v
      where ${replacedSince(who.organization, instant)} and ${VERSION_VECTOR} @@ ${words} and ${where.past(instant)}
    ), candidates as (
      select s.id, null::int as version, s.updated_at, s.search from ambit.memory_search s
      where s.ctid = any(array(select spot from unchanged ${NEWEST_FIRST} ${most}))
      union all
      select v.record_id, v.version, v.known_from, ${VERSION_VECTOR}
      from (select id, version from replaced ${NEWEST_FIRST} ${most}) chosen
      join ambit.memory_versions v
        on v.organization_id = ${who.organization} and v.record_id = chosen.id and v.version = chosen.version
    )`;
}

/** What of reader and filter the index itself can answer for. */
function indexFilterOf({ reader: { organizationId, scope }, filter }: SearchOrder): IndexFilter {
  const kinds = [...new Set(filter.wanted.map(({ kind }) => kind))];
  return {
    organizationId,
    kinds: kinds.length >= ALL_KINDS ? null : kinds,
    appId: filter.appId ?? (scope?.ownOnly === true ? scope.appId : null),
  };
}

const ALL_KINDS = 6;
