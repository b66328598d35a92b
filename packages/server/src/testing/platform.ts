import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import type { Platform } from "../engines/platform.ts";
import { ensureDatabase } from "../engines/postgres/bootstrap.ts";
import { Database } from "../engines/postgres/database.ts";
import { prepareServingRole } from "../engines/postgres/serving-role.ts";
import { type AppsService, createAppsService } from "../features/apps/service.ts";
import { systemClock } from "../kernel/clock.ts";
import { readConfig } from "../kernel/config.ts";
import { newUuid } from "../kernel/ids.ts";
import { createLog } from "../kernel/log.ts";
import { Metrics } from "../kernel/metrics.ts";
import type { App } from "../kernel/operation.ts";
import { Secrets } from "../kernel/secrets.ts";
import { migrateAll } from "../migrations.ts";

/** A platform on a database of its own, for one test file. */
export interface TestPlatform {
  readonly platform: Platform;
  readonly apps: AppsService;
  readonly organizationId: string;
  createApp(name?: string): Promise<App>;
  /** One statement as the server's superuser, on a connection of its own: what nobody who serves requests may do. */
  asSuperuser(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** Real Postgres, all migrations, one organisation; `stop` drops the database and every role made in it. */
export async function testPlatform(): Promise<TestPlatform> {
  const server = inject("postgres");
  const admin = await ensureDatabase(server, `test_${randomBytes(6).toString("hex")}`);
  const target = await prepareServingRole(admin);
  const secrets = new Secrets(randomBytes(32));
  const log = createLog("silent");
  const database = new Database(target, (appId) => secrets.derive("tenant-password", appId), log);
  await migrateAll(database, admin, log);
  const platform: Platform = {
    config: readConfig({}),
    log,
    clock: systemClock,
    metrics: new Metrics(),
    secrets,
    database,
    publicUrl: () => "http://127.0.0.1:4000",
  };
  const organizationId = newUuid();
  await database.query("insert into ambit.organizations (id, name) values ($1, 'Test')", [organizationId]);
  const apps = createAppsService(platform);
  return {
    platform,
    apps,
    organizationId,
    async createApp(name = `app-${randomBytes(4).toString("hex")}`) {
      const { app } = await apps.create({ organizationId, name });
      return (await apps.find(app.id))!;
    },
    async asSuperuser(text, values = []) {
      const client = new pg.Client({ ...admin });
      client.on("error", () => {});
      await client.connect();
      try {
        return (await client.query(text, [...values])).rows;
      } finally {
        await client.end();
      }
    },
    async stop() {
      for (const app of await apps.list(organizationId)) await apps.delete(app.id);
      await database.close();
      const client = new pg.Client({ ...server, database: "postgres" });
      await client.connect();
      const { rows } = await client.query("select oid from pg_database where datname = $1", [
        target.database,
      ]);
      await client.query(`drop database if exists ${target.database} with (force)`);
      for (const { oid } of rows) await client.query(`drop role if exists ambit_append_only_${oid}`);
      await client.end();
    },
  };
}
