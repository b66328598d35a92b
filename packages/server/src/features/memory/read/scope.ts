import type { MemoryReader, MemoryRecord, ReadScope } from "../types.ts";
import type { Parameters } from "./parameters.ts";

/** Who reads, as parameters of a statement; a parameter that is null does not narrow. */
export interface BoundReader {
  readonly organization: string;
  readonly kinds: string;
  readonly types: string;
  /** Null: what others wrote too. */
  readonly app: string | null;
}

export function bindReader(bind: Parameters, { organizationId, scope }: MemoryReader): BoundReader {
  return {
    organization: bind.add(organizationId, "uuid"),
    kinds: bind.add(scope?.kinds ?? null, "text[]"),
    types: bind.add(scope?.entityTypes ?? null, "text[]"),
    app: scope?.ownOnly === true ? bind.add(scope.appId, "text") : null,
  };
}

/** What a row of some table says about a record, as SQL. */
interface Columns {
  readonly kind: string;
  readonly subtype: string;
  readonly sourceAppId: string;
  /** Rows `(id)` of the records a link joins. */
  readonly linkEnds: string;
  /** Rows `(kind, subtype)` of the record `ends.id` as it was at the time in question. */
  readonly endRecord: string;
}

/** The condition under which a record is visible. A link is visible only together with both records it joins. */
function visible({ kinds, types, app }: BoundReader, columns: Columns): string {
  const plain = (kind: string, subtype: string) =>
    `(${kinds} is null or ${kind} = any(${kinds})) and (${types} is null or ${kind} <> 'entity' or ${subtype} = any(${types}))`;
  return `(${plain(columns.kind, columns.subtype)} ${app === null ? "" : `and ${columns.sourceAppId} = ${app}`}
    and (${columns.kind} <> 'link' or ${kinds} is null and ${types} is null or (
      select count(*) from ${columns.linkEnds} where exists (
        select from ${columns.endRecord} where ${plain("seen.kind", "seen.subtype")})) = 2))`;
}

/** Whether a row of `memory_records` or `memory_search` is visible as things are now. */
export const visibleNow = (reader: BoundReader, alias: string): string =>
  visible(reader, {
    kind: `${alias}.kind`,
    subtype: `${alias}.subtype`,
    sourceAppId: `${alias}.source_app_id`,
    linkEnds: `(select f.to_id as id from ambit.memory_references f
      where f.organization_id = ${alias}.organization_id and f.from_id = ${alias}.id) as ends`,
    endRecord: `(select e.kind, e.subtype from ambit.memory_records e
      where e.organization_id = ${alias}.organization_id and e.id = ends.id) as seen`,
  });

/** Whether a row of `memory_versions` with a state is visible as things were at `instant`. */
export const visibleThen = (reader: BoundReader, alias: string, instant: string): string =>
  visible(reader, {
    kind: `${alias}.kind`,
    subtype: `(${alias}.state ->> 'subtype')`,
    sourceAppId: `(${alias}.state ->> 'source_app_id')`,
    linkEnds: `(values (${alias}.state -> 'data' ->> 'from_id'), (${alias}.state -> 'data' ->> 'to_id')) as ends (id)`,
    endRecord: `(select e.kind, e.state ->> 'subtype' as subtype from ambit.memory_versions e
      where e.organization_id = ${alias}.organization_id and e.record_id = ends.id and e.state is not null
        and e.known_from <= ${instant} and (e.known_until is null or e.known_until > ${instant})) as seen`,
  });

/**
 * Whether the reader may see the record; `endOf` finds what a link joins. The statements above say the same in SQL.
 * Pure.
 */
export function isVisible(
  scope: ReadScope | null,
  record: Pick<MemoryRecord, "kind" | "subtype" | "source_app_id" | "data">,
  endOf: (id: string) => Pick<MemoryRecord, "kind" | "subtype"> | undefined,
): boolean {
  if (scope === null) return true;
  const { kinds, entityTypes } = scope;
  const plain = (each: Pick<MemoryRecord, "kind" | "subtype">) =>
    (kinds === undefined || kinds.includes(each.kind)) &&
    (entityTypes === undefined || each.kind !== "entity" || entityTypes.includes(each.subtype ?? ""));
  if (!plain(record) || (scope.ownOnly === true && record.source_app_id !== scope.appId)) return false;
  if (record.kind !== "link" || (kinds === undefined && entityTypes === undefined)) return true;
  return [record.data.from_id, record.data.to_id].every((id) => {
    const end = endOf(String(id));
    return end !== undefined && plain(end);
  });
}
