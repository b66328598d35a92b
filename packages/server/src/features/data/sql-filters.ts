import { errors } from "../../kernel/errors.ts";
import type { ColumnInfo } from "../schema/service.ts";
import type { ColumnPath, Comparison, Filter } from "./ast.ts";
import { dataErrors } from "./errors.ts";
import { pathText } from "./paths.ts";
import { columnSql, type Params, readableColumn, type Scope } from "./sql-scope.ts";

/** Object ids of types that Postgres itself fixes (pg_type.dat). */
const OID = { json: 114, jsonb: 3802, tsvector: 3614 } as const;

const isJson = (column: ColumnInfo): boolean => column.typeOid === OID.json || column.typeOid === OID.jsonb;

/** A column or a place inside it as an SQL expression over the alias of its table. */
export function pathSql(path: ColumnPath, scope: Scope): string {
  const column = readableColumn(scope, path.column);
  const plain = columnSql(scope, column.name);
  if (path.steps.length === 0) return plain;
  if (!isJson(column)) {
    throw dataErrors.VALIDATION_INVALID_TYPE({
      message: `${pathText(path)} looks inside ${column.name}, which is ${column.type} and not JSON.`,
      remediation: "Use -> and ->> on columns of type json or jsonb only.",
    });
  }
  const steps = path.steps.map(({ key, asText }) => {
    const place = scope.params.add(String(key)) + (typeof key === "number" ? "::int" : "::text");
    return `${asText ? "->>" : "->"}${place}`;
  });
  return `(${plain}${column.typeOid === OID.json ? "::jsonb" : ""}${steps.join("")})`;
}

/** Every condition has to hold; `""` when there is none. */
export function filtersSql(filters: readonly Filter[], scope: Scope): string {
  return filters.map((filter) => filterSql(filter, scope)).join(" and ");
}

function filterSql(filter: Filter, scope: Scope): string {
  const sql = filter.kind === "group" ? groupSql(filter, scope) : termSql(filter, scope);
  return filter.negated ? `not (${sql})` : sql;
}

const groupSql = ({ join, terms }: Extract<Filter, { kind: "group" }>, scope: Scope): string =>
  `(${terms.map((term) => filterSql(term, scope)).join(` ${join} `)})`;

function termSql(filter: Exclude<Filter, { kind: "group" }>, scope: Scope): string {
  const column = readableColumn(scope, filter.path.column);
  const left = pathSql(filter.path, scope);
  if (filter.kind === "is") return `${left} is ${filter.value.replace("_", " ")}`;
  if (filter.kind === "in") return inSql(left, column.isArray, filter.values, scope.params);
  return compareSql(
    filter.op,
    left,
    filter.value,
    filter.path.steps.length > 0 ? null : column,
    scope.params,
  );
}

/** One parameter for the whole list, so that lists of any length share a plan. Arrays have no type of arrays. */
function inSql(left: string, isArray: boolean, values: readonly string[], params: Params): string {
  if (!isArray) return `${left} = any(${params.add(arrayLiteral(values))})`;
  if (values.length === 0) return "false";
  return `(${values.map((value) => `${left} = ${params.add(value)}`).join(" or ")})`;
}

const SYMBOLS: Readonly<Record<Exclude<Comparison, "fts">, string>> = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  like: "like",
  ilike: "ilike",
  cs: "@>",
  cd: "<@",
};

function compareSql(
  op: Comparison,
  left: string,
  value: string,
  column: ColumnInfo | null,
  params: Params,
): string {
  if (op === "fts") return ftsSql(left, column, params.add(value));
  const contains = op === "cs" || op === "cd";
  const right = contains && column?.isArray && value.startsWith("[") ? arrayFromJson(value) : value;
  return `${left} ${SYMBOLS[op]} ${params.add(right)}`;
}

/** English full text, all words wanted. A column that is a tsvector already is searched as it is. */
function ftsSql(left: string, column: ColumnInfo | null, query: string): string {
  if (column?.typeOid === OID.tsvector) return `${left} @@ plainto_tsquery('english', ${query})`;
  const text = column !== null && isJson(column) ? left : `${left}::text`;
  return `to_tsvector('english', ${text}) @@ plainto_tsquery('english', ${query})`;
}

/** `["a","b"]` as Postgres writes arrays. */
function arrayFromJson(text: string): string {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    values = null;
  }
  if (!Array.isArray(values) || values.some((value) => value === null || typeof value === "object")) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `${text.slice(0, 80)} is not a JSON array of plain values.`,
      remediation: 'Write cs.{a,b} or cs.["a","b"].',
    });
  }
  return arrayLiteral(values.map(String));
}

/** The text form of an array, every element quoted (manual, 8.15.6). */
export function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(",")}}`;
}
