import { REFERENCE_FIELDS } from "../write/data.ts";
import { limits } from "./limits.ts";

export { type RecordRow, recordOf } from "../write/store.ts";

const lean = (data: string, kind: string) =>
  `case when ${kind} = 'source_artifact' then ${data} - 'content' else ${data} end as data`;

/** The columns of a record in a list, from a row `r` of `memory_records`: without content, the text cut. */
export const LISTED_NOW = `r.id, r.kind, r.subtype, r.title, left(r.body, ${limits.snippetBodyChars}) as body, r.status,
  ${lean("r.data", "r.kind")}, r.source_app_id, r.action_id, r.created_by_action, r.version, r.created_at, r.updated_at`;

/** The same from a row `v` of `memory_versions` and its state `x`; goes with `STATE`. */
export const LISTED_THEN = `v.record_id as id, v.kind, x.subtype, x.title, left(x.body, ${limits.snippetBodyChars}) as body,
  x.status, ${lean("x.data", "v.kind")}, x.source_app_id, v.action_id, x.created_by_action, v.version, x.created_at,
  v.known_from as updated_at`;

/** Takes the state of a version `v` apart, as `x`. */
export const STATE = `cross join lateral jsonb_to_record(v.state) as x (subtype text, title text, body text, status text,
  data jsonb, source_app_id text, created_by_action text, created_at timestamptz)`;

/**
 * The versions `v` that were known at an instant and have been replaced since. Together with the records that have not
 * changed since they are what was known then.
 */
export const replacedSince = (organization: string, instant: string): string =>
  `v.organization_id = ${organization} and v.known_until > ${instant} and v.known_from <= ${instant}
   and v.state is not null`;

/**
 * A condition that no index is used for. The index of words alone knows the organisation and is small; with any other
 * Postgres would read as much of that one as the organisation has records.
 */
export const opaque = (condition: string): string => `(${condition}) is true`;

/** A version's vector, exactly as its index has it. */
export const VERSION_VECTOR =
  "ambit.memory_vector(v.organization_id, v.kind, v.state ->> 'source_app_id', v.state ->> 'title', v.state ->> 'body')";

/** Fields that refer to other records; a dot goes into an object, where a list is meant. */
const FIELDS = [
  ...new Set(Object.values(REFERENCE_FIELDS).flatMap((fields) => fields.map(({ field }) => field))),
];

/** Whether the version `v` referred to this record. */
export const referredTo = (id: string): string =>
  `(${FIELDS.map((field) => {
    const path = field.split(".").map((name) => `'${name}'`);
    return path.length === 1
      ? `v.state -> 'data' ->> ${path[0]} = ${id}`
      : `v.state -> 'data' -> ${path.join(" -> ")} ? ${id}`;
  }).join(" or ")})`;
