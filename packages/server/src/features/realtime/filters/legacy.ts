import { quoteIdent, quoteLiteral } from "../../../engines/postgres/quote.ts";
import { jsonRenderer } from "../../../engines/postgres/replication/json-text.ts";
import type { UserTypes } from "../../../engines/postgres/replication/user-types.ts";
import { inputProblem } from "../../../kernel/plain-input.ts";
import type { Compiled, Test } from "./compile.ts";
import { equalsJson } from "./equals-json.ts";
import type { FilterColumn } from "./types.ts";

/**
 * Equality of a column and a plain value, by their JSON: a number equals the same number written as a string, null
 * equals a column without a value.
 */
export interface Equality {
  readonly compiled: Compiled;
  readonly condition: string;
}

const OID = { json: 114, jsonb: 3802 } as const;
const FIRST_USER_OID = 16_384;
/** Levels of lists and objects in a value. */
const DEPTH = 100;

/** Equality of the column and `wanted`. Pure. */
export function equality(
  table: string,
  column: FilterColumn,
  wanted: unknown,
  types: UserTypes | undefined,
): Equality {
  // No value in Postgres has such a text in it.
  if (inputProblem(wanted, DEPTH) !== null)
    return { compiled: { test: () => false, total: true, mayFail: false }, condition: "false" };
  const json = jsonForm(column, types);
  const condition = equalitySql(`${quoteIdent(table)}.${quoteIdent(column.name)}`, json, wanted);
  if (json === "unknown") return { compiled: { test: () => "sql", total: false, mayFail: false }, condition };
  const render = jsonRenderer(column.typeOid, types);
  const test: Test = (row) => {
    const text = row(column.name);
    return text === undefined ? "sql" : equalsJson(wanted, text === null ? "null" : render(text));
  };
  return { compiled: { test, total: true, mayFail: false }, condition };
}

/** How the column's value becomes JSON: as Postgres makes it, verbatim, or as a string of its text form. */
type JsonForm = "made" | "verbatim" | "string" | "unknown";

function jsonForm({ typeOid }: FilterColumn, types: UserTypes | undefined): JsonForm {
  let oid = typeOid;
  while (oid >= FIRST_USER_OID) {
    if (types === undefined) return "unknown";
    const type = types.get(oid);
    if (type?.kind !== "domain") return type?.kind === "array" ? "made" : "string";
    oid = type.base;
  }
  return oid === OID.json ? "verbatim" : "made";
}

/** A number as JSON and JavaScript write it; longer ones are no numbers anybody means. */
const NUMBER = "'^-?[0-9]+(\\.[0-9]+)?(e[+-]?[0-9]{1,4})?$'";
const IS_NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d{1,4})?$/i;

/** The same as `equalsJson`, in SQL. */
function equalitySql(column: string, form: JsonForm, wanted: unknown): string {
  const json =
    form === "verbatim"
      ? `${column}::text`
      : form === "string"
        ? `to_jsonb(${column}::text)::text`
        : `to_jsonb(${column})::text`;
  if (wanted === null) return `coalesce(${json}, 'null') = 'null'`;
  if (typeof wanted === "boolean") return `${json} = '${wanted}'`;
  if (typeof wanted === "string") return stringSql(json, column, form, wanted);
  if (typeof wanted === "number") {
    const bare = `(case when left(${json}, 1) = '"' then substr(${json}, 2, length(${json}) - 2) else ${json} end)`;
    return sameNumberSql(bare, String(wanted));
  }
  const literal = quoteLiteral(JSON.stringify(wanted));
  return `(case when left(${json}, 1) in ('{', '[') then ${json}::jsonb = ${literal}::jsonb else false end)`;
}

function stringSql(json: string, column: string, form: JsonForm, wanted: string): string {
  const literal = quoteLiteral(wanted);
  const same =
    form === "verbatim"
      ? `(${column} #>> '{}') collate "C" = ${literal}`
      : `${json} collate "C" = to_jsonb(${literal}::text)::text`;
  return `(case when left(${json}, 1) = '"' then ${same} else ${sameNumberSql(json, wanted)} end)`;
}

const sameNumberSql = (text: string, wanted: string): string =>
  IS_NUMBER.test(wanted)
    ? `(case when length(${text}) <= 10000 and ${text} ~* ${NUMBER} then ${text}::numeric = ${quoteLiteral(wanted)}::numeric else false end)`
    : "false";
