import { LRUCache } from "lru-cache";
import pg from "pg";
import type { Database, Identity } from "../../engines/postgres/database.ts";
import { AnswerTooLarge, type RawResult } from "../../engines/postgres/one-trip.ts";
import { checkStatement, type StatementVerdict } from "../../engines/postgres/sql-guard/index.ts";
import { errors } from "../../kernel/errors.ts";
import type { SchemaService } from "../schema/service.ts";
import { dataErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { distinctNames, explain, type SqlAnswer, textOf } from "./run-sql.ts";
import { toParams } from "./sql-params.ts";
import { toJsonValue } from "./sql-values.ts";

/** A statement of an app's own code, already decided about. */
export interface CallSqlOrder {
  readonly appId: string;
  readonly identity: Identity;
  readonly allow: "read" | "write";
  readonly sql: string;
  readonly params: readonly unknown[];
  /** Aborting cancels the statement. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes what runs such statements. A text is judged once for an app as long as the app's types are the same; what
 * may follow in the text, or change who it runs as, the guard has refused by then.
 */
export function createCallSql(
  database: Database,
  schema: Pick<SchemaService, "enums">,
): (order: CallSqlOrder) => Promise<SqlAnswer> {
  const verdicts = new LRUCache<string, StatementVerdict>({
    max: limits.cachedVerdicts,
    maxSize: limits.cachedVerdictChars,
    sizeCalculation: (_, key) => 2 * key.length + 1,
  });
  const judge = async ({ appId, allow, sql }: CallSqlOrder): Promise<StatementVerdict> => {
    const enums = await schema.enums(appId);
    const key = `${appId} ${allow} ${[...enums].sort().join(",")}\n${sql}`;
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = await checkStatement(sql, { appSchema: appId, appTypes: enums, allow });
    verdicts.set(key, verdict);
    return verdict;
  };
  return async (order) => {
    const values = toParams(order.params);
    const text = textOf(await judge(order), order.allow);
    const statement = {
      text,
      values,
      bounds: { rows: limits.callRows, wireBytes: limits.callWireBytes },
    };
    try {
      return toAnswer(await database.asCaller(order.appId, order.identity, statement, order.signal));
    } catch (error) {
      if (error instanceof AnswerTooLarge) throw dataErrors.RESPONSE_TOO_LARGE({ cause: error });
      if (order.signal?.aborted === true) throw errors.REQUEST_CANCELLED({ cause: error });
      throw explain(error, text, order.allow);
    }
  };
}

/** Names of Postgres' own types by object id, as `pg_type` has them. */
const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(pg.types.builtins).map(([name, oid]) => [Number(oid), name.toLowerCase()]),
);

function toAnswer({ fields, rows, rowCount, truncated }: RawResult): SqlAnswer {
  const names = distinctNames(fields.map(({ name }) => name));
  return {
    columns: names.map((name, i) => ({ name, type: TYPE_NAMES.get(fields[i]!.dataTypeID) ?? "" })),
    rows: rows.map((row) =>
      Object.fromEntries(row.map((text, i) => [names[i]!, toJsonValue(text, fields[i]!.dataTypeID)])),
    ),
    row_count: fields.length > 0 ? rows.length : rowCount,
    truncated: truncated ?? false,
  };
}
