import type { Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { readSchema } from "./catalog.ts";
import { typeSql } from "./column-type.ts";
import { alterTable, checkSql, indexSql } from "./ddl.ts";
import type { DeclaredColumn, DeclaredTable } from "./document.ts";
import { columnOf, type IndexModel, type SchemaModel, type TableModel } from "./model.ts";
import { sameDefault, sameIndex, sameText } from "./same.ts";

/**
 * Postgres' own reading of a document's expressions: `NOW()` and `now()`, `a>0` and `a > 0` are the same to it.
 * Where a declared text differs from the one in the catalogue, both are compared in the form in which Postgres
 * prints them: the pieces are put on a scratch table, read back, and rolled back.
 */

const SCRATCH = "_ambit_scratch";

/** Table → what Postgres makes of its declared expressions. Only tables with something to compare are in it. */
export type Canonical = ReadonlyMap<string, TableModel>;

/** One statement on the scratch table. */
type Piece = string;

/** `actual` is the schema with the document's renames done. */
export async function canonicalForms(
  tx: Queryable,
  actual: SchemaModel,
  tables: readonly DeclaredTable[],
): Promise<Canonical> {
  const forms = new Map<string, TableModel>();
  for (const table of tables) {
    const existing = actual.tables.get(table.name);
    if (existing === undefined) continue;
    const { pieces, indexNames } = differingPieces(table, existing);
    if (pieces.length === 0) continue;
    const form = await onScratch(tx, actual.appId, scratchColumns(table, existing), pieces);
    if (form !== null) forms.set(table.name, withNames(form, indexNames));
  }
  return forms;
}

function differingPieces(table: DeclaredTable, existing: TableModel) {
  const pieces: Piece[] = [];
  const indexNames = new Map<string, string>();
  for (const column of table.columns) pieces.push(...columnPieces(column, existing));
  for (const check of table.checks) {
    const now = existing.checks.find(({ name }) => name === check.name);
    if (now !== undefined && !sameText(now.expression, check.expression))
      pieces.push(alterTable(SCRATCH, `add ${checkSql(check)}`));
  }
  for (const [i, index] of table.indexes.entries()) {
    const now = existing.indexes.find(({ name }) => name === index.name);
    if (now === undefined || sameIndex(now, index) || !hasExpression(index)) continue;
    const name = `${SCRATCH}_${i}`;
    indexNames.set(name, index.name);
    pieces.push(indexSql(SCRATCH, index, name));
  }
  return { pieces, indexNames };
}

const hasExpression = (index: IndexModel): boolean =>
  index.where !== null || index.keys.some((key) => key.expression !== null);

function columnPieces(column: DeclaredColumn, existing: TableModel): Piece[] {
  const now = columnOf(existing, column.name);
  if (now === undefined) return [];
  const name = quoteIdent(column.name);
  if (column.generated !== null && now.generated !== null && !sameText(now.generated, column.generated)) {
    return [
      alterTable(
        SCRATCH,
        `drop column ${name}, add column ${name} ${typeSql(column.type)} generated always as (${column.generated}) stored`,
      ),
    ];
  }
  if (
    column.default === null ||
    now.default === null ||
    sameDefault(now.default, column.default, column.type)
  )
    return [];
  return [alterTable(SCRATCH, `alter column ${name} set default (${column.default})`)];
}

/** Columns that will stay and those the document declares, with their declared types. */
function scratchColumns(table: DeclaredTable, existing: TableModel): string {
  const types = new Map(existing.columns.map((column) => [column.name, column.type]));
  for (const column of table.columns) types.set(column.name, column.type);
  return [...types].map(([name, type]) => `${quoteIdent(name)} ${typeSql(type)}`).join(", ");
}

/** Null when the table itself can't be made, e.g. of a type that the document only brings: then nothing is the same. */
async function onScratch(
  tx: Queryable,
  appId: string,
  columns: string,
  pieces: readonly Piece[],
): Promise<TableModel | null> {
  await tx.query("savepoint scratch");
  try {
    const made = await attempt(tx, `create table ${quoteIdent(SCRATCH)} (${columns})`);
    if (!made) return null;
    // A piece that Postgres refuses is different from what is there; the plan's own statement will say why.
    for (const piece of pieces) await attempt(tx, piece);
    return (await readSchema(tx, appId, SCRATCH)).tables.get(SCRATCH) ?? null;
  } finally {
    await tx.query("rollback to savepoint scratch");
    await tx.query("release savepoint scratch");
  }
}

async function attempt(tx: Queryable, sql: string): Promise<boolean> {
  await tx.query("savepoint piece");
  try {
    await tx.query(sql);
    await tx.query("release savepoint piece");
    return true;
  } catch (error) {
    if (typeof (error as { code?: unknown }).code !== "string") throw error;
    await tx.query("rollback to savepoint piece");
    return false;
  }
}

const withNames = (form: TableModel, indexNames: ReadonlyMap<string, string>): TableModel => ({
  ...form,
  indexes: form.indexes.map((index) => ({ ...index, name: indexNames.get(index.name) ?? index.name })),
});
