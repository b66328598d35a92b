import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import type { FilterColumn } from "./filters/types.ts";
import { askOfRows } from "./logged-rows.ts";
import type { Mask } from "./record.ts";

/** The roles whose view of a table is limited. */
export type ViewerRole = "anon" | "user";
export const VIEWER_ROLES: readonly ViewerRole[] = ["anon", "user"];

/** What decides over one row: SQL for `ambit_helpers.judge_rows`, and the columns it wants, in that order. */
export interface Rule {
  readonly query: string;
  readonly columns: readonly string[];
}

/** What one role may see of a table. */
export interface RoleView {
  readonly rows: "all" | "none" | Rule;
  readonly mask: Mask;
}

/** A table as realtime knows it at one point of the log. */
export interface TableView {
  readonly table: string;
  /** False: there is no such table. */
  readonly exists: boolean;
  /** Its changes are broadcast. */
  readonly enabled: boolean;
  readonly columns: ReadonlySet<string>;
  /** The columns the log carries, in the table's order. */
  readonly columnTypes: readonly FilterColumn[];
  /** Names of the primary key's columns. */
  readonly key: readonly string[];
  /** Names and types of the columns the log carries; equal for a relation of the same form. */
  readonly form: string;
  readonly roles: Readonly<Record<ViewerRole, RoleView>>;
  /** Tables of the app that its policies read. */
  readonly dependsOn: readonly string[];
  /** The log does not carry all of those yet. */
  readonly unwatched: boolean;
  /** Its policies call functions that may be replaced by others of the same name. */
  readonly callsFunctions: boolean;
}

/** A column as the catalogue describes it. */
export interface CatalogColumn extends FilterColumn {
  readonly number: number;
  /** A virtual generated column: the log does not carry it. */
  readonly virtual: boolean;
  /** Who has the privilege to select it. */
  readonly anon: boolean;
  readonly user: boolean;
}

/** A policy for SELECT as the catalogue describes it. */
export interface CatalogPolicy {
  readonly permissive: boolean;
  /** The USING expression, all names in full. */
  readonly expression: string;
  readonly anon: boolean;
  readonly user: boolean;
  /** Numbers of the columns it names one by one. */
  readonly columns: readonly number[];
}

export interface CatalogTable {
  readonly table: string;
  readonly enabled: boolean;
  readonly rls: boolean;
  readonly columns: readonly CatalogColumn[];
  /** Names of the primary key's columns. */
  readonly key: readonly string[];
  readonly policies: readonly CatalogPolicy[];
  readonly dependsOn: readonly { readonly name: string; readonly watched: boolean }[];
}

/** The form of a relation as the log describes it, to compare with a view's. */
export const formOf = (relation: Relation): string =>
  relation.columns.map((column) => `${column.name}:${column.typeOid}`).join("\0");

export const noTable = (table: string): TableView => {
  const nothing: RoleView = { rows: "none", mask: new Set() };
  const roles = { anon: nothing, user: nothing };
  return {
    table,
    exists: false,
    enabled: false,
    columns: new Set(),
    columnTypes: [],
    key: [],
    form: "",
    roles,
    dependsOn: [],
    unwatched: false,
    callsFunctions: false,
  };
};

/** What follows from the catalogue for each role. Pure. */
export function viewOf(catalog: CatalogTable): TableView {
  const logged = catalog.columns.filter((column) => !column.virtual);
  return {
    table: catalog.table,
    exists: true,
    enabled: catalog.enabled,
    columns: new Set(logged.map((column) => column.name)),
    columnTypes: logged.map(({ name, type, typeOid, collation, labels }) => ({
      ...{ name, type, typeOid, collation, labels },
    })),
    key: catalog.key,
    form: logged.map((column) => `${column.name}:${column.typeOid}`).join("\0"),
    roles: { anon: roleView(catalog, "anon"), user: roleView(catalog, "user") },
    dependsOn: catalog.dependsOn.map((dependency) => dependency.name),
    unwatched: catalog.dependsOn.some((dependency) => !dependency.watched),
    callsFunctions: catalog.policies.some(({ expression }) => callsFunctions(expression)),
  };
}

/** Names of Postgres' own functions stand without a schema; ours are not replaced while policies use them. */
const callsFunctions = (expression: string): boolean =>
  /\.("[^"]+"|[\w$]+)\(|operator\(/i.test(expression.replaceAll(/\bambit_helpers\.\w+\(/g, "("));

function roleView(catalog: CatalogTable, role: ViewerRole): RoleView {
  const readable = catalog.columns.filter((column) => column[role]);
  const mask =
    readable.length === catalog.columns.length ? null : new Set(readable.map((column) => column.name));
  return { rows: readable.length === 0 ? "none" : rowsFor(catalog, role), mask };
}

/** PostgreSQL's rule (CREATE POLICY): any permissive policy and every restrictive one; none permissive, no rows. */
function rowsFor(catalog: CatalogTable, role: ViewerRole): RoleView["rows"] {
  if (!catalog.rls) return "all";
  const policies = catalog.policies.filter((policy) => policy[role]);
  const permissive = policies.filter((policy) => policy.permissive);
  const restrictive = policies.filter((policy) => !policy.permissive);
  if (permissive.length === 0) return "none";
  if (restrictive.length === 0 && permissive.some((policy) => policy.expression === "true")) return "all";
  const any = permissive.map((policy) => `(${policy.expression})`).join(" or ");
  const condition = [`(${any})`, ...restrictive.map((policy) => `(${policy.expression})`)].join(" and ");
  const numbers = new Set(policies.flatMap((policy) => policy.columns));
  // A whole row is printed `table.*`, and the catalogue does not list its columns.
  const wholeRow = condition.includes(".*");
  const named = catalog.columns.filter(
    ({ number, virtual }) => !virtual && (wholeRow || numbers.has(number)),
  );
  const columns = named.map(({ name, type }, place) => ({ name, type, place }));
  return { query: askOfRows(catalog.table, columns, condition), columns: named.map(({ name }) => name) };
}

/** Whether two views of a role show the same rows and columns, as far as the definitions tell. */
export function sameRoleView(a: RoleView, b: RoleView): boolean {
  const text = ({ rows, mask }: RoleView) =>
    JSON.stringify([typeof rows === "string" ? rows : rows.query, mask === null ? null : [...mask].sort()]);
  return text(a) === text(b);
}
