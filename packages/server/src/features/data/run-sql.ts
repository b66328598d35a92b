import type pg from "pg";
import type { Database, Identity } from "../../engines/postgres/database.ts";
import { describePgError, type PgErrorFacts } from "../../engines/postgres/pg-errors.ts";
import { checkStatement, type StatementVerdict } from "../../engines/postgres/sql-guard/index.ts";
import { errors } from "../../kernel/errors.ts";
import { BoundedQuery, type BoundedResult, type WireField } from "./bounded-query.ts";
import { dataErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { translatePgError } from "./pg-to-error.ts";
import { inOwnSession, streamOf } from "./session.ts";
import { toJsonValue } from "./sql-values.ts";

/** One statement to run, already decided about. */
export interface SqlOrder {
  readonly appId: string;
  readonly identity: Identity;
  readonly allow: "read" | "write";
  readonly sql: string;
  readonly params: readonly (string | null)[];
  readonly signal?: AbortSignal | undefined;
}

export interface SqlAnswer {
  readonly columns: { name: string; type: string }[];
  readonly rows: Record<string, unknown>[];
  /** Rows in this answer; for a write that answers none, rows changed. */
  readonly row_count: number;
  /** There were more rows than are here. */
  readonly truncated: boolean;
}

/**
 * Judges one statement and runs it as the given caller, in a transaction of its own that is read-only unless the
 * statement writes and may. @throws SQL_REFUSED, SQL_READ_ONLY, SQL_ERROR, and the errors of the data API.
 */
export async function runSql(
  database: Database,
  enums: ReadonlySet<string>,
  order: SqlOrder,
): Promise<SqlAnswer> {
  const verdict = await checkStatement(order.sql, {
    appSchema: order.appId,
    appTypes: enums,
    allow: order.allow,
  });
  const text = textOf(verdict, order.allow);
  const session = { readOnly: verdict.kind === "read", commit: true, signal: order.signal };
  let tooMuch = false;
  try {
    return await inOwnSession(database, order.appId, order.identity, session, async (client) => {
      limitWire(client, () => (tooMuch = true));
      const result = await fetchBounded(client, text, order.params);
      return answer(result, await typeNames(client, result.fields));
    });
  } catch (error) {
    if (tooMuch) throw dataErrors.RESPONSE_TOO_LARGE({ cause: error });
    throw explain(error, text, order.allow);
  }
}

/** The statement to send. @throws SQL_REFUSED, SQL_READ_ONLY */
export function textOf({ normalized, problems }: StatementVerdict, allow: SqlOrder["allow"]): string {
  if (normalized !== undefined) return normalized;
  if (allow === "read" && problems.every(({ code }) => code === "WRITE_NOT_ALLOWED")) {
    throw dataErrors.SQL_READ_ONLY({ details: { problems } });
  }
  const [first] = problems;
  throw dataErrors.SQL_REFUSED({ message: first?.message, details: { problems } });
}

/** Cuts the connection before one huge value, or one huge batch, fills the memory of this process. */
function limitWire(client: pg.Client, onExceeded: () => void): void {
  let received = 0;
  const stream = streamOf(client);
  stream.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received <= limits.sqlWireBytes) return;
    onExceeded();
    stream.destroy();
  });
}

function fetchBounded(
  client: pg.Client,
  text: string,
  values: readonly (string | null)[],
): Promise<BoundedResult> {
  const bounds = { rows: limits.sqlRows, bytes: limits.sqlAnswerBytes, batchRows: limits.sqlBatchRows };
  return new Promise((resolve, reject) => {
    const lost = () => reject(new Error("Connection terminated"));
    client.once("end", lost);
    const done =
      <T>(settle: (value: T) => void) =>
      (value: T) => {
        client.off("end", lost);
        settle(value);
      };
    client.query(new BoundedQuery({ text, values }, bounds, done(resolve), done(reject)));
  });
}

async function typeNames(client: pg.Client, fields: readonly WireField[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select pg_catalog.format_type(u.oid, u.modifier) as name
     from unnest($1::oid[], $2::int4[]) with ordinality u (oid, modifier, place) order by u.place`,
    [fields.map(({ dataTypeID }) => dataTypeID), fields.map(({ dataTypeModifier }) => dataTypeModifier)],
  );
  return rows.map(({ name }) => name);
}

function answer(result: BoundedResult, types: readonly string[]): SqlAnswer {
  const names = distinctNames(result.fields.map(({ name }) => name));
  const rows = result.rows.map((row) =>
    Object.fromEntries(
      row.map((text, index) => [names[index]!, toJsonValue(text, result.fields[index]!.dataTypeID)]),
    ),
  );
  return {
    columns: names.map((name, index) => ({ name, type: types[index] ?? "" })),
    rows,
    row_count: result.affected ?? rows.length,
    truncated: result.truncated,
  };
}

/** Columns of one name get a number: `count`, `count_2`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let number = 2; taken.has(distinct); number++) distinct = `${name}_${number}`;
    taken.add(distinct);
    return distinct;
  });
}

/** Kinds whose translation says all there is to say; everything else is answered with Postgres' own diagnosis. */
const TRANSLATED = new Set<PgErrorFacts["kind"]>([
  "unique",
  "foreign_key",
  "check",
  "not_null",
  "exclusion",
  "permission",
  "conflict",
  "too_large",
]);

/** What Postgres said of a statement, as its author is told it. */
export function explain(error: unknown, text: string, allow: SqlOrder["allow"]): unknown {
  const facts = describePgError(error);
  if (facts === null) return error;
  // Whoever may run SQL may run it as service, so nothing Postgres says is hidden from the caller.
  if (TRANSLATED.has(facts.kind)) return translatePgError(facts, { trusted: true }, error);
  if (facts.kind === "timeout") {
    return errors.REQUEST_TIMEOUT({
      message: `The statement ran longer than ${limits.sqlStatementMs / 1_000} seconds.`,
      cause: error,
    });
  }
  if (facts.kind === "read_only" && allow === "read") return dataErrors.SQL_READ_ONLY({ cause: error });
  return dataErrors.SQL_ERROR({
    message: `${facts.message}.`,
    details: {
      pg_code: facts.code,
      ...(facts.detail === null ? {} : { pg_detail: facts.detail }),
      ...(facts.hint === null ? {} : { hint: facts.hint }),
      ...(facts.position === null ? {} : { near: near(text, facts.position) }),
    },
    cause: error,
  });
}

/** What stands where Postgres found fault; positions count characters from 1. */
const near = (text: string, position: number): string =>
  [...text].slice(position - 1, position + 39).join("");
