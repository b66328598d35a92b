import type { Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent, quoteLiteral } from "../../engines/postgres/quote.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import { refusedByPostgres, sqlRefusal } from "./expression.ts";
import type { Command, Policy, PolicyRole } from "./policy.ts";
import type { SecuredTable } from "./store.ts";

/** Claims of a caller who does not exist, in the form in which end users come. */
const NOBODY = "00000000-0000-4000-8000-000000000000";

/** One statement for each command, planned but never run. */
const STATEMENTS: Readonly<Record<Exclude<Command, "ALL">, (table: string, column: string) => string>> = {
  SELECT: (table) => `select 1 from ${table}`,
  INSERT: (table) => `insert into ${table} default values`,
  UPDATE: (table, column) => `update ${table} set ${column} = default`,
  DELETE: (table) => `delete from ${table}`,
};

/**
 * Tries a policy that was just created, as each of its callers, in a savepoint that is rolled back: Postgres plans
 * each command under all policies of the table (which finds policies that ask each other), and evaluates the
 * expressions over one row of nulls (which finds what only fails when it runs). No row is read or written.
 * @throws RLS_TYPE_MISMATCH, RLS_INVALID_EXPRESSION
 */
export async function tryPolicy(
  tx: Queryable,
  appId: string,
  table: SecuredTable,
  policy: Policy,
): Promise<void> {
  for (const role of policy.roles) {
    await tx.query("savepoint trial");
    await become(tx, appId, role);
    for (const command of commandsOf(policy.command)) await plan(tx, table, command);
    for (const expression of [policy.using, policy.check]) {
      if (expression !== null) await evaluate(tx, table.name, expression);
    }
    await tx.query("rollback to savepoint trial");
    await tx.query("release savepoint trial");
  }
}

const commandsOf = (command: Command) =>
  command === "ALL" ? (["SELECT", "INSERT", "UPDATE", "DELETE"] as const) : [command];

async function become(tx: Queryable, appId: string, role: PolicyRole): Promise<void> {
  const subject = role === "user" ? NOBODY : "";
  const claims = role === "user" ? JSON.stringify({ sub: NOBODY }) : "";
  await tx.query(
    `set local role ${quoteIdent(tenantRole(appId, role))}; set local "request.jwt.claim.sub" = ${quoteLiteral(subject)}; set local "request.jwt.claims" = ${quoteLiteral(claims)}`,
  );
}

async function plan(tx: Queryable, table: SecuredTable, command: Exclude<Command, "ALL">): Promise<void> {
  const [column = ""] = table.columns.keys();
  await tx.query("savepoint planning");
  try {
    await tx.query(`explain ${STATEMENTS[command](quoteIdent(table.name), quoteIdent(column))}`);
  } catch (error) {
    const refusal = sqlRefusal(error);
    // Callers from whom every column of the table itself is hidden: no fault of the policy.
    const hidden =
      refusal?.code === "42501" && refusal.message === `permission denied for table ${table.name}`;
    if (!hidden) throw refusal === null ? error : refusedByPostgres(refusal);
    await tx.query("rollback to savepoint planning");
  }
  await tx.query("release savepoint planning");
}

/** Over a row that comes from a function: over one of plain nulls, the planner would skip most of the expression. */
async function evaluate(tx: Queryable, table: string, expression: string): Promise<void> {
  const name = quoteIdent(table);
  await asRefusal(() =>
    tx.query(`select from jsonb_populate_record(null::${name}, '{}') as ${name} where (${expression}\n)`),
  );
}

/** Runs SQL that carries a caller's expression; what Postgres refuses becomes an error about the expression. */
export async function asRefusal<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const refusal = sqlRefusal(error);
    throw refusal === null ? error : refusedByPostgres(refusal);
  }
}
