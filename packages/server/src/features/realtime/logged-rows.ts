import { quoteIdent } from "../../engines/postgres/quote.ts";

/** A column of rows given as texts, and which of the arrays in `$1` holds its texts, counted from 0. */
export interface LoggedColumn {
  readonly name: string;
  /** The type as SQL, in full. */
  readonly type: string;
  readonly place: number;
}

/**
 * SQL that answers one `1` or `0` per row, in order, for rows given as texts: `$1` holds an array per column, behind a
 * first one that only counts the rows. The rows stand under the table's own name, as policies and filters name it. The
 * condition is in the select list, not in WHERE: there no join can change the order of rows.
 */
export function askOfRows(table: string, columns: readonly LoggedColumn[], condition: string): string {
  const cells = columns.map(({ name, type, place }) => `ambit_row.c${place}::${type} as ${quoteIdent(name)}`);
  const arrays = ["($1[1])::text[]", ...columns.map(({ place }) => `($1[${place + 2}])::text[]`)];
  const names = ["c", ...columns.map(({ place }) => `c${place}`)].join(", ");
  return (
    `select string_agg(case when ${condition} then '1' else '0' end, '') ` +
    `from (select ${cells.join(", ")} from unnest(${arrays.join(", ")}) as ambit_row(${names})) as ${quoteIdent(table)}`
  );
}
