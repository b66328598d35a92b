import { functionKind } from "./allow-list.ts";
import { items, strings } from "./ast.ts";
import { OUTPUT_COLUMNS } from "./function-aliases.ts";
import type { Visit } from "./judge.ts";

/** Rules for names: relations, columns, operators, collations. */

const CATALOG = "pg_catalog";
const INFORMATION_SCHEMA = "information_schema";

/** Schemas of operators, types and functions that are Postgres' own or installed by Ambit. */
export const isTrustedSchema = (schema: string): boolean => schema === CATALOG || schema === "extensions";

const SYSTEM_COLUMNS = new Set(["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"]);
const CATALOG_HINT =
  "Use manage_schema (action get) to see the app's tables, or information_schema in run_sql.";

/** A relation: one of the app, a name of a WITH, or, for reading in a statement, of information_schema. */
export function judgeRelation({ fields, scope, setting, findings, refuse }: Visit): void {
  const name = String(fields.relname ?? "");
  const schema = fields.schemaname === undefined ? undefined : String(fields.schemaname);
  if (fields.catalogname !== undefined) {
    refuse("SCHEMA_NOT_ALLOWED", "A table name takes at most a schema, not a database.", name);
    return;
  }
  if (schema === undefined) {
    if (!scope.writeTarget && scope.ctes.has(name)) return;
    if (name.startsWith("pg_")) {
      refuse("TABLE_NOT_ALLOWED", `"${name}" belongs to the system catalogue. ${CATALOG_HINT}`, name);
      return;
    }
  } else if (schema !== setting.appSchema) {
    const readable = setting.mode === "statement" && !scope.writeTarget && schema === INFORMATION_SCHEMA;
    if (!readable) {
      refuse("SCHEMA_NOT_ALLOWED", foreignSchemaMessage(schema), `${schema}.${name}`);
      return;
    }
  }
  const key = `${schema ?? ""}.${name}`;
  const write = scope.writeTarget || findings.tables.get(key)?.write === true;
  findings.tables.set(key, { ...(schema !== undefined && { schema }), name, write });
}

const foreignSchemaMessage = (schema: string): string =>
  schema === CATALOG || schema === INFORMATION_SCHEMA
    ? `Tables of ${schema} may not be used here. ${CATALOG_HINT}`
    : `Only the app's own tables may be used; "${schema}" is another schema. Write table names without a schema.`;

/** A column reference such as `a`, `t.a`, `t.*`. */
export function judgeColumn({ fields, scope, setting, findings, functionAliases, refuse }: Visit): void {
  const parts = strings(fields.fields);
  const star = items(fields.fields).at(-1)?.[0] === "A_Star";
  const column = star ? "*" : (parts.at(-1) ?? "");
  const subject = star ? [...parts, "*"].join(".") : parts.join(".");
  const qualifiers = star ? parts : parts.slice(0, -1);
  if (qualifiers.length > 2 || (qualifiers.length === 2 && !isReadableSchema(qualifiers[0]!, setting))) {
    refuse("SCHEMA_NOT_ALLOWED", "Write columns as column or table.column.", subject);
    return;
  }
  if (!star && qualifiers.length > 0 && mayBeCall(qualifiers.at(-1)!, column, functionAliases)) {
    const message = `"${subject}" could be read as the call ${column}(${qualifiers.at(-1)}). Give the function in FROM a column list, as in f(a), and use f.a.`;
    refuse("FUNCTION_NOT_ALLOWED", message, subject);
  }
  if (setting.mode === "statement") return;
  if (SYSTEM_COLUMNS.has(column)) {
    refuse("COLUMN_NOT_ALLOWED", `"${column}" is a system column; use a column of the table.`, subject);
  }
  if (scope.inSubquery) return;
  if (!setting.columns || star) {
    const message = star
      ? "An expression takes single columns, not *."
      : `A default cannot refer to columns; quote text as '${column}'.`;
    refuse("COLUMN_NOT_ALLOWED", message, subject);
    return;
  }
  findings.columns.add(column);
}

const isReadableSchema = (schema: string, setting: Visit["setting"]): boolean =>
  schema === setting.appSchema || (setting.mode === "statement" && schema === INFORMATION_SCHEMA);

function mayBeCall(qualifier: string, column: string, aliases: Visit["functionAliases"]): boolean {
  if (column.startsWith("pg_")) return true;
  const columns = aliases.get(qualifier);
  return columns !== undefined && !columns.has(column) && !isHarmlessField(column);
}

/** `(value).name` is a call of name(value) unless name is a column of the value. */
export function judgeFieldAccess({ fields, refuse }: Visit): void {
  for (const name of strings(fields.indirection)) {
    if (isHarmlessField(name)) continue;
    const message = `"(…).${name}" can be read as a call of ${name}(). Write table.column, or use -> and ->> on JSON.`;
    refuse("FUNCTION_NOT_ALLOWED", message, name);
  }
}

const isHarmlessField = (name: string): boolean =>
  OUTPUT_COLUMNS.has(name) || functionKind(name) === "scalar";

const judgeOperatorName = (name: unknown, refuse: Visit["refuse"]): void => {
  const parts = strings(name);
  if (parts.length <= 1 || (parts.length === 2 && isTrustedSchema(parts[0]!))) return;
  refuse("OPERATOR_NOT_ALLOWED", "Write operators without a schema.", parts.join("."));
};

/** An operator in an expression. */
export const judgeOperator = ({ fields, refuse }: Visit): void => judgeOperatorName(fields.name, refuse);

/** ORDER BY … USING operator. */
export const judgeSortOperator = ({ fields, refuse }: Visit): void => judgeOperatorName(fields.useOp, refuse);

/** value operator ANY/ALL (subquery). */
export const judgeSubqueryOperator = ({ fields, refuse }: Visit): void =>
  judgeOperatorName(fields.operName, refuse);

/** COLLATE: only collations of the system. */
export function judgeCollation({ fields, refuse }: Visit): void {
  const parts = strings(fields.collname);
  if (parts.length === 1 || (parts.length === 2 && parts[0] === CATALOG)) return;
  refuse("SCHEMA_NOT_ALLOWED", "Write collations without a schema.", parts.join("."));
}

/** $1 and its kind: a stored expression has nothing to fill them with. */
export function judgeParameter({ fields, setting, refuse }: Visit): void {
  if (setting.mode === "statement") return;
  refuse("PARAMETER_NOT_ALLOWED", "A stored expression cannot have parameters.", `$${fields.number ?? 0}`);
}
