import { quoteIdent } from "../../engines/postgres/quote.ts";
import type { TenantRole } from "../../engines/postgres/tenant.ts";
import type { ColumnInfo, TableInfo } from "../schema/service.ts";
import { dataErrors } from "./errors.ts";
import { columnOf, type Tables } from "./tables.ts";

/** What names in a request are looked up in, and for whom. */
export interface SqlContext {
  /** The app's schema. */
  readonly schema: string;
  readonly tables: Tables;
  readonly role: TenantRole;
}

/** One table within a statement that is being built. */
export interface Scope {
  readonly context: SqlContext;
  readonly table: TableInfo;
  /** What the statement calls the table. */
  readonly alias: string;
  readonly params: Params;
}

/** Collects the values of a statement; the only way a value of a caller gets near SQL. */
export class Params {
  readonly values: (string | null)[] = [];

  /** Keeps a value and gives its place, `$n`. */
  add(value: string): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/**
 * A statement's text, marked with the role it runs as. Postgres plans a prepared statement anew whenever the role
 * changes under row-level security; with a text per role each role keeps its plan on a connection they share.
 */
export const textFor = ({ role }: SqlContext, text: string): string => `${text} /* ${role} */`;

/** The qualified name of a table. */
export const tableSql = (context: SqlContext, table: TableInfo): string =>
  `${quoteIdent(context.schema)}.${quoteIdent(table.name)}`;

/** A column over the alias: `t."title"`. */
export const columnSql = ({ alias }: Scope, name: string): string => `${alias}.${quoteIdent(name)}`;

const isHidden = (column: ColumnInfo, role: TenantRole): boolean =>
  column.hiddenFrom.some((reader) => reader === role);

/** The columns this caller may read, and whether that is all of them. */
export function visibleColumns({ context, table }: Scope): { names: string[]; all: boolean } {
  const names = table.columns.filter((column) => !isHidden(column, context.role)).map(({ name }) => name);
  return { names, all: names.length === table.columns.length };
}

/** @throws VALIDATION_COLUMN_NOT_FOUND; AUTH_RLS_POLICY_VIOLATION when this caller may not read the column. */
export function readableColumn({ context, table }: Scope, name: string): ColumnInfo {
  const column = columnOf(table, name);
  if (!isHidden(column, context.role)) return column;
  throw dataErrors.AUTH_RLS_POLICY_VIOLATION({
    message: `The column ${name} of ${table.name} is not readable for this caller.`,
    remediation: "Leave the column out, or have its visibility changed with manage_schema.",
  });
}
