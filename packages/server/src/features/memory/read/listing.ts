import type { Queryable } from "../../../engines/postgres/database.ts";
import type { MemoryReader, MemoryRecord } from "../types.ts";
import { decodePlace, encodePlace } from "./cursor.ts";
import { bindFilter, type MemoryFilter, visibleKinds } from "./filter.ts";
import { Parameters } from "./parameters.ts";
import { LISTED_NOW, LISTED_THEN, type RecordRow, recordOf, replacedSince, STATE } from "./rows.ts";
import { bindReader } from "./scope.ts";

/** Records, newest change first. Of records that do not change meanwhile the pages show each exactly once. */
export async function listRecords(
  db: Queryable,
  reader: MemoryReader,
  filter: MemoryFilter,
  page: { readonly limit: number; readonly before?: string | undefined },
): Promise<{ records: MemoryRecord[]; nextBefore: string | null }> {
  const wanted = visibleKinds(reader, filter.wanted);
  if (wanted.length === 0) return { records: [], nextBefore: null };
  const bind = new Parameters();
  const text = statement(bind, reader, { ...filter, wanted }, page);
  const records = (await db.query<RecordRow>(text, bind.values)).map(recordOf);
  const shown = records.slice(0, page.limit);
  return { records: shown, nextBefore: records.length > page.limit ? encodePlace(shown.at(-1)!) : null };
}

function statement(
  bind: Parameters,
  reader: MemoryReader,
  filter: MemoryFilter,
  page: { readonly limit: number; readonly before?: string | undefined },
): string {
  const who = bindReader(bind, reader);
  const where = bindFilter(bind, who, filter);
  const place = decodePlace(page.before);
  const after = `(${bind.add(place.at, "timestamptz")}, ${bind.add(place.id, "text")})`;
  const limit = bind.add(page.limit + 1, "int");
  const asOf = filter.asOf == null ? null : bind.add(filter.asOf.toISOString(), "timestamptz");
  const order = `order by updated_at desc, id desc limit ${limit}`;
  const row = `r.organization_id = ${who.organization} and (r.updated_at, r.id) < ${after} and ${where.now("r")}
    ${asOf === null ? "" : `and r.updated_at <= ${asOf}`}`;
  const principles = filter.wanted.every(({ subtype }) => subtype === "principle");
  const now =
    where.about === null
      ? // Each kind by its own index, however rare it is; principles have one too.
        `select ${LISTED_NOW} from ${where.wanted} cross join lateral (
           select * from ambit.memory_records r
           where r.kind = wanted.kind and (wanted.subtype is null or r.subtype = wanted.subtype) and ${row}
             ${principles ? "and r.kind = 'decision' and r.subtype = 'principle'" : ""}
           order by r.updated_at desc, r.id desc limit ${limit}) r`
      : `select ${LISTED_NOW} from ${where.about} about
         join ambit.memory_records r on r.id = about.from_id and ${row} and ${where.isWanted("r")}`;
  if (asOf === null) return `${now} ${order}`;
  return `select * from (${now} union all
    select ${LISTED_THEN} from ambit.memory_versions v ${STATE}
    where ${replacedSince(who.organization, asOf)} and (v.known_from, v.record_id) < ${after} and ${where.past(asOf)}
  ) known ${order}`;
}
