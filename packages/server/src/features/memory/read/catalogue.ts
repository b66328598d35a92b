import type { Queryable } from "../../../engines/postgres/database.ts";
import type { MemoryReader, MemoryRecord } from "../types.ts";
import { PREFIX_OF } from "../write/data.ts";
import { normalEmail } from "../write/shape.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { limits } from "./limits.ts";
import { Parameters } from "./parameters.ts";
import {
  LISTED_NOW,
  LISTED_THEN,
  opaque,
  type RecordRow,
  recordOf,
  replacedSince,
  STATE,
  VERSION_VECTOR,
} from "./rows.ts";
import { bindReader, visibleNow, visibleThen } from "./scope.ts";

/** A list of everything of one kind. */
export interface CatalogueFilter {
  readonly kind: "entity" | "source_artifact";
  readonly subtype?: string | undefined;
  /** What the index of words is asked, and whether about so many have it; null: everything. */
  readonly found: { readonly text: string; readonly common: boolean } | null;
  /** Entities known by this address. */
  readonly email?: string | undefined;
  readonly asOf?: Date | null | undefined;
}

/** Newest made first; a page begins after an id, so that no change in between can move a record past it. */
export async function listCatalogue(
  db: Queryable,
  reader: MemoryReader,
  filter: CatalogueFilter,
  page: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<{ records: MemoryRecord[]; nextCursor: string | null }> {
  const after =
    page.cursor === undefined ? lastId(filter.kind) : String(decodeCursor(page.cursor, ["string"])[0]);
  const select = (narrowed: CatalogueFilter) => {
    const bind = new Parameters();
    const text = statement(bind, reader, narrowed, { after, limit: page.limit + 1 });
    return db.query<RecordRow>(text, bind.values);
  };
  let rows = await select(filter);
  if (filter.found?.common && filter.asOf == null && rows.length <= page.limit) {
    // Not enough among the newest: then they are few, and the index is quick.
    rows = await select({ ...filter, found: { ...filter.found, common: false } });
  }
  const records = rows.slice(0, page.limit).map(recordOf);
  return { records, nextCursor: rows.length > page.limit ? encodeCursor([records.at(-1)!.id]) : null };
}

/** How many there are on all pages. */
export async function countCatalogue(
  db: Queryable,
  reader: MemoryReader,
  filter: CatalogueFilter,
): Promise<number> {
  const bind = new Parameters();
  const found = filter.found === null ? null : { ...filter.found, common: false };
  const text = statement(bind, reader, { ...filter, found }, null);
  const [row] = await db.query<{ total: number }>(
    `select count(*)::int as total from (${text}) counted`,
    bind.values,
  );
  return row!.total;
}

/** Sorts after every id of the kind. */
const lastId = (kind: CatalogueFilter["kind"]): string => `${PREFIX_OF[kind]}_${"z".repeat(40)}`;

function statement(
  bind: Parameters,
  reader: MemoryReader,
  { kind, subtype, found, email, asOf }: CatalogueFilter,
  page: { readonly after: string; readonly limit: number } | null,
): string {
  const who = bindReader(bind, reader);
  const [ofKind, ofType] = [bind.add(kind, "text"), bind.add(subtype ?? null, "text")];
  const after = bind.add(page?.after ?? lastId(kind), "text");
  const words = found === null ? null : bind.add(found.text, "tsquery");
  const address = email === undefined ? null : bind.add(normalEmail(email), "text");
  const instant = asOf == null ? null : bind.add(asOf.toISOString(), "timestamptz");
  const conditions = (alias: string) => [
    `${alias}.organization_id = ${who.organization} and ${alias}.kind = ${ofKind} and ${alias}.id < ${after}
     and (${ofType} is null or ${alias}.subtype = ${ofType}) and ${visibleNow(who, alias)}`,
    ...(instant === null ? [] : [`${alias}.updated_at <= ${instant}`]),
    ...(address === null ? [] : [`${alias}.id in (${KNOWN_BY(who.organization, address)})`]),
  ];
  const order = page === null ? "" : `order by id desc limit ${bind.add(page.limit, "int")}`;
  const now =
    words === null
      ? `select ${LISTED_NOW} from ambit.memory_records r where ${conditions("r").join(" and ")} ${order}`
      : `with hits as ${
          found!.common && instant === null
            ? newest(bind, kind, who.organization, after)
            : `materialized (select ${HIT} from ambit.memory_search s
               where s.search @@ ${words} and ${opaque(`s.organization_id = ${who.organization}`)})`
        }, page as (select s.id from hits s where ${conditions("s").join(" and ")}
          ${found!.common && instant === null ? `and s.search @@ ${words}` : ""} ${order})
        select ${LISTED_NOW} from page
        join ambit.memory_records r on r.organization_id = ${who.organization} and r.id = page.id order by r.id desc`;
  if (instant === null) return now;
  return `select * from ((${now}) union all
    select ${LISTED_THEN} from ambit.memory_versions v ${STATE}
    where ${[
      replacedSince(who.organization, instant),
      `v.kind = ${ofKind} and v.record_id < ${after} and (${ofType} is null or x.subtype = ${ofType})`,
      visibleThen(who, "v", instant),
      ...(words === null ? [] : [`${VERSION_VECTOR} @@ ${words}`]),
      ...(address === null
        ? []
        : [
            `(lower(x.data ->> 'primary_email') = ${address} or lower(x.data -> 'canonical_keys' ->> 'email') = ${address}
              or x.data -> 'merged_keys' -> 'email' ? ${address})`,
          ]),
    ].join(" and ")}) known ${order}`;
}

/** Ids of entities of any type that are known by the address. */
const KNOWN_BY = (organization: string, address: string) =>
  `select i.entity_id from ambit.memory_identities i
   where i.organization_id = ${organization} and i.name = 'email' and i.value = ${address} and i.type not like '#%'`;

/** What is needed of a row of `memory_search` once the index has found it. */
const HIT = "s.organization_id, s.id, s.kind, s.subtype, s.status, s.source_app_id, s.updated_at";

/** As many of the newest as are looked through; read only as far as the page needs. */
function newest(
  bind: Parameters,
  kind: CatalogueFilter["kind"],
  organization: string,
  after: string,
): string {
  const before = bind.add(`${PREFIX_OF[kind]}_`, "text");
  const most = bind.add(limits.recentRecords, "int");
  return `not materialized (select * from ambit.memory_search n
    where n.organization_id = ${organization} and n.id < ${after} and n.id > ${before} order by n.id desc limit ${most})`;
}
