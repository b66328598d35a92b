import { randomBytes } from "node:crypto";
import type { Platform } from "../../packages/server/src/engines/platform.ts";
import { ensureDatabase } from "../../packages/server/src/engines/postgres/bootstrap.ts";
import { Database, type Target } from "../../packages/server/src/engines/postgres/database.ts";
import { startEmbedded } from "../../packages/server/src/engines/postgres/embedded/index.ts";
import { prepareServingRole } from "../../packages/server/src/engines/postgres/serving-role.ts";
import {
  createLedgerService,
  type Ledger,
  type LedgerDraft,
} from "../../packages/server/src/features/ledger/service.ts";
import { systemClock } from "../../packages/server/src/kernel/clock.ts";
import { readConfig } from "../../packages/server/src/kernel/config.ts";
import { newUuid } from "../../packages/server/src/kernel/ids.ts";
import { createLog } from "../../packages/server/src/kernel/log.ts";
import { Metrics } from "../../packages/server/src/kernel/metrics.ts";
import { Secrets } from "../../packages/server/src/kernel/secrets.ts";
import { migrateAll } from "../../packages/server/src/migrations.ts";
import { newDataDir } from "../harness/ambit.ts";
import { postgresVersion } from "../harness/postgres.ts";
import { ensureOpen } from "../harness/resources.ts";

/** A ledger as a node has it, on a Postgres of its own with Ambit's settings; its sequencer runs. */
export interface LedgerStand {
  readonly ledger: Ledger;
  readonly platform: Platform;
  readonly database: Database;
  /** Login of the database's superuser. */
  readonly admin: Target;
  readonly organizationId: string;
  /** Of the Postgres. */
  readonly version: string;
}

/** Starts it; it ends with `resources`. */
export async function openLedgerStand(resources: AsyncDisposableStack): Promise<LedgerStand> {
  const dataDir = newDataDir(resources);
  ensureOpen(resources);
  const server = await startEmbedded({ stateDir: dataDir, log: () => {} });
  resources.defer(() => server.stop());
  const admin = await ensureDatabase({ host: server.host, port: server.port, user: server.user });
  const log = createLog("warn");
  const database = new Database(await prepareServingRole(admin), () => "", log);
  resources.defer(() => database.close());
  await migrateAll(database, admin, log);
  const platform: Platform = {
    config: readConfig({}),
    log,
    clock: systemClock,
    metrics: new Metrics(),
    secrets: new Secrets(randomBytes(32)),
    database,
    publicUrl: () => "",
  };
  const ledger = createLedgerService(platform);
  ledger.start();
  resources.defer(() => ledger.stop());
  return {
    ledger,
    platform,
    database,
    admin,
    organizationId: newUuid(),
    version: await postgresVersion(dataDir),
  };
}

/** What an executed action leaves in the ledger: some facts, a sealed payload and a sealed result. */
export const typicalDraft = (organizationId: string): LedgerDraft => ({
  kind: "substrate.action.executed",
  organizationId,
  subject: "act_01k9zv4bp4e1gqzqk6y7m8m3vd",
  actor: { type: "agent", id: newUuid(), account: newUuid() },
  data: { capability: "upsert_entity", verdict: "auto_approved", reason: "default of the capability" },
  sealed: {
    payload: { type: "person", display_name: "Ada Lovelace", primary_email: "ada@example.com" },
    result: { entity_id: "ent_01k9zv4bp4e1gqzqk6y7m8m3vd", was_insert: true },
  },
});
