import type { Queryable, Transaction } from "../../engines/postgres/database.ts";
import { describePgError } from "../../engines/postgres/pg-errors.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { errors } from "../../kernel/errors.ts";
import type { FoundTable } from "./explain-catalog.ts";
import type { PolicyResult } from "./explain-verdict.ts";

/** A row as one text, in Postgres' form of a value of the table's row type. */
export type RowText = string;

/** Asks for a mended request. */
export const unfit = (message: string, remediation: string) =>
  errors.VALIDATION_INVALID_SCHEMA({ message, remediation });

/**
 * The row with this primary key, looked up as the owner; null if there is none. `key` is an object of the key's columns,
 * or the value itself for a key of one column.
 * @throws VALIDATION_INVALID_SCHEMA for what is no key of the table
 */
export async function rowByKey(tx: Transaction, found: FoundTable, key: unknown): Promise<RowText | null> {
  const values = keyValues(found, key);
  const conditions = found.key.map((column, at) => `t.${quoteIdent(column)} = $${at + 1}`).join(" and ");
  try {
    // Off means that a policy on the owner is an error instead of an empty answer.
    await tx.query("set local row_security = off");
    const [row] = await tx.query<{ row: string }>(
      `select t::text as row from ${found.qualified} as t where ${conditions}`,
      values,
    );
    await tx.query("set local row_security = on");
    return row?.row ?? null;
  } catch (error) {
    throw refused(error, "The key is not one of this table");
  }
}

function keyValues(found: FoundTable, key: unknown): string[] {
  const names = found.key.join(", ");
  if (found.key.length === 0) {
    throw unfit("The table has no primary key to look a row up by.", 'Give the row itself: "record": {…}.');
  }
  const plain = typeof key !== "object" || key === null;
  const fields = plain ? { [found.key[0]!]: key } : (key as Record<string, unknown>);
  const right =
    Object.keys(fields).length === found.key.length && found.key.every((name) => fields[name] != null);
  if (!right) {
    throw unfit(
      `key names other columns than the primary key (${names}), or leaves one without a value.`,
      "Give every column of the primary key and no other.",
    );
  }
  return found.key.map((name) => {
    const value = fields[name];
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  });
}

/** The row that the values make, columns not given being NULL; read as whoever `tx` runs as. */
export async function rowOfRecord(tx: Transaction, found: FoundTable, record: object): Promise<RowText> {
  try {
    const [row] = await tx.query<{ row: string }>(
      `select json_populate_record(null::${found.qualified}, $1::json)::text as row`,
      [JSON.stringify(record)],
    );
    return row!.row;
  } catch (error) {
    throw refused(error, "The record is not a row of this table");
  }
}

function refused(error: unknown, words: string): unknown {
  const facts = describePgError(error);
  if (facts === null) return error;
  return unfit(
    `${words}: ${facts.message}.`,
    "Give values of the columns' types; manage_schema action get shows them.",
  );
}

/** What a condition says of the row, run as whoever `tx` runs as; nothing it does stays. */
export async function ask(
  tx: Transaction,
  { found, table, row }: { found: FoundTable; table: string; row: RowText },
  condition: string,
): Promise<PolicyResult> {
  // The array makes one value of the row type a relation of exactly that type, for policies that take the whole row.
  const text = `select (${condition}) as passed from unnest(array[$1::text::${found.qualified}]) as ${quoteIdent(table)}`;
  try {
    return await undone(tx, async (inner) => {
      const [answer] = await inner.query<{ passed: boolean | null }>(text, [row]);
      return answer?.passed ?? null;
    });
  } catch (error) {
    const facts = describePgError(error);
    if (facts === null) throw error;
    return { error: facts.code, message: facts.message };
  }
}

/** Carries a result out of what is undone. */
class Undo<T> extends Error {
  readonly result: T;

  constructor(result: T) {
    super();
    this.result = result;
  }
}

/** Takes back what `work` did, settings included, and gives its result. */
async function undone<T>(tx: Transaction, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return caught(() =>
    tx.nested(async (inner) => {
      throw new Undo(await work(inner));
    }),
  );
}

/** Runs `work` in a transaction of the app's owner, reading only, and rolls it back. */
export function readingOnly<T>(
  database: { ownerTransaction<R>(appId: string, work: (tx: Transaction) => Promise<R>): Promise<R> },
  appId: string,
  statementMs: number,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return caught(() =>
    database.ownerTransaction(appId, async (tx) => {
      await tx.query(`set transaction read only; set local statement_timeout = ${statementMs}`);
      throw new Undo(await work(tx));
    }),
  );
}

async function caught<T>(work: () => Promise<never>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Undo) return error.result as T;
    throw error;
  }
}
