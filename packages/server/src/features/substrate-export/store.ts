import type pg from "pg";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { limits } from "./limits.ts";
import { EXPORTED, type ExportedTable } from "./tables.ts";

/*
 * This feature reads tables that belong to others, which nothing else does. An export is those tables, as they were at
 * one instant: through the services of their features it would be as many instants as pages, cut to what each of them
 * shows. It only reads, whole rows of one organisation, and a test compares the columns named in tables.ts with those
 * the database has, so that no change of a table is overlooked.
 */

/** What is done to a connection before anything is read: one snapshot for all that follows, and times in UTC. */
const BEGIN = `begin isolation level repeatable read read only;
  set local timezone = 'UTC'; set local idle_in_transaction_session_timeout = ${2 * limits.stallMs}`;

/** Statements of one table; the rows come as JSON text. */
function statementsOf({ type, table, of = "organization_id = $1", columns, order }: ExportedTable) {
  const named = columns.map(quoteIdent).join(", ");
  const by = order.map(quoteIdent).join(", ");
  return {
    declare: `declare ambit_export no scroll cursor for select row_to_json(line)::text as line from (
      select '${type}' as type, ${named} from ambit.${quoteIdent(table)} where ${of} order by ${by}
    ) as line`,
    fetch: `fetch ${limits.fetchRows} from ambit_export`,
    close: "close ambit_export",
  };
}

/** Every row of the organisation as a line of JSON, with its type, out of one snapshot; holds a few rows at a time. */
export async function* exportedRows(
  client: pg.ClientBase,
  organizationId: string,
): AsyncGenerator<{ readonly type: string; readonly line: string }> {
  await client.query(BEGIN);
  for (const exported of EXPORTED) {
    const { declare, fetch, close } = statementsOf(exported);
    await client.query(declare, [organizationId]);
    for (;;) {
      const { rows } = await client.query<{ line: string }>(fetch);
      for (const { line } of rows) yield { type: exported.type, line };
      if (rows.length < limits.fetchRows) break;
    }
    await client.query(close);
  }
  await client.query("commit");
}
