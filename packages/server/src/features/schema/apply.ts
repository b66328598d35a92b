import type { Database, Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { canonicalForms } from "./canonical.ts";
import { readSchema } from "./catalog.ts";
import { announce, changeTransaction } from "./change.ts";
import type { Declared } from "./document.ts";
import { schemaErrors } from "./errors.ts";
import { migrationFailed, postgresProblem, StatementRefused } from "./failure.ts";
import { judgeExpressions } from "./judge-expressions.ts";
import type { SchemaModel } from "./model.ts";
import { finishPlan, type Statement, startPlan } from "./plan/index.ts";
import { readDocument } from "./read-document.ts";
import { insertMigration, settleMigrations } from "./store.ts";

/** What an apply did, or a dry run would do. */
export interface Applied {
  readonly statements: readonly Statement[];
  /** Null for a dry run and where nothing was to do. */
  readonly migrationId: string | null;
  /** Tables the document mentions that have no row-level security (afterwards). */
  readonly openTables: readonly string[];
}

export interface ApplyOrder {
  readonly appId: string;
  readonly document: unknown;
  readonly name: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/**
 * Brings an app's schema to what a document declares, in one transaction.
 * @throws VALIDATION_INVALID_SCHEMA, VALIDATION_RESERVED_TABLE, QUOTA_TABLE_LIMIT for the document,
 *   SCHEMA_DESTRUCTIVE_CHANGE for a loss it does not ask for, SCHEMA_MIGRATION_FAILED when Postgres refuses
 */
export async function applyDocument(database: Database, order: ApplyOrder): Promise<Applied> {
  try {
    const applied = await changeTransaction(database, order.appId, (tx) => run(database, tx, order));
    if (applied.migrationId !== null) await settleMigrations(database, order.appId);
    return applied;
  } catch (error) {
    if (!(error instanceof StatementRefused)) throw error;
    throw migrationFailed(error, await explainingRows(database, order.appId, error));
  }
}

async function run(database: Database, tx: Queryable, order: ApplyOrder): Promise<Applied> {
  const { appId, dryRun } = order;
  const actual = await readSchema(tx, appId);
  const declared = await acceptDocument(order.document, actual);
  const statements = await plan(tx, declared, actual);
  const openTables = declared.tables
    .map(({ name, renamedFrom }) => ({
      name,
      now: actual.tables.get(name) ?? actual.tables.get(renamedFrom ?? name),
    }))
    .filter(({ now }) => now?.rlsEnabled !== true)
    .map(({ name }) => name);
  if (dryRun || statements.length === 0) return { statements, migrationId: null, openTables };
  const blocked = statements.filter((statement) => statement.blocked).map(({ description }) => description);
  if (blocked.length > 0) throw schemaErrors.SCHEMA_DESTRUCTIVE_CHANGE({ details: blocked });
  for (const statement of statements) {
    order.signal.throwIfAborted();
    await execute(tx, statement);
  }
  const migrationId = await note(database, tx, order, statements);
  await announce(tx, "schema");
  // Whoever asked has been told that it took too long: then it must not come true afterwards.
  order.signal.throwIfAborted();
  return { statements, migrationId, openTables };
}

async function acceptDocument(document: unknown, actual: SchemaModel): Promise<Declared> {
  const { declared, problems } = readDocument(document, actual);
  const judged = await judgeExpressions(declared, actual, problems);
  const error = problems.error();
  if (error !== null) throw error;
  return judged;
}

async function plan(tx: Queryable, declared: Declared, actual: SchemaModel): Promise<Statement[]> {
  const { out, renamed } = startPlan(declared, actual);
  const canonical = await canonicalForms(tx, renamed, declared.tables);
  return finishPlan(out, declared, renamed, canonical);
}

async function execute(tx: Queryable, statement: Statement): Promise<void> {
  try {
    await tx.query(statement.sql);
  } catch (error) {
    const problem = postgresProblem(error);
    throw problem === null ? error : new StatementRefused(statement, problem);
  }
}

/**
 * The app's login can't write Ambit's tables, so the history row is written beside the transaction, before it
 * commits, under its transaction id; what became of it is read from Postgres afterwards. A crash at any point leaves
 * neither a change without its row nor a row without its change.
 */
async function note(
  database: Database,
  tx: Queryable,
  order: ApplyOrder,
  statements: readonly Statement[],
): Promise<string> {
  const [current] = await tx.query<{ id: string }>("select pg_current_xact_id()::text as id");
  return insertMigration(database, {
    appId: order.appId,
    description: order.name,
    sql: statements.map(({ sql }) => `${sql};`).join("\n"),
    transactionId: current!.id,
  });
}

const NOT_NULL_VIOLATION = "23502";

/** How many rows the table has, when its rows are why a column can't be required; otherwise null. */
async function explainingRows(
  database: Database,
  appId: string,
  { problem }: StatementRefused,
): Promise<number | null> {
  const { code, table } = problem;
  if (code !== NOT_NULL_VIOLATION || table === undefined) return null;
  return database
    .ownerTransaction(appId, async (tx) => {
      const [row] = await tx.query<{ rows: string }>(`select count(*) as rows from ${quoteIdent(table)}`);
      return Number(row?.rows ?? 0);
    })
    .catch(() => null);
}
