import type { Canonical } from "../canonical.ts";
import { alterTable, checkSql, dropConstraint, foreignKeySql, primaryKeySql, uniqueSql } from "../ddl.ts";
import type { DeclaredTable } from "../document.ts";
import { nameOf } from "../identifiers.ts";
import type { CheckModel, TableModel } from "../model.ts";
import { sameForeignKey, sameList, sameText } from "../same.ts";
import type { Phase, StatementList } from "./statement.ts";

interface Constraint {
  readonly name: string;
  readonly columns: readonly string[];
}

/** How one kind of constraint of a table changes. */
interface Change<C extends Constraint> {
  readonly label: string;
  readonly addIn: Phase;
  readonly dropIn: Phase;
  readonly actual: readonly C[];
  readonly declared: readonly C[];
  /** Named in the document's `_drop…` list. */
  readonly dropped: ReadonlySet<string>;
  /** The name it has when a column's own flag declares it. */
  readonly ownName: (table: string, column: string) => string;
  same(actual: C, declared: C): boolean;
  sql(constraint: C): string;
}

/** Plans unique constraints, checks and foreign keys of a table that exists. */
export function planConstraints(
  out: StatementList,
  declared: DeclaredTable,
  actual: TableModel,
  canonical: Canonical,
): void {
  const forms = canonical.get(declared.name);
  planKind(out, declared, {
    label: "unique constraint",
    addIn: "constrain",
    dropIn: "unlink",
    actual: actual.uniques,
    declared: declared.uniques,
    dropped: declared.drop.uniques,
    ownName: nameOf.unique,
    same: (now, wanted) => sameList(now.columns, wanted.columns),
    sql: uniqueSql,
  });
  planKind<CheckModel>(out, declared, {
    label: "check",
    addIn: "constrain",
    dropIn: "unlink",
    actual: actual.checks,
    declared: declared.checks,
    dropped: declared.drop.checks,
    ownName: nameOf.check,
    same: (now, wanted) =>
      sameText(now.expression, wanted.expression) ||
      now.expression === forms?.checks.find(({ name }) => name === wanted.name)?.expression,
    sql: checkSql,
  });
  planKind(out, declared, {
    label: "foreign key",
    addIn: "link",
    dropIn: "unlinkForeignKey",
    actual: actual.foreignKeys,
    declared: declared.foreignKeys,
    dropped: declared.drop.foreignKeys,
    ownName: nameOf.foreignKey,
    same: sameForeignKey,
    sql: foreignKeySql,
  });
  planPrimaryKey(out, declared, actual);
}

/** What rests on a column that goes is dropped before it, so that the statements say so. */
function planKind<C extends Constraint>(out: StatementList, table: DeclaredTable, change: Change<C>): void {
  const wanted = new Map(change.declared.map((constraint) => [constraint.name, constraint]));
  const own = new Set(table.columns.map((column) => change.ownName(table.name, column.name)));
  const satisfied = new Set<string>();
  for (const now of change.actual) {
    const next = wanted.get(now.name);
    if (next !== undefined && change.same(now, next)) satisfied.add(now.name);
    else if (
      next !== undefined ||
      own.has(now.name) ||
      change.dropped.has(now.name) ||
      now.columns.some((column) => table.drop.columns.has(column))
    ) {
      out.add(
        change.dropIn,
        dropConstraint(table.name, now.name),
        `Drop ${change.label} ${now.name} of ${table.name}`,
      );
    }
  }
  for (const constraint of change.declared) {
    if (satisfied.has(constraint.name)) continue;
    out.add(
      change.addIn,
      alterTable(table.name, `add ${change.sql(constraint)}`),
      `Add ${change.label} ${constraint.name} to ${table.name}`,
    );
  }
}

/** Columns of the primary key as the document wants it; null leaves it as it is. */
export function wantedPrimaryKey(
  declared: DeclaredTable,
  actual: TableModel | undefined,
): readonly string[] | null {
  if (declared.primaryKey !== null) return declared.primaryKey;
  const flagged = declared.columns.filter((column) => column.primaryKey).map((column) => column.name);
  if (flagged.length === 0) return null;
  const mentioned = new Set([...declared.columns.map((column) => column.name), ...declared.drop.columns]);
  const present = actual?.primaryKey?.columns ?? [];
  const kept = present.filter((name) => flagged.includes(name) || !mentioned.has(name));
  return [...kept, ...flagged.filter((name) => !kept.includes(name))];
}

/** A key is what rows are told apart by, and what foreign keys and live changes rest on: it never goes unasked. */
function planPrimaryKey(out: StatementList, declared: DeclaredTable, actual: TableModel): void {
  const wanted = wantedPrimaryKey(declared, actual);
  const present = actual.primaryKey;
  if (wanted !== null && present !== null && sameList(wanted, present.columns)) return;
  if (present !== null && (wanted !== null || declared.drop.primaryKey)) {
    out.add(
      "unlink",
      dropConstraint(declared.name, present.name),
      `Drop primary key (${present.columns.join(", ")}) of ${declared.name}`,
      {
        asked: declared.drop.primaryKey,
      },
    );
  }
  if (wanted !== null) {
    out.add(
      "constrain",
      alterTable(declared.name, `add ${primaryKeySql(nameOf.primaryKey(declared.name), wanted)}`),
      `Add primary key (${wanted.join(", ")}) to ${declared.name}`,
    );
  }
}
