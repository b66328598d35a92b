import type { Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { HELPER_SCHEMA } from "../../engines/postgres/tenant.ts";
import { fillTriggerName } from "./names.ts";

/** One function per app, in its schema and owned by its owner. */
const FUNCTION = "_ambit_fill_user_id";

/**
 * Puts the caller's id into a column that the caller leaves empty. The trigger knows the column by its number, which
 * a rename does not change, and only calls the function when the column is null.
 */
const FUNCTION_SQL = `
create or replace function ${quoteIdent(FUNCTION)}() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp
as $ambit$
declare
  filled name := (select attname from pg_attribute where attrelid = tg_relid and attnum = tg_argv[0]::int2);
begin
  return jsonb_populate_record(new, jsonb_build_object(filled, ${HELPER_SCHEMA}.current_user_id()));
end
$ambit$`;

/** Installs the trigger, in place of one for another column. */
export async function installFillTrigger(
  tx: Queryable,
  table: string,
  column: { name: string; number: number },
): Promise<void> {
  const trigger = quoteIdent(fillTriggerName(table));
  await tx.query(FUNCTION_SQL);
  await tx.query(
    `create or replace trigger ${trigger} before insert on ${quoteIdent(table)} for each row when (new.${quoteIdent(column.name)} is null) execute function ${quoteIdent(FUNCTION)}('${column.number}')`,
  );
}

export async function removeFillTrigger(tx: Queryable, table: string): Promise<void> {
  await tx.query(`drop trigger if exists ${quoteIdent(fillTriggerName(table))} on ${quoteIdent(table)}`);
}
