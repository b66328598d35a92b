import type { Statement } from "../../engines/postgres/one-trip.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { errors } from "../../kernel/errors.ts";
import type { TableInfo } from "../schema/service.ts";
import type { Query } from "./ast.ts";
import { dataErrors } from "./errors.ts";
import type { RowGroup } from "./rows.ts";
import { filtersSql } from "./sql-filters.ts";
import { Params, type Scope, type SqlContext, tableSql, textFor } from "./sql-scope.ts";
import { boundedBody, idCondition } from "./sql-select.ts";
import { rowSql, selectionSql } from "./sql-selection.ts";
import { columnOf } from "./tables.ts";

/** What becomes of rows whose key exists already. */
export type Resolution = "merge" | "ignore" | null;

/** An insert, ready to run. With `returning`, each answer row is the JSON text of one inserted row, group by group. */
export interface InsertOrder {
  readonly groups: readonly RowGroup[];
  readonly resolution: Resolution;
  readonly returning: boolean;
}

/**
 * Compiles an insert of groups of rows, all in one statement: every row or none. JSON goes to Postgres as it came and
 * is read there by the table's own types, so arrays, JSON and big numbers arrive unchanged.
 */
export function buildInsert(
  context: SqlContext,
  table: TableInfo,
  query: Query,
  order: InsertOrder,
): Statement {
  const params = new Params();
  const scope: Scope = { context, table, alias: "t", params };
  const conflict = (columns: readonly string[]) =>
    conflictSql(table, query.onConflict, order.resolution, columns);
  const inserts = order.groups.map((group) => {
    const target = `insert into ${tableSql(context, table)} as t ${sourceSql(group, scope)}${conflict(group.columns)}`;
    const row = order.returning ? `${rowSql(selectionSql(query.select, scope), "t")}::text as body` : "1";
    return `${target} returning ${row}`;
  });
  const names = inserts.map((_, index) => `g${index}`);
  const parts = inserts.map((insert, index) => `${names[index]} as (${insert})`).join(", ");
  const union = names
    .map((name) => `select ${order.returning ? "body" : "1"} from ${name}`)
    .join(" union all ");
  const answer = order.returning ? `select ${boundedBody} from (${union}) p` : union;
  return {
    text: textFor(context, `with ${parts} ${answer}`),
    values: params.values,
    prepare: inserts.length === 1,
  };
}

function sourceSql(group: RowGroup, { context, table, params }: Scope): string {
  if (group.columns.length === 0) {
    const [first] = table.columns;
    if (first === undefined || group.count === 1) return "default values";
    return `(${quoteIdent(first.name)}) values ${Array.from({ length: group.count }, () => "(default)").join(", ")}`;
  }
  const names = group.columns.map((name) => quoteIdent(columnOf(table, name).name));
  const populate = group.single ? "json_populate_record" : "json_populate_recordset";
  const rows = `${populate}(null::${tableSql(context, table)}, ${params.add(group.json)}::json) r`;
  return `(${names.join(", ")}) select ${names.map((name) => `r.${name}`).join(", ")} from ${rows}`;
}

function conflictSql(
  table: TableInfo,
  onConflict: readonly string[] | null,
  asked: Resolution,
  columns: readonly string[],
): string {
  const resolution = asked ?? (onConflict === null ? null : "merge");
  if (resolution === null) return "";
  const key = onConflict ?? (table.primaryKey.length > 0 ? table.primaryKey : null);
  if (key === null) {
    if (resolution === "ignore") return " on conflict do nothing";
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `${table.name} has no primary key to recognise existing rows by.`,
      remediation: "Name the columns of a unique key: ?on_conflict=column.",
    });
  }
  const names = key.map((name) => quoteIdent(columnOf(table, name).name));
  if (resolution === "ignore") return ` on conflict (${names.join(", ")}) do nothing`;
  const others = columns.filter((name) => !key.includes(name)).map(quoteIdent);
  // With nothing to change the row is still touched, so that it is answered and its policies are asked.
  const changed = others.length > 0 ? others : names.slice(0, 1);
  const sets = changed.map((name) => `${name} = excluded.${name}`).join(", ");
  return ` on conflict (${names.join(", ")}) do update set ${sets}`;
}

/** Which rows a change is about: one by id, or those that the filters name. */
export interface ChangeTarget {
  readonly id: string | null;
  readonly query: Query;
}

/**
 * What a change answers. `one`: the JSON text of each row, null if too large. `many`: one row with the JSON text of
 * the first `rows` rows, null if too large, and how many there were. `none`: only the command tag.
 */
export type ChangeAnswer =
  | { readonly kind: "one" }
  | { readonly kind: "many"; readonly rows: number }
  | { readonly kind: "none" };

/** Compiles an update. `json` is an object whose keys are `columns`. */
export function buildUpdate(
  context: SqlContext,
  table: TableInfo,
  target: ChangeTarget,
  { columns, json }: { columns: readonly string[]; json: string },
  answer: ChangeAnswer,
): Statement {
  if (columns.length === 0) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: "The update changes no column.",
      remediation: "Send a JSON object with the columns to change and their new values.",
    });
  }
  const params = new Params();
  const scope: Scope = { context, table, alias: "t", params };
  const sets = columns.map((name) => {
    const quoted = quoteIdent(columnOf(table, name).name);
    return `${quoted} = r.${quoted}`;
  });
  const source = `json_populate_record(null::${tableSql(context, table)}, ${params.add(json)}::json) r`;
  const where = targetSql(target, "change", scope);
  const update = `update ${tableSql(context, table)} t set ${sets.join(", ")} from ${source} where ${where}`;
  return {
    text: textFor(context, answering(target.query, update, answer, scope)),
    values: params.values,
  };
}

/** Compiles a delete; the number of rows is in the command tag. */
export function buildDelete(
  context: SqlContext,
  table: TableInfo,
  target: ChangeTarget,
  answer: ChangeAnswer,
): Statement {
  const params = new Params();
  const scope: Scope = { context, table, alias: "t", params };
  const where = targetSql(target, "delete", scope);
  const remove = `delete from ${tableSql(context, table)} t where ${where}`;
  return {
    text: textFor(context, answering(target.query, remove, answer, scope)),
    values: params.values,
  };
}

function answering(query: Query, statement: string, answer: ChangeAnswer, scope: Scope): string {
  if (answer.kind === "none") return statement;
  const row = rowSql(selectionSql(query.select, scope), "t");
  if (answer.kind === "one") {
    return `with w as (${statement} returning ${row}::text as body) select ${boundedBody} from w p`;
  }
  return (
    `with w as (${statement} returning ${row} as j), p as (select coalesce(json_agg(s.j), '[]')::text as body ` +
    `from (select j from w limit ${answer.rows}) s) select ${boundedBody}, (select count(*) from w) from p`
  );
}

function targetSql({ id, query }: ChangeTarget, verb: string, scope: Scope): string {
  if (query.order.length > 0 || query.limit !== null || query.offset > 0 || query.after !== null) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `order, limit, offset and after have no meaning in a request to ${verb} rows.`,
      remediation: "Name exactly the rows you mean with filters.",
    });
  }
  if (id === null && query.filters.length === 0) {
    throw dataErrors.VALIDATION_MISSING_FIELD({
      message: `A filter is missing: without one the request would ${verb} every row of ${scope.table.name}.`,
      remediation: `Add a filter such as ?id=eq.1. To ${verb} every row, say so with one that always holds.`,
    });
  }
  const key = id === null ? "" : idCondition(id, scope);
  const filters = filtersSql(query.filters, scope);
  return [key, filters].filter((condition) => condition !== "").join(" and ");
}
