import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import pg from "pg";
import { inject } from "vitest";
import type { Platform } from "../engines/platform.ts";
import { ensureDatabase } from "../engines/postgres/bootstrap.ts";
import { Database } from "../engines/postgres/database.ts";
import { migrate } from "../engines/postgres/migrate.ts";
import { type AppsService, createAppsService } from "../features/apps/service.ts";
import { systemClock } from "../kernel/clock.ts";
import { readConfig } from "../kernel/config.ts";
import { newUuid } from "../kernel/ids.ts";
import { createLog } from "../kernel/log.ts";
import { Metrics } from "../kernel/metrics.ts";
import type { App } from "../kernel/operation.ts";
import { Secrets } from "../kernel/secrets.ts";
import { APPEND_ONLY, MIGRATIONS } from "../migrations.ts";

/** A platform on a database of its own, for one test file. */
export interface TestPlatform {
  readonly platform: Platform;
  readonly apps: AppsService;
  readonly organizationId: string;
  createApp(name?: string): Promise<App>;
  stop(): Promise<void>;
}

/** Real Postgres, all migrations, one organisation; `stop` drops the database and every role made in it. */
export async function testPlatform(): Promise<TestPlatform> {
  const server = inject("postgres");
  const target = await ensureDatabase(server, `test_${randomBytes(6).toString("hex")}`);
  const secrets = new Secrets(randomBytes(32));
  const log = createLog("silent");
  const database = new Database(target, (appId) => secrets.derive("tenant-password", appId), log);
  await migrate(
    database,
    [...MIGRATIONS, ...APPEND_ONLY].filter(({ directory }) => existsSync(directory)),
  );
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
    async stop() {
      for (const app of await apps.list(organizationId)) await apps.delete(app.id);
      await database.close();
      const client = new pg.Client({ ...server, database: "postgres" });
      await client.connect();
      await client.query(`drop database if exists ${target.database} with (force)`);
      await client.end();
    },
  };
}
