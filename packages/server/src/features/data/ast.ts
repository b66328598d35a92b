/** What a request for rows says, before any of it is looked up in the tables of an app. */

/** One step into a JSON value. `asText` is `->>`, else `->`; a number is an array index. */
export interface PathStep {
  readonly key: string | number;
  readonly asText: boolean;
}

/** A column, or a place inside a JSON column. */
export interface ColumnPath {
  readonly column: string;
  readonly steps: readonly PathStep[];
}

export const COMPARISONS = [
  "eq",
  "neq",
  "gt",
  "gte",
  "lt",
  "lte",
  "like",
  "ilike",
  "fts",
  "cs",
  "cd",
] as const;
export type Comparison = (typeof COMPARISONS)[number];

export const IS_VALUES = ["null", "not_null", "true", "false", "unknown"] as const;
export type IsValue = (typeof IS_VALUES)[number];

/** A condition on rows, in SQL's three-valued logic. */
export type Filter =
  | {
      readonly kind: "compare";
      readonly path: ColumnPath;
      readonly op: Comparison;
      readonly value: string;
      readonly negated: boolean;
    }
  | {
      readonly kind: "in";
      readonly path: ColumnPath;
      readonly values: readonly string[];
      readonly negated: boolean;
    }
  | { readonly kind: "is"; readonly path: ColumnPath; readonly value: IsValue; readonly negated: boolean }
  | {
      readonly kind: "group";
      readonly join: "and" | "or";
      readonly terms: readonly Filter[];
      readonly negated: boolean;
    };

/** One item of `select`. */
export type SelectItem =
  | { readonly kind: "all" }
  | { readonly kind: "column"; readonly path: ColumnPath; readonly alias: string | null }
  | {
      readonly kind: "embed";
      readonly relation: string;
      /** After `!`: a foreign key, one of its columns, `one` or `many`. */
      readonly hints: readonly string[];
      readonly alias: string | null;
      readonly items: readonly SelectItem[];
    };

export interface OrderTerm {
  readonly path: ColumnPath;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** A whole request. `filters` all have to hold. */
export interface Query {
  readonly filters: readonly Filter[];
  /** Null: every column. */
  readonly select: readonly SelectItem[] | null;
  readonly order: readonly OrderTerm[];
  /** Null: the default. */
  readonly limit: number | null;
  readonly offset: number;
  /** A cursor; `""` asks for the first page with a cursor to go on from; null: no paging by cursor. */
  readonly after: string | null;
  /** Columns whose conflict makes an insert an update. */
  readonly onConflict: readonly string[] | null;
}

export const EMPTY_QUERY: Query = Object.freeze({
  filters: [],
  select: null,
  order: [],
  limit: null,
  offset: 0,
  after: null,
  onConflict: null,
});
