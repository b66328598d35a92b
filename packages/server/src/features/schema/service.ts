import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { createLookup } from "../../kernel/cache.ts";
import { type Applied, type ApplyOrder, applyDocument } from "./apply.ts";
import { readSchemaOnce } from "./catalog.ts";
import { announce, ChangeQueue, changeTransaction } from "./change.ts";
import { limits } from "./limits.ts";
import type { SchemaModel } from "./model.ts";
import { type MigrationRow, selectMigrations, settleMigrations } from "./store.ts";
import { readTables, type TableInfo } from "./tables.ts";

export { IDENTIFIER } from "./identifiers.ts";
export type { ColumnInfo, TableInfo } from "./tables.ts";

export interface SchemaService {
  /** The app's tables by name; at most a second old, and fresh after a change made on this node. */
  tables(appId: string): Promise<ReadonlyMap<string, TableInfo>>;
  /** Names of the enums that columns of the app have; as old as `tables`. */
  enums(appId: string): Promise<ReadonlySet<string>>;
  /** The next `tables` reads anew. */
  forget(appId: string): void;
  /** Everything a document could say about the app, fresh. */
  read(appId: string): Promise<SchemaModel>;
  apply(order: ApplyOrder): Promise<Applied>;
  migrations(appId: string): Promise<MigrationRow[]>;
  /**
   * Runs statements that change an app's tables, grants or policies: as the owner, one such change of an app at a
   * time, announced to the readers of the write-ahead log.
   */
  change<T>(appId: string, what: "schema" | "policy", work: (tx: Queryable) => Promise<T>): Promise<T>;
}

export function createSchemaService({ database }: Platform): SchemaService {
  const lookup = createLookup((appId) => readTables(database, appId), { maxAgeMs: limits.cacheMs });
  const queue = new ChangeQueue();
  const changing = <T>(appId: string, work: () => Promise<T>) =>
    queue.run(appId, () => work().finally(() => lookup.forget(appId)));
  return {
    tables: (appId) => lookup.get(appId),
    async enums(appId) {
      const columns = [...(await lookup.get(appId)).values()].flatMap((table) => table.columns);
      const enums = columns.filter((column) => column.enumValues !== undefined);
      return new Set(enums.map((column) => column.type.replace(/(\[\])+$/, "")));
    },
    forget: (appId) => lookup.forget(appId),
    read: (appId) => readSchemaOnce(database, appId),
    apply: (order) =>
      changing(order.appId, () => {
        order.signal.throwIfAborted();
        return applyDocument(database, order);
      }),
    async migrations(appId) {
      await settleMigrations(database, appId);
      return selectMigrations(database, appId, limits.migrationRows);
    },
    change: (appId, what, work) =>
      changing(appId, () =>
        changeTransaction(database, appId, async (tx) => {
          const result = await work(tx);
          await announce(tx, what);
          return result;
        }),
      ),
  };
}
