import type { MemoryReader, RecordKind } from "../types.ts";
import type { Parameters } from "./parameters.ts";
import { referredTo } from "./rows.ts";
import { type BoundReader, visibleNow, visibleThen } from "./scope.ts";

/** A kind, or of a kind only one subtype. */
export interface WantedKind {
  readonly kind: RecordKind;
  readonly subtype: string | null;
}

/** What narrows a list or a search; what is absent does not. */
export interface MemoryFilter {
  /** No kind twice, unless by its subtypes. */
  readonly wanted: readonly WantedKind[];
  readonly status?: string | undefined;
  /** Only what this app wrote. */
  readonly appId?: string | undefined;
  /** Changed at or after this. */
  readonly from?: Date | undefined;
  /** Changed before this. */
  readonly to?: Date | undefined;
  readonly superseded?: boolean | undefined;
  /** Only what refers to this record: in any field, or in this one. */
  readonly about?: { readonly id: string; readonly field: string | null } | undefined;
  /** As things were known then; null: now. */
  readonly asOf?: Date | null | undefined;
}

/** Those of the kinds that the reader may see at all. Pure. */
export const visibleKinds = ({ scope }: MemoryReader, wanted: readonly WantedKind[]): readonly WantedKind[] =>
  wanted.filter(({ kind }) => scope?.kinds === undefined || scope.kinds.includes(kind));

/** A filter as parameters of a statement, and the conditions made of them. */
export interface BoundFilter {
  /** Rows `wanted (kind, subtype)`. */
  readonly wanted: string;
  /** On a row of `memory_records` or `memory_search`; all but `wanted` and `about`. */
  now(alias: string): string;
  /** On a version `v` that had a state at the instant; all of it. */
  past(instant: string): string;
  isWanted(alias: string): string;
  /** Rows `(from_id)` of the records that refer to what the filter is about; null when it is about nothing. */
  readonly about: string | null;
}

/**
 * Binds everything a filter may have; the text depends only on whether it is about something, and on whether only one
 * app's records are wanted, which have an index of their own.
 */
export function bindFilter(bind: Parameters, reader: BoundReader, filter: MemoryFilter): BoundFilter {
  const kinds = bind.add(
    filter.wanted.map(({ kind }) => kind),
    "text[]",
  );
  const subtypes = bind.add(
    filter.wanted.map(({ subtype }) => subtype),
    "text[]",
  );
  const status = bind.add(filter.status ?? null, "text");
  const app = filter.appId === undefined ? null : bind.add(filter.appId, "text");
  const from = bind.add(filter.from?.toISOString() ?? "-infinity", "timestamptz");
  const to = bind.add(filter.to?.toISOString() ?? "infinity", "timestamptz");
  const superseded = bind.add(filter.superseded ?? null, "boolean");
  const id = filter.about === undefined ? null : bind.add(filter.about.id, "text");
  const field = filter.about === undefined ? null : bind.add(filter.about.field, "text");
  const wanted = `unnest(${kinds}, ${subtypes}) as wanted (kind, subtype)`;
  const isWanted = (kind: string, subtype: string) =>
    `exists (select from ${wanted} where ${kind} = wanted.kind and (wanted.subtype is null or ${subtype} = wanted.subtype))`;
  const plain = (columns: { status: string; app: string; at: string }) =>
    `(${status} is null or ${columns.status} = ${status}) ${app === null ? "" : `and ${columns.app} = ${app}`}
     and ${columns.at} >= ${from} and ${columns.at} < ${to}
     and (${superseded} is null or (${columns.status} = 'superseded') = ${superseded})`;
  return {
    wanted,
    isWanted: (alias) => isWanted(`${alias}.kind`, `${alias}.subtype`),
    now: (alias) =>
      `${plain({ status: `${alias}.status`, app: `${alias}.source_app_id`, at: `${alias}.updated_at` })}
       and ${visibleNow(reader, alias)}`,
    past: (instant) =>
      [
        plain({ status: "v.state ->> 'status'", app: "v.state ->> 'source_app_id'", at: "v.known_from" }),
        isWanted("v.kind", "v.state ->> 'subtype'"),
        visibleThen(reader, "v", instant),
        ...(id === null
          ? []
          : [
              `case when ${field} is null then ${referredTo(id)} else v.state -> 'data' ->> ${field} = ${id} end`,
            ]),
      ].join(" and "),
    about:
      id === null
        ? null
        : `(select distinct f.from_id from ambit.memory_references f
            where f.organization_id = ${reader.organization} and f.to_id = ${id} and (${field} is null or f.field = ${field}))`,
  };
}
