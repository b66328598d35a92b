import type { Platform } from "../../engines/platform.ts";
import type { Identity } from "../../engines/postgres/database.ts";
import type { RawResult, Statement } from "../../engines/postgres/one-trip.ts";
import { describePgError } from "../../engines/postgres/pg-errors.ts";
import { errors } from "../../kernel/errors.ts";
import type { SchemaService } from "../schema/service.ts";
import type { Query } from "./ast.ts";
import { type CallSqlOrder, createCallSql } from "./call-sql.ts";
import { withKeyColumns } from "./constraint-columns.ts";
import { encodeCursor } from "./cursor.ts";
import { dataErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { translatePgError } from "./pg-to-error.ts";
import { createPlans } from "./plans.ts";
import { type InsertBody, readChange, readInsert } from "./rows.ts";
import { runSql, type SqlAnswer, type SqlOrder } from "./run-sql.ts";
import { inOwnSession } from "./session.ts";
import type { SqlContext } from "./sql-scope.ts";
import { buildGet, type ListOptions, type ListPlan } from "./sql-select.ts";
import {
  buildDelete,
  buildInsert,
  buildUpdate,
  type ChangeAnswer,
  type ChangeTarget,
  type Resolution,
} from "./sql-write.ts";
import { createTableSource, tableOf } from "./tables.ts";

export type { ColumnPath, Filter as RowCondition } from "./ast.ts";
export { decideCaller } from "./caller.ts";
export { translatePgError } from "./pg-to-error.ts";
export { parsePrefer } from "./prefer.ts";
export { parseQueryString } from "./query-params.ts";
export { type ConditionTable, conditionSql, parseCondition } from "./row-conditions.ts";
export type { CallSqlOrder, ChangeAnswer, ChangeTarget, ListOptions, Query, SqlAnswer, SqlOrder };

/** A table of an app, and who it is asked as. */
export interface RowsTarget {
  readonly appId: string;
  readonly identity: Identity;
  readonly table: string;
}

/** A page of rows. `body` is a JSON array as Postgres wrote it. */
export interface Page {
  readonly body: string;
  readonly rows: number;
  /** All rows that match; null when it was not asked for. */
  readonly total: number | null;
  readonly offset: number;
  /** The page is full and its limit is the default one: there may be more. */
  readonly cutByDefault: boolean;
  /** Goes on after this page; null when there is nothing to go on to or no order to go on by. */
  readonly nextCursor: string | null;
}

/** What an insert did. `body`: JSON of the row for one row, of the array for many; `""` when no answer was wanted. */
export interface Inserted {
  readonly body: string;
  readonly rows: number;
}

/** What a change did, or would do. `body`: JSON of one row, of an array, or `""`. */
export interface Changed {
  readonly body: string;
  readonly rows: number;
}

/**
 * Rows in and out, as a given caller: row-level security decides in every statement. All methods throw AmbitErrors;
 * a table or column made a moment ago on another node is found.
 */
export interface DataService {
  /** A raw query string is compiled once and kept. */
  list(target: RowsTarget, query: Query | string, options: ListOptions): Promise<Page>;
  /** One row by primary key, as JSON text. @throws RESOURCE_NOT_FOUND */
  get(target: RowsTarget, id: string, query: Query): Promise<string>;
  /** `body` is the JSON text of a row or of an array of rows; all are inserted or none. */
  insert(
    target: RowsTarget,
    body: string,
    query: Query,
    options: { minimal: boolean; resolution: Resolution },
  ): Promise<Inserted>;
  /** `body` is the JSON text of an object. @throws RESOURCE_NOT_FOUND when `what` names a row that is not there. */
  update(target: RowsTarget, what: ChangeTarget, body: string, answer: ChangeAnswer): Promise<Changed>;
  /** The number of rows deleted. @throws RESOURCE_NOT_FOUND when `what` names a row that is not there. */
  remove(target: RowsTarget, what: ChangeTarget): Promise<number>;
  /** What an update (`body`) or a delete (null) would do: it is done, looked at and taken back. */
  preview(target: RowsTarget, what: ChangeTarget, body: string | null): Promise<Changed>;
  runSql(order: SqlOrder): Promise<SqlAnswer>;
  /** One statement of an app's own code, in one round trip: judged once per text, and run under row-level security. */
  callSql(order: CallSqlOrder): Promise<SqlAnswer>;
}

export function createDataService(
  { database }: Pick<Platform, "database">,
  schema: Pick<SchemaService, "enums" | "forget" | "tables">,
): DataService {
  const source = createTableSource(schema);
  const plans = createPlans();

  /** Compiles against the app's tables and runs; what Postgres refuses is told as the caller may be told. */
  const run = async (
    target: RowsTarget,
    build: (context: SqlContext) => Statement,
    send = (statement: Statement): Promise<RawResult> =>
      database.asCaller(target.appId, target.identity, statement),
  ): Promise<RawResult> => {
    const { appId, identity } = target;
    try {
      return await source.using(appId, (tables) =>
        send(build({ schema: appId, tables, role: identity.role })),
      );
    } catch (error) {
      const facts = describePgError(error);
      if (facts === null) throw error;
      const trusted = identity.role === "service" || identity.role === "owner";
      throw translatePgError(await withKeyColumns(database, appId, facts), { trusted }, error) ?? error;
    }
  };

  const change = (target: RowsTarget, what: ChangeTarget, body: string, answer: ChangeAnswer) => {
    const values = readChange(body);
    return (context: SqlContext) =>
      buildUpdate(context, tableOf(context.tables, target.table), what, values, answer);
  };

  return {
    async list(target, query, options) {
      let plan: ListPlan | undefined;
      const { rows } = await run(target, (context) => {
        plan = plans.list(context, target.table, query, options);
        return plan.statement;
      });
      return toPage(plan!, rows[0]!);
    },
    async get(target, id, query) {
      const { rows } = await run(target, (context) =>
        buildGet(context, tableOf(context.tables, target.table), id, query),
      );
      if (rows.length === 0) throw noSuchRow(target.table);
      return rows[0]![0] ?? tooLarge(false);
    },
    async insert(target, body, query, { minimal, resolution }) {
      const read = readInsert(body);
      if (read.count === 0) {
        await source.using(target.appId, async (tables) => tableOf(tables, target.table));
        return { body: minimal ? "" : "[]", rows: 0 };
      }
      const order = { groups: read.groups, resolution, returning: !minimal };
      const { rows } = await run(target, (context) =>
        buildInsert(context, tableOf(context.tables, target.table), query, order),
      );
      return { body: minimal ? "" : insertedBody(read, rows), rows: rows.length };
    },
    async update(target, what, body, answer) {
      const result = await run(target, change(target, what, body, answer));
      return toChanged(target, what, answer, result);
    },
    async remove(target, what) {
      const { rowCount } = await run(target, (context) =>
        buildDelete(context, tableOf(context.tables, target.table), what, { kind: "none" }),
      );
      if (what.id !== null && rowCount === 0) throw noSuchRow(target.table);
      return rowCount;
    },
    async preview(target, what, body) {
      const answer: ChangeAnswer = { kind: "many", rows: limits.sampleRows };
      const build =
        body === null
          ? (context: SqlContext) => buildDelete(context, tableOf(context.tables, target.table), what, answer)
          : change(target, what, body, answer);
      const options = { readOnly: false, commit: false };
      const send = ({ text, values }: Statement) =>
        inOwnSession(database, target.appId, target.identity, options, async (client) => {
          const { rows } = await client.query<(string | null)[]>({
            text,
            values: [...values],
            rowMode: "array",
          });
          return { fields: [], rows, rowCount: rows.length, command: "SELECT" };
        });
      return toChanged(target, what, answer, await run(target, build, send));
    },
    runSql: async (order) => runSql(database, await schema.enums(order.appId), order),
    callSql: createCallSql(database, schema),
  };
}

function toPage(plan: ListPlan, [body, rows, last, total]: readonly (string | null)[]): Page {
  const count = Number(rows);
  return {
    body: body ?? tooLarge(false),
    rows: count,
    total: total == null ? null : Number(total),
    offset: plan.offset,
    cutByDefault: plan.defaultLimit && count === plan.limit,
    nextCursor: plan.signature === null || last == null ? null : encodeCursor(plan.signature, last),
  };
}

/** Rows come group by group; they are put back into the order of the body if all of them came. */
function insertedBody(read: InsertBody, rows: RawResult["rows"]): string {
  const texts = rows.map(([text]) => text ?? tooLarge(true));
  if (read.single) return texts[0] ?? "null";
  if (texts.length !== read.count) return `[${texts.join(",")}]`;
  const placed = new Array<string>(read.count);
  read.places.forEach((place, index) => {
    placed[place] = texts[index]!;
  });
  return `[${placed.join(",")}]`;
}

function toChanged(
  { table }: RowsTarget,
  { id }: ChangeTarget,
  answer: ChangeAnswer,
  { rows, rowCount }: RawResult,
): Changed {
  const many = answer.kind === "many";
  const count = many ? Number(rows[0]?.[1]) : rowCount;
  if (id !== null && count === 0) throw noSuchRow(table);
  return { body: answer.kind === "none" ? "" : (rows[0]?.[0] ?? tooLarge(true)), rows: count };
}

const noSuchRow = (table: string) =>
  errors.RESOURCE_NOT_FOUND({
    message: `${table} has no row with this id that this caller may see.`,
    remediation: "Check the id and who the request runs as; row-level security hides rows of others.",
  });

function tooLarge(written: boolean): never {
  throw dataErrors.RESPONSE_TOO_LARGE(
    written
      ? {
          message: "The rows were written, but showing them takes more than this server sends at once.",
          remediation: "Don't repeat the request; read the rows in parts. Write with Prefer: return=minimal.",
        }
      : {},
  );
}
