import { quoteIdent } from "../../engines/postgres/quote.ts";
import { errors } from "../../kernel/errors.ts";
import type { TableInfo } from "../schema/service.ts";
import type { ColumnPath, SelectItem } from "./ast.ts";
import { limits } from "./limits.ts";
import { resolveRelation } from "./relations.ts";
import { pathSql } from "./sql-filters.ts";
import { columnSql, readableColumn, type Scope, tableSql, visibleColumns } from "./sql-scope.ts";

/**
 * What `select` asks for as an SQL select list over the alias, e.g. `t."id", (select …) as "author"`; null when it is
 * the whole row and nothing else.
 */
export function selectionSql(asked: readonly SelectItem[] | null, scope: Scope): string | null {
  const items: readonly SelectItem[] = asked ?? [{ kind: "all" }];
  const visible = visibleColumns(scope);
  if (visible.all && items.every(({ kind }) => kind === "all")) return null;
  const parts = new Map<string, string>();
  const add = (label: string, sql: string) => {
    const before = parts.get(label);
    if (before === undefined) parts.set(label, sql);
    else if (before !== sql) {
      throw errors.VALIDATION_INVALID_SCHEMA({
        message: `Two items of select are called ${label}.`,
        remediation: "Give one of them another name: alias:column.",
      });
    }
  };
  for (const item of items) {
    if (item.kind === "all") {
      for (const name of visible.names) add(name, columnSql(scope, name));
    } else if (item.kind === "column") {
      const sql = pathSql(item.path, scope);
      add(item.alias ?? labelOf(item.path, scope.table), sql);
    } else add(item.alias ?? embedLabel(item.relation), embedSql(item, scope));
  }
  return [...parts].map(([label, sql]) => `${sql} as ${quoteIdent(label)}`).join(", ");
}

/** One row as JSON text's source: `row_to_json(t.*)`, or of the selection over it. */
export const rowSql = (selection: string | null, alias: string): string =>
  selection === null ? `row_to_json(${alias}.*)` : `(select row_to_json(x.*) from (select ${selection}) x)`;

/** A label that is not a column's own name has to be one that may stand in SQL. */
const PLAIN = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** `meta->a->>b` is called b; an array index is called after what it is an index of. */
function labelOf(path: ColumnPath, table: TableInfo): string {
  if (path.steps.length === 0) return path.column;
  const key = path.steps.map((step) => step.key).findLast((name) => typeof name === "string");
  if (key === undefined) return path.column;
  if (PLAIN.test(String(key))) return String(key);
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: `The place in ${table.name}.${path.column} needs a name of its own in the answer.`,
    remediation: "Write alias:column->key.",
  });
}

function embedLabel(relation: string): string {
  if (PLAIN.test(relation)) return relation;
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: "The related table needs a plain name in the answer.",
    remediation: "Write alias:table(columns).",
  });
}

/** Related rows as a scalar subquery, under the same role: policies of the other table hold as in a request of its own. */
function embedSql(item: Extract<SelectItem, { kind: "embed" }>, scope: Scope): string {
  const { context, params } = scope;
  const relation = resolveRelation(context.tables, scope.table, item.relation, item.hints);
  const inner: Scope = { context, table: relation.table, alias: "r", params };
  const list = selectionSql(item.items, inner) ?? "r.*";
  for (const [own, other] of relation.on) {
    readableColumn(scope, own);
    readableColumn(inner, other);
  }
  const on = relation.on
    .map(([own, other]) => `${columnSql(inner, other)} = ${columnSql(scope, own)}`)
    .join(" and ");
  const rows = `select ${list} from ${tableSql(context, relation.table)} r where ${on}`;
  if (!relation.many) return `(select row_to_json(e.*) from (${rows} limit 1) e)`;
  const visible = new Set(visibleColumns(inner).names);
  const keys = relation.table.primaryKey
    .filter((column) => visible.has(column))
    .map((column) => columnSql(inner, column))
    .join(", ");
  const order = keys === "" ? "" : ` order by ${keys}`;
  return `(select coalesce(json_agg(e.*), '[]') from (${rows}${order} limit ${limits.embeddedRows}) e)`;
}
