import { z } from "zod";
import { limits } from "./limits.ts";
import type { CheckModel, ColumnModel, ForeignKeyModel, IndexModel, UniqueModel } from "./model.ts";

/** The document: what may stand in it, piece by piece, and what it comes to once read. */

const name = z.string();
const names = z.array(name).min(1).max(limits.columnsPerKey);
const sql = z.string().trim().min(1);
const comment = z.string().max(limits.commentChars).nullable();
const action = z
  .string()
  .regex(
    /^(no[ _]action|restrict|cascade|set[ _]null|set[ _]default)$/i,
    "use NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT",
  );

/** A column; it describes the column fully, so what is left out is off. */
export const columnShape = z.strictObject({
  type: z.string(),
  primaryKey: z.boolean().optional(),
  nullable: z.boolean().optional(),
  default: z
    .union([sql, z.number(), z.boolean(), z.null()], {
      error: "a default is SQL text, e.g. now() or 'draft'",
    })
    .optional(),
  unique: z.boolean().optional(),
  references: z
    .union(
      [
        z.string().regex(/^[^.\s]+\.[^.\s]+$/),
        z.strictObject({
          table: name,
          column: name,
          onDelete: action.optional(),
          onUpdate: action.optional(),
        }),
      ],
      { error: 'references is "table.column" or {table, column, onDelete?, onUpdate?}' },
    )
    .optional(),
  check: sql.optional(),
  generated: sql.optional(),
  identity: z.enum(["always", "by_default"]).optional(),
  comment: comment.optional(),
  readableBy: z.array(z.enum(["anon", "user", "service"])).optional(),
  renamedFrom: name.optional(),
  allowTypeChange: z.boolean().optional(),
});

const indexKey = z.strictObject({
  column: name.optional(),
  expression: sql.optional(),
  opclass: name.optional(),
  order: z.enum(["asc", "desc"]).optional(),
  nulls: z.enum(["first", "last"]).optional(),
});

export const indexShape = z.strictObject({
  columns: z
    .array(
      z.union([name, indexKey], {
        error: "a key is a column name or {column or expression, opclass?, order?, nulls?}",
      }),
    )
    .min(1)
    .max(limits.columnsPerKey),
  unique: z.boolean().optional(),
  method: z.enum(["btree", "hash", "gist", "gin", "hnsw", "ivfflat"]).optional(),
  opclass: name.optional(),
  where: sql.optional(),
});

export const uniqueShape = z.strictObject({ columns: names });

export const foreignKeyShape = z.strictObject({
  columns: names,
  table: name,
  refColumns: names,
  onDelete: action.optional(),
  onUpdate: action.optional(),
});

const part = z.record(z.string(), z.unknown());

/** A table; what is left out is left as it is. */
export const tableShape = z.strictObject({
  columns: part.optional(),
  primaryKey: names.optional(),
  indexes: part.optional(),
  uniques: part.optional(),
  checks: z.record(z.string(), sql).optional(),
  foreignKeys: part.optional(),
  comment: comment.optional(),
  renamedFrom: name.optional(),
  _dropColumns: z.array(name).optional(),
  _dropIndexes: z.array(name).optional(),
  _dropUniques: z.array(name).optional(),
  _dropChecks: z.array(name).optional(),
  _dropForeignKeys: z.array(name).optional(),
  _dropPrimaryKey: z.boolean().optional(),
  _seed: z.array(part).max(limits.seedRows).optional(),
});
export type TablePart = z.infer<typeof tableShape>;

export const documentShape = z.strictObject({
  tables: part.optional(),
  enums: z.record(z.string(), z.array(z.string().min(1)).min(1).max(limits.enumValues)).optional(),
  _drop: z.array(name).optional(),
  _dropEnums: z.array(name).optional(),
  _dropEnumValues: z.record(z.string(), z.array(z.string())).optional(),
});

/** Something wrong with a document: where, as a JSON pointer, and what. */
export interface DocumentProblem {
  readonly pointer: string;
  readonly message: string;
  readonly code?: "reserved" | undefined;
}

export interface DeclaredColumn extends ColumnModel {
  readonly primaryKey: boolean;
  readonly renamedFrom: string | null;
  readonly allowTypeChange: boolean;
}

/** A table as the document wants it. Constraints that columns declare are among the table's. */
export interface DeclaredTable {
  readonly name: string;
  readonly renamedFrom: string | null;
  /** Undefined: leave it as it is. */
  readonly comment: string | null | undefined;
  readonly columns: readonly DeclaredColumn[];
  /** The list at the table; null when only columns say it. */
  readonly primaryKey: readonly string[] | null;
  readonly uniques: readonly UniqueModel[];
  readonly checks: readonly CheckModel[];
  readonly foreignKeys: readonly ForeignKeyModel[];
  readonly indexes: readonly IndexModel[];
  readonly drop: {
    readonly columns: ReadonlySet<string>;
    readonly indexes: ReadonlySet<string>;
    readonly uniques: ReadonlySet<string>;
    readonly checks: ReadonlySet<string>;
    readonly foreignKeys: ReadonlySet<string>;
    readonly primaryKey: boolean;
  };
  readonly seed: readonly Readonly<Record<string, unknown>>[];
}

export interface Declared {
  readonly tables: readonly DeclaredTable[];
  readonly enums: ReadonlyMap<string, readonly string[]>;
  readonly drop: ReadonlySet<string>;
  readonly dropEnums: ReadonlySet<string>;
  readonly dropEnumValues: ReadonlyMap<string, ReadonlySet<string>>;
}
