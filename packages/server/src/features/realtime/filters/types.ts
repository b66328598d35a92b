import type { UserTypes } from "../../../engines/postgres/replication/user-types.ts";
import type { RowReader } from "../policies/types.ts";

/**
 * How a column's texts are told apart: `bytes` compares their bytes (the collation C and its kin), `equality` only tells
 * equal from different by bytes and orders them in its own way.
 */
export type TextCollation = "bytes" | "equality";

/** A column as filters see it. */
export interface FilterColumn {
  readonly name: string;
  /** The type as SQL, in full. */
  readonly type: string;
  readonly typeOid: number;
  /** Null or absent: not known, or equal texts may have different bytes; Postgres is asked then. */
  readonly collation?: TextCollation | null | undefined;
  /** The values of an enum. */
  readonly labels?: readonly string[] | null | undefined;
}

/** A table as a client's filter may speak of it. */
export interface FilterTable {
  readonly name: string;
  /** The columns that the log carries. */
  readonly columns: readonly FilterColumn[];
  /** Whether who asks may read a column. */
  readable(column: string): boolean;
  /** User-made types, which the JSON form of values depends on; without it such columns are left to Postgres. */
  readonly types?: UserTypes | undefined;
}

/** Why a filter can't be taken, in words for the client; `limit` names the limit it exceeds, for the metric. */
export interface FilterProblem {
  readonly problem: string;
  readonly limit?: string;
}

/** A client's own condition on rows, ready to be asked. */
export interface RowFilter {
  /** Equal for filters that say the same: they are asked once per row. */
  readonly key: string;
  /** Columns it reads. */
  readonly columns: readonly string[];
  /** False: `test` answers `sql` only where the log has no value of a column. */
  readonly needsSql: boolean;
  /**
   * Whether it lets a row through, by the same rules as the data API's SQL; `sql` where only Postgres can tell (its
   * answer is asked for in a batch, with `condition`) and where the log has no value of a column it needs. What SQL
   * leaves unknown (a column without a value) is not let through.
   */
  test(row: RowReader): boolean | "sql";
  /** SQL over the row under the table's own name, without parameters; what the data API would put into WHERE. */
  readonly condition: string;
}
