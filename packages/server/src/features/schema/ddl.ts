import { quoteIdent, quoteLiteral } from "../../engines/postgres/quote.ts";
import { SERIAL_OF, typeSql } from "./column-type.ts";
import type { CheckModel, ColumnModel, ForeignKeyModel, IndexKey, IndexModel, UniqueModel } from "./model.ts";

/** SQL of the parts of a table. Names are quoted; expressions were judged and stand in parentheses. */

export const list = (names: readonly string[]): string => names.map(quoteIdent).join(", ");

export const alterTable = (table: string, change: string): string =>
  `alter table ${quoteIdent(table)} ${change}`;

export const dropConstraint = (table: string, name: string): string =>
  alterTable(table, `drop constraint ${quoteIdent(name)}`);

/** `"title" text default ('x') not null`. Constraints are separate. */
export function columnSql(column: ColumnModel): string {
  const serial = column.serial ? SERIAL_OF[column.type.text] : undefined;
  const parts = [quoteIdent(column.name), serial ?? typeSql(column.type)];
  if (column.generated !== null) parts.push(`generated always as (${column.generated}) stored`);
  if (column.identity !== null) parts.push(identitySql(column.identity));
  if (column.default !== null) parts.push(`default (${column.default})`);
  if (column.notNull && serial === undefined) parts.push("not null");
  return parts.join(" ");
}

export const identitySql = (identity: "always" | "by_default"): string =>
  `generated ${identity === "always" ? "always" : "by default"} as identity`;

export const primaryKeySql = (name: string, columns: readonly string[]): string =>
  `constraint ${quoteIdent(name)} primary key (${list(columns)})`;

export const uniqueSql = (unique: UniqueModel): string =>
  `constraint ${quoteIdent(unique.name)} unique (${list(unique.columns)})`;

export const checkSql = (check: CheckModel): string =>
  `constraint ${quoteIdent(check.name)} check (${check.expression})`;

export function foreignKeySql(key: ForeignKeyModel): string {
  const onDelete = key.onDelete === "NO ACTION" ? "" : ` on delete ${key.onDelete.toLowerCase()}`;
  const onUpdate = key.onUpdate === "NO ACTION" ? "" : ` on update ${key.onUpdate.toLowerCase()}`;
  return `constraint ${quoteIdent(key.name)} foreign key (${list(key.columns)}) references ${quoteIdent(key.refTable)} (${list(key.refColumns)})${onDelete}${onUpdate}`;
}

/** `create index "by_day" on "events" using btree ("day" desc)`. */
export function indexSql(table: string, index: IndexModel, name = index.name): string {
  const keys = index.keys.map((key) => keySql(key)).join(", ");
  const where = index.where === null ? "" : ` where (${index.where})`;
  return `create ${index.unique ? "unique " : ""}index ${quoteIdent(name)} on ${quoteIdent(table)} using ${index.method} (${keys})${where}`;
}

function keySql(key: IndexKey): string {
  const target = key.column === null ? `(${key.expression})` : quoteIdent(key.column);
  const opclass = key.opclass === null ? "" : ` ${quoteIdent(key.opclass)}`;
  const order = key.order === "desc" ? " desc" : "";
  const usual = key.order === "desc" ? "first" : "last";
  return `${target}${opclass}${order}${key.nulls === usual ? "" : ` nulls ${key.nulls}`}`;
}

export const commentSql = (target: string, comment: string | null): string =>
  `comment on ${target} is ${comment === null ? "null" : quoteLiteral(comment)}`;

export const columnTarget = (table: string, column: string): string =>
  `column ${quoteIdent(table)}.${quoteIdent(column)}`;

/**
 * Numbers new rows above those that are there: the sequence behind a column that had values before it. With
 * `is_called` false an empty table starts at 1.
 */
export const setSequenceSql = (table: string, column: string): string =>
  `select setval(pg_get_serial_sequence(${quoteLiteral(quoteIdent(table))}, ${quoteLiteral(column)}), greatest(coalesce(max(${quoteIdent(column)}), 1), 1), coalesce(max(${quoteIdent(column)}), 0) > 0) from ${quoteIdent(table)}`;
