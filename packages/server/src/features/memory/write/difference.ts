import type { MemoryRecord } from "../types.ts";
import type {
  Addition,
  AliasRow,
  IdentityRow,
  ReferenceRow,
  Removal,
  RemovedRecord,
  WrittenRecord,
} from "./flush.ts";
import { sortedIdentities, tiesOf } from "./shape.ts";

/** One record's way through an action; `removal` is there when it goes. */
export interface Change {
  readonly before: MemoryRecord | null;
  readonly after: MemoryRecord | null;
  readonly removal: RemovedRecord | null;
  readonly restores: number | null;
}

/** Everything that follows from a set of records, by a text that names it. */
interface Rows {
  readonly references: Map<string, ReferenceRow>;
  readonly identities: Map<string, IdentityRow>;
  readonly aliases: Map<string, AliasRow>;
}

/** What turns the rows as they are into the rows as they are to be; null where there is nothing. */
export interface Difference {
  readonly removal: Removal | null;
  readonly addition: Addition | null;
}

/**
 * What has to go and what has to be written, so that the rows beside the records follow from their data again.
 * What goes has to go first: an identity that moves from one record to another is in both. Pure.
 */
export function differenceOf(changes: readonly Change[]): Difference {
  const old = rowsOf(changes.map(({ before }) => before));
  const next = rowsOf(changes.map(({ after }) => after));
  const records: WrittenRecord[] = [];
  const removed: RemovedRecord[] = [];
  for (const { after, removal, restores } of changes) {
    if (after !== null) records.push({ record: after, restores });
    else if (removal !== null) removed.push(removal);
  }
  const removal = {
    records: removed,
    references: without(old.references, next.references),
    identities: without(old.identities, next.identities),
    aliases: without(old.aliases, next.aliases),
  };
  const addition = {
    records,
    references: without(next.references, old.references),
    identities: sortedIdentities(without(next.identities, old.identities)),
    aliases: without(next.aliases, old.aliases),
  };
  return { removal: isEmpty(removal) ? null : removal, addition: isEmpty(addition) ? null : addition };
}

const isEmpty = (lists: object): boolean => Object.values(lists).every((list) => list.length === 0);

const without = <T>(all: ReadonlyMap<string, T>, other: ReadonlyMap<string, T>): T[] =>
  [...all].filter(([name]) => !other.has(name)).map(([, row]) => row);

function rowsOf(records: readonly (MemoryRecord | null)[]): Rows {
  const rows: Rows = { references: new Map(), identities: new Map(), aliases: new Map() };
  for (const record of records) {
    if (record === null) continue;
    const { id } = record;
    const ties = tiesOf(record.kind, record.data);
    for (const { field, to } of ties.references)
      rows.references.set(JSON.stringify([id, field, to]), { from_id: id, field, to_id: to });
    for (const { type, name, value } of ties.identities)
      rows.identities.set(JSON.stringify([id, type, name, value]), { type, name, value, entity_id: id });
    for (const alias of ties.aliases)
      rows.aliases.set(JSON.stringify([id, alias]), { alias_id: alias, entity_id: id });
  }
  return rows;
}
