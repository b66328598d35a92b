import type { RecordedTable, TableFacts } from "./store.ts";

/** What brings one recorded table and the catalogue together again. */
export type Mend =
  | { readonly kind: "rename"; readonly name: string; readonly to: TableFacts }
  | { readonly kind: "enable"; readonly table: TableFacts }
  | { readonly kind: "forget"; readonly name: string };

/** A recorded table is captured: it exists under its name and the log carries it in full. */
export const isCaptured = (recorded: RecordedTable, facts: readonly TableFacts[]): boolean =>
  facts.some(
    (table) => table.oid === recorded.table_oid && table.name === recorded.table_name && isOn(table),
  );

/** The log carries the table in full. */
export const isOn = (table: TableFacts): boolean => table.published && table.full;

/**
 * Decides what schema changes have made necessary. Pure. A renamed table stays on under its new name; one that was
 * dropped and made again is switched on again; one that is gone, or can't be on any more, is forgotten.
 */
export function mendsFor(recorded: readonly RecordedTable[], facts: readonly TableFacts[]): Mend[] {
  const byOid = new Map(facts.map((table) => [table.oid, table]));
  const byName = new Map(facts.map((table) => [table.name, table]));
  return recorded.flatMap((record): Mend[] => {
    const same = byOid.get(record.table_oid);
    const table = same ?? byName.get(record.table_name);
    if (table === undefined || !table.hasKey) return [{ kind: "forget", name: record.table_name }];
    const mends: Mend[] = [];
    if (table.name !== record.table_name) mends.push({ kind: "rename", name: record.table_name, to: table });
    if (same === undefined || !isOn(table)) mends.push({ kind: "enable", table });
    return mends;
  });
}
