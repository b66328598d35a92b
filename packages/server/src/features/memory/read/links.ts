import type { Queryable } from "../../../engines/postgres/database.ts";
import type { JsonObject } from "../../ledger/service.ts";
import type { MemoryReader, RecordKind } from "../types.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { Parameters } from "./parameters.ts";
import { bindReader, visibleNow } from "./scope.ts";

/** One way in which a record and another belong together. */
export interface Connection {
  /** `out`: the record names the other; `in`: the other names it. */
  readonly direction: "in" | "out";
  /** A link's relation, or the field that names the other. */
  readonly relation: string;
  /** The link's record; null for a field. */
  readonly link_id: string | null;
  readonly attrs: JsonObject | null;
  readonly id: string;
  readonly kind: RecordKind;
  readonly subtype: string | null;
  readonly title: string;
  readonly status: string;
  readonly updated_at: Date;
}

/** What a record is connected with: through links, and through fields in both directions. Sorted by the other's id. */
export async function connectionsOf(
  db: Queryable,
  reader: MemoryReader,
  id: string,
  page: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<{ connections: Connection[]; nextCursor: string | null }> {
  const after = page.cursor === undefined ? ["", ""] : decodeCursor(page.cursor, ["string", "string"]);
  const bind = new Parameters();
  const who = bindReader(bind, reader);
  const own = bind.add(id, "text");
  const org = who.organization;
  const rows = await db.query<Connection & { place: string }>(
    `with named as (
       select 'out' as direction, f.from_id, f.field, f.to_id, f.to_id as other from ambit.memory_references f
       where f.organization_id = ${org} and f.from_id = ${own}
       union all
       select 'in', f.from_id, f.field, f.to_id, f.from_id from ambit.memory_references f
       where f.organization_id = ${org} and f.to_id = ${own}
     ), joined as (
       -- A link that names the record stands between it and the record at the link's other end.
       select case when l.id is null then n.direction when n.field = 'from_id' then 'out' else 'in' end as direction,
         coalesce(l.subtype, n.field) as relation, l.id as link_id, l.data -> 'attrs' as attrs,
         case when l.id is null then n.other when n.field = 'from_id' then l.data ->> 'to_id' else l.data ->> 'from_id' end as other
       from named n left join ambit.memory_records l
         on n.direction = 'in' and l.organization_id = ${org} and l.id = n.from_id and l.kind = 'link'
       where l.id is null or ${visibleNow(who, "l")}
     ), placed as (
       select j.*, concat_ws(' ', j.direction, j.relation, j.link_id) as place from joined j
     )
     select p.direction, p.relation, p.link_id, p.attrs, p.place,
       r.id, r.kind, r.subtype, r.title, r.status, r.updated_at
     from placed p join ambit.memory_records r on r.organization_id = ${org} and r.id = p.other
     where ${visibleNow(who, "r")}
       and (r.id, p.place) > (${bind.add(after[0], "text")}, ${bind.add(after[1], "text")})
     order by r.id, p.place limit ${bind.add(page.limit + 1, "int")}`,
    bind.values,
  );
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    connections: shown.map(({ place: _, ...connection }) => connection),
    nextCursor: last !== undefined && rows.length > page.limit ? encodeCursor([last.id, last.place]) : null,
  };
}
