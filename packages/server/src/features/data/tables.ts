import { describePgError } from "../../engines/postgres/pg-errors.ts";
import { AmbitError } from "../../kernel/errors.ts";
import type { ColumnInfo, SchemaService, TableInfo } from "../schema/service.ts";
import { dataErrors } from "./errors.ts";
import { nearestNames } from "./nearest.ts";

/** The tables of an app by name. */
export type Tables = ReadonlyMap<string, TableInfo>;

const columnsOfTable = new WeakMap<TableInfo, ReadonlyMap<string, ColumnInfo>>();

function columnsOf(table: TableInfo): ReadonlyMap<string, ColumnInfo> {
  let columns = columnsOfTable.get(table);
  if (columns === undefined) {
    columns = new Map(table.columns.map((column) => [column.name, column]));
    columnsOfTable.set(table, columns);
  }
  return columns;
}

/** @throws VALIDATION_RESERVED_TABLE, VALIDATION_TABLE_NOT_FOUND with the nearest names. */
export function tableOf(tables: Tables, name: string): TableInfo {
  if (name.startsWith("_")) throw dataErrors.VALIDATION_RESERVED_TABLE({ details: { table: name } });
  const table = tables.get(name);
  if (table !== undefined) return table;
  const nearest = nearestNames(
    name,
    [...tables.keys()].filter((key) => !key.startsWith("_")),
  );
  throw dataErrors.VALIDATION_TABLE_NOT_FOUND({
    message: `There is no table ${name.slice(0, 80)}.${meant(nearest)}`,
    details: { table: name.slice(0, 80), nearest },
  });
}

/** @throws VALIDATION_COLUMN_NOT_FOUND with the nearest names. */
export function columnOf(table: TableInfo, name: string): ColumnInfo {
  const columns = columnsOf(table);
  const column = columns.get(name);
  if (column !== undefined) return column;
  const nearest = nearestNames(name, columns.keys());
  throw dataErrors.VALIDATION_COLUMN_NOT_FOUND({
    message: `The table ${table.name} has no column ${name.slice(0, 80)}.${meant(nearest)}`,
    details: { table: table.name, column: name.slice(0, 80), nearest },
  });
}

const meant = (nearest: readonly string[]): string =>
  nearest.length === 0 ? "" : ` Did you mean ${nearest.join(" or ")}?`;

/** Errors that a table or column made a moment ago on another node would give. */
const MAYBE_STALE = new Set([
  "VALIDATION_TABLE_NOT_FOUND",
  "VALIDATION_COLUMN_NOT_FOUND",
  "VALIDATION_RELATIONSHIP_NOT_FOUND",
]);

function maybeStale(error: unknown): boolean {
  if (error instanceof AmbitError) return MAYBE_STALE.has(error.code);
  const kind = describePgError(error)?.kind;
  return kind === "unknown_table" || kind === "unknown_column";
}

/** Gives work the tables of an app, and gives it fresh ones once more when it misses something in them. */
export interface TableSource {
  using<T>(appId: string, work: (tables: Tables) => Promise<T>): Promise<T>;
}

/**
 * Over the schema service's cache. Reads again at most one at a time per app: whoever misses something while a
 * reading is under way waits for the next one, which sees everything committed before the miss.
 */
export function createTableSource(schema: Pick<SchemaService, "tables" | "forget">): TableSource {
  const running = new Map<string, Promise<Tables>>();
  const queued = new Map<string, Promise<Tables>>();
  const readAgain = (appId: string): Promise<Tables> => {
    schema.forget(appId);
    const reading: Promise<Tables> = schema.tables(appId).finally(() => {
      if (running.get(appId) === reading) running.delete(appId);
    });
    running.set(appId, reading);
    return reading;
  };
  const fresh = (appId: string): Promise<Tables> => {
    const current = running.get(appId);
    if (current === undefined) return readAgain(appId);
    const waiting = queued.get(appId);
    if (waiting !== undefined) return waiting;
    const next = current
      .catch(() => {})
      .then(() => {
        queued.delete(appId);
        return readAgain(appId);
      });
    queued.set(appId, next);
    return next;
  };
  return {
    async using(appId, work) {
      try {
        return await work(await schema.tables(appId));
      } catch (error) {
        if (!maybeStale(error)) throw error;
        return work(await fresh(appId));
      }
    },
  };
}
