import { quoteIdent, quoteLiteral } from "../../engines/postgres/quote.ts";
import type { TableInfo } from "../schema/service.ts";
import type { Filter } from "./ast.ts";
import { newBudget, parseFilter } from "./filters.ts";
import { attempt, invalidFilterError } from "./query-params.ts";
import { SyntaxProblem } from "./scanner.ts";
import { filtersSql } from "./sql-filters.ts";
import { Params } from "./sql-scope.ts";

/** A table as conditions on its rows see it; a column's type is SQL in full and may name a collation. */
export interface ConditionTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly typeOid: number }[];
}

/**
 * Reads `<operator>.<value>` for one column, as a request for rows has it behind `<column>=`. The column is a plain name
 * or a path in JSON (`data->>key`). Pure.
 * @throws VALIDATION_INVALID_SCHEMA for what can't be read
 */
export function parseCondition(column: string, text: string): Filter {
  const path = column.includes("->") || column.startsWith('"');
  const key = path ? column : `"${column.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const filter = attempt(() => parseFilter(key, text, newBudget()));
  if (filter instanceof SyntaxProblem) {
    throw invalidFilterError([{ filter: `${column}=${text}`, problem: filter.message }]);
  }
  return filter;
}

/**
 * The conditions as SQL without parameters, over rows that stand under the table's own name: the text that a request
 * for rows puts into WHERE, with every value as a literal. Pure.
 * @throws VALIDATION_* for a column that is not among the table's and for what does not fit a column's type
 */
export function conditionSql(filters: readonly Filter[], table: ConditionTable): string {
  const alias = quoteIdent(table.name);
  const context = { schema: "", tables: new Map(), role: "service" as const };
  return filtersSql(filters, { context, table: infoOf(table), alias, params: new Literals() }) || "true";
}

/** Puts values into the text itself. */
class Literals extends Params {
  override add(value: string): string {
    return quoteLiteral(value);
  }
}

const infoOf = ({ name, columns }: ConditionTable): TableInfo => ({
  name,
  oid: 0,
  columns: columns.map((column) => ({
    ...column,
    nullable: true,
    hasDefault: false,
    generated: false,
    isArray: /\[\]( collate .*)?$/.test(column.type),
    hiddenFrom: [],
  })),
  primaryKey: [],
  foreignKeys: [],
  uniques: [],
  rlsEnabled: false,
  replicaIdentity: "default",
});
