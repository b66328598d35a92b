import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { ensureDatabase } from "../../../engines/postgres/bootstrap.ts";
import { Database } from "../../../engines/postgres/database.ts";
import {
  type PostgresFixture,
  startPostgres,
} from "../../../engines/postgres/replication/testing/postgres-fixture.ts";
import { prepareServingRole } from "../../../engines/postgres/serving-role.ts";
import { createLog } from "../../../kernel/log.ts";
import { migrateAll } from "../../../migrations.ts";
import { ensurePublications } from "../store.ts";

/** A Postgres of a test's own with Ambit's tables and one published table, `app_test.t (id int primary key)`. */
export interface OwnServer {
  readonly postgres: PostgresFixture;
  readonly database: Database;
  /** A superuser's connection to the database, as soon as the server takes one. */
  connect(): Promise<Client>;
  stop(): Promise<void>;
}

export async function ownServer(settings: Record<string, string> = {}): Promise<OwnServer> {
  const postgres = await startPostgres(settings);
  const { host, port, user } = postgres.connection;
  const admin = await ensureDatabase({ host: host!, port: port!, user: user! }, "ambit");
  const target = await prepareServingRole(admin);
  const log = createLog("silent");
  const database = new Database(target, () => "", log);
  await migrateAll(database, admin, log);
  await ensurePublications(database);
  await database.query("create schema app_test");
  await database.query("create table app_test.t (id int primary key)");
  await database.query("alter publication ambit_realtime add table app_test.t");
  return {
    postgres,
    database,
    async connect() {
      for (;;) {
        const client = new Client({ ...admin });
        client.on("error", () => {});
        try {
          await client.connect();
          return client;
        } catch {
          await sleep(20);
        }
      }
    },
    async stop() {
      await database.close();
      await postgres.stop();
    },
  };
}
