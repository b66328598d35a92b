import type { ColumnType } from "./column-type.ts";

/** What an app's schema is, as the catalogue of Postgres has it, or as a document wants it. */

/** Callers whose reading of a column can be taken away. Service always reads everything. */
export type Reader = "anon" | "user";
export const READERS: readonly Reader[] = ["anon", "user"];

export type Identity = "always" | "by_default";

export interface ColumnModel {
  readonly name: string;
  readonly type: ColumnType;
  /** Numbered by a sequence that the column owns. */
  readonly serial: boolean;
  readonly identity: Identity | null;
  readonly notNull: boolean;
  /** SQL text; null also for serial, identity and generated columns. */
  readonly default: string | null;
  readonly generated: string | null;
  readonly comment: string | null;
  readonly hiddenFrom: readonly Reader[];
}

export interface UniqueModel {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface CheckModel {
  readonly name: string;
  readonly expression: string;
  /** Columns the expression names; empty where that is not known. */
  readonly columns: readonly string[];
}

export type ReferenceAction = "NO ACTION" | "RESTRICT" | "CASCADE" | "SET NULL" | "SET DEFAULT";

export interface ForeignKeyModel {
  readonly name: string;
  readonly columns: readonly string[];
  readonly refTable: string;
  readonly refColumns: readonly string[];
  readonly onDelete: ReferenceAction;
  readonly onUpdate: ReferenceAction;
}

/** One key of an index: a column or an expression. */
export interface IndexKey {
  readonly column: string | null;
  readonly expression: string | null;
  /** Null: the default of the type. */
  readonly opclass: string | null;
  readonly order: "asc" | "desc";
  readonly nulls: "first" | "last";
}

export interface IndexModel {
  readonly name: string;
  readonly unique: boolean;
  readonly method: string;
  readonly keys: readonly IndexKey[];
  readonly where: string | null;
  /** Columns that keys and condition name; empty where that is not known. */
  readonly columns: readonly string[];
}

export interface TableModel {
  readonly name: string;
  readonly comment: string | null;
  readonly columns: readonly ColumnModel[];
  readonly primaryKey: { readonly name: string; readonly columns: readonly string[] } | null;
  readonly uniques: readonly UniqueModel[];
  readonly checks: readonly CheckModel[];
  readonly foreignKeys: readonly ForeignKeyModel[];
  readonly indexes: readonly IndexModel[];
  /** Readers who hold SELECT on the whole table rather than on single columns. */
  readonly wholeReaders: readonly Reader[];
  readonly rlsEnabled: boolean;
  readonly policies: readonly string[];
  readonly triggers: readonly string[];
  /** Sequence of each serial column: column → sequence. */
  readonly sequences: ReadonlyMap<string, string>;
}

export interface SchemaModel {
  readonly appId: string;
  readonly tables: ReadonlyMap<string, TableModel>;
  /** Name → values in their order. */
  readonly enums: ReadonlyMap<string, readonly string[]>;
  /** Types of extensions that this database has, e.g. citext, vector. */
  readonly extensionTypes: ReadonlySet<string>;
}

export const columnOf = (table: TableModel | undefined, name: string): ColumnModel | undefined =>
  table?.columns.find((column) => column.name === name);
