import type { Statement } from "../../engines/postgres/one-trip.ts";
import type { TableInfo } from "../schema/service.ts";
import type { Query } from "./ast.ts";
import { afterSql, decodeCursor, type OrderKey, orderSignature } from "./cursor.ts";
import { dataErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { pathText } from "./paths.ts";
import { filtersSql, pathSql } from "./sql-filters.ts";
import {
  columnSql,
  Params,
  readableColumn,
  type Scope,
  type SqlContext,
  tableSql,
  textFor,
  visibleColumns,
} from "./sql-scope.ts";
import { rowSql, selectionSql } from "./sql-selection.ts";
import { columnOf } from "./tables.ts";

/** A list of rows, ready to be asked for. Answers one row: body or null if too large, rows, last key, total. */
export interface ListPlan {
  readonly statement: Statement;
  readonly limit: number;
  readonly offset: number;
  readonly defaultLimit: boolean;
  /** The order the last key belongs to; null when there is none to go on by. */
  readonly signature: string | null;
}

/** What a list is asked for besides the query itself. */
export interface ListOptions {
  /** Count all rows that match, whatever the limit. */
  readonly count: boolean;
  /** Give a cursor even if no order was asked for. */
  readonly cursor: boolean;
}

/** Compiles a list. Pure; every name comes from `table`, every value of the caller is a parameter. */
export function buildList(
  context: SqlContext,
  table: TableInfo,
  query: Query,
  options: ListOptions,
): ListPlan {
  const params = new Params();
  const scope: Scope = { context, table, alias: "t", params };
  const from = `${tableSql(context, table)} t`;
  const filters = filtersSql(query.filters, scope);
  const keys = orderKeys(query, scope);
  const paged = keys.unique && (options.cursor || query.after !== null || query.order.length > 0);
  const order = paged ? keys.all : keys.asked;
  const signature = paged ? orderSignature(order) : null;
  const limit = query.limit ?? limits.defaultRows;

  const after = afterCondition(query, keys, scope);
  const where = [filters, after].filter((condition) => condition !== "").join(" and ");
  const page =
    `select ${allColumns(scope)} from ${from}${whereSql(where)}${orderSql(order)} limit ${limit}` +
    (query.offset === 0 ? "" : ` offset ${params.add(String(query.offset))}`);
  const selection = selectionSql(query.select, scope);
  const rows = selection === null ? `(${page}) t` : `(${page}) t, lateral (select ${selection}) x`;
  const answer = [
    `coalesce(json_agg(${selection === null ? "t" : "x"}.*), '[]')::text as body`,
    "count(*) as rows",
    paged && limit > 0 ? `(array_agg(${lastKeySql(order)}))[${limit}] as last` : "null::text as last",
    options.count ? `(select count(*) from ${from}${whereSql(filters)}) as total` : "null::bigint as total",
  ];
  return {
    statement: {
      text: textFor(context, bounded(`select ${answer.join(", ")} from ${rows}`)),
      values: params.values,
    },
    limit,
    offset: query.offset,
    defaultLimit: query.limit === null,
    signature,
  };
}

/** Compiles the reading of one row by its primary key, `id`. Answers its JSON text, or no row. */
export function buildGet(context: SqlContext, table: TableInfo, id: string, query: Query): Statement {
  const params = new Params();
  const scope: Scope = { context, table, alias: "t", params };
  const key = idCondition(id, scope);
  const filters = filtersSql(query.filters, scope);
  const selection = selectionSql(query.select, scope);
  const where = filters === "" ? key : `${key} and ${filters}`;
  const row = `select ${rowSql(selection, "t")}::text as body from ${tableSql(context, table)} t where ${where}`;
  // OFFSET 0 keeps Postgres from rendering the row once for its length and once more for itself.
  return { text: textFor(context, `select ${boundedBody} from (${row} offset 0) p`), values: params.values };
}

/** What an id looks like, by object id of the type: uuid; int8, int2, int4. Others are left to Postgres. */
const ID_SYNTAX: ReadonlyMap<number, RegExp> = new Map([
  [2950, /^\{?([0-9a-f]{4}-?){8}\}?$/i],
  ...[20, 21, 23].map((oid): [number, RegExp] => [oid, /^[+-]?\d{1,20}$/]),
]);

/** @throws VALIDATION_INVALID_TYPE for an id of the wrong form, and when the table has no primary key of one column. */
export function idCondition(id: string, scope: Scope): string {
  const { table, params } = scope;
  const [column, ...more] = table.primaryKey;
  if (column === undefined || more.length > 0) {
    throw dataErrors.VALIDATION_INVALID_TYPE({
      message:
        column === undefined
          ? `${table.name} has no primary key, so no row of it has an id.`
          : `The primary key of ${table.name} has several columns: ${table.primaryKey.join(", ")}.`,
      remediation: "Name the row with filters instead: /<table>?<column>=eq.<value>.",
    });
  }
  const syntax = ID_SYNTAX.get(columnOf(table, column).typeOid);
  if (syntax !== undefined && !syntax.test(id)) {
    throw dataErrors.VALIDATION_INVALID_TYPE({
      message: `${id.slice(0, 80)} is not a value of ${table.name}.${column} (${columnOf(table, column).type}).`,
      remediation: "Put the row's primary key into the path.",
    });
  }
  return `${columnSql(scope, column)} = ${params.add(id)}`;
}

/** What the page hands on: everything the caller may read; Postgres drops what is not used. */
function allColumns(scope: Scope): string {
  const { names, all } = visibleColumns(scope);
  return all ? "t.*" : names.map((name) => columnSql(scope, name)).join(", ");
}

const whereSql = (condition: string): string => (condition === "" ? "" : ` where ${condition}`);

/** Postgres sends the body of `p` only if it is not too large to be held and passed on. */
export const boundedBody = `case when octet_length(p.body) <= ${limits.responseBytes} then p.body end`;

const bounded = (answer: string): string =>
  `select ${boundedBody}, p.rows, p.last, p.total from (${answer}) p`;

interface Order {
  readonly asked: readonly OrderKey[];
  /** With what makes it unique appended. */
  readonly all: readonly OrderKey[];
  readonly unique: boolean;
}

function orderKeys(query: Query, scope: Scope): Order {
  const asked = new Map<string, OrderKey>();
  for (const { path, descending, nullsFirst } of query.order) {
    const name = pathText(path);
    if (asked.has(name)) continue;
    const nullable = path.steps.length > 0 || readableColumn(scope, path.column).nullable;
    asked.set(name, { sql: pathSql(path, scope), name, descending, nullsFirst, nullable });
  }
  const key = uniqueKey(scope);
  const all = new Map(asked);
  for (const name of key ?? []) {
    if (all.has(name)) continue;
    all.set(name, {
      sql: columnSql(scope, name),
      name,
      descending: false,
      nullsFirst: false,
      nullable: false,
    });
  }
  return { asked: [...asked.values()], all: [...all.values()], unique: key !== null };
}

/** Columns that tell any two rows apart and that the caller may read. */
function uniqueKey(scope: Scope): readonly string[] | null {
  const { table } = scope;
  const visible = new Set(visibleColumns(scope).names);
  const solid = (columns: readonly string[]) =>
    columns.length > 0 && columns.every((name) => visible.has(name) && !readableColumn(scope, name).nullable);
  return [table.primaryKey, ...table.uniques].find(solid) ?? null;
}

/** Nulls are placed in words only where it is not Postgres' own place, so that plain indexes serve the order. */
function orderSql(keys: readonly OrderKey[]): string {
  if (keys.length === 0) return "";
  const terms = keys.map(({ sql, descending, nullsFirst, nullable }) => {
    const nulls = nullable && nullsFirst !== descending ? ` nulls ${nullsFirst ? "first" : "last"}` : "";
    return `${sql}${descending ? " desc" : ""}${nulls}`;
  });
  return ` order by ${terms.join(", ")}`;
}

const lastKeySql = (keys: readonly OrderKey[]): string =>
  `json_build_array(${keys.map(({ sql }) => `${sql}::text`).join(", ")})::text`;

function afterCondition(query: Query, keys: Order, { table, params }: Scope): string {
  if (query.after === null) return "";
  if (!keys.unique) {
    throw dataErrors.VALIDATION_INVALID_CURSOR({
      message: `${table.name} has no key that tells its rows apart, so there is no paging by cursor.`,
      remediation: "Give the table a primary key, or page with limit and offset.",
    });
  }
  if (query.after === "") return "";
  const values = decodeCursor(query.after, orderSignature(keys.all), keys.all.length);
  const places = new Map<number, string>();
  return afterSql(keys.all, values, (index) => {
    const known = places.get(index) ?? params.add(values[index] ?? "");
    places.set(index, known);
    return known;
  });
}
