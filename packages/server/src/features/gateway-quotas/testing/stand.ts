import type { Reservation } from "@ambit/policy";
import type { Platform } from "../../../engines/platform.ts";
import { Database, type Target } from "../../../engines/postgres/database.ts";
import { migrate } from "../../../engines/postgres/migrate.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createQuotasService, type GatewayQuotas } from "../service.ts";

/** Counters on a real database, and any number of nodes that share it. */
export interface QuotaStand extends TestPlatform {
  readonly quotas: GatewayQuotas;
  /** Another node, with connections of its own; `target` where it thinks Postgres is. */
  node(target?: Target): { quotas: GatewayQuotas; platform: Platform; close(): Promise<void> };
  /** What a counter's row says; null when there is none. */
  usedOf(key: string, windowStartMs: number): Promise<number | null>;
}

export async function quotaStand(): Promise<QuotaStand> {
  const world = await testPlatform();
  await migrate(world.platform.database, [
    { feature: "gateway-quotas", directory: new URL("../migrations/", import.meta.url) },
  ]);
  const opened: Database[] = [];
  return {
    ...world,
    quotas: createQuotasService(world.platform),
    node(target = world.platform.database.target) {
      const database = new Database(target, () => "", world.platform.log);
      opened.push(database);
      const platform = { ...world.platform, database, metrics: new Metrics() };
      return { platform, quotas: createQuotasService(platform), close: () => database.close() };
    },
    async usedOf(key, windowStartMs) {
      const rows = await world.platform.database.query<{ used: string }>(
        "select used from ambit.gateway_counters where key = $1 and window_start = $2",
        [key, new Date(windowStartMs)],
      );
      return rows[0] === undefined ? null : Number(rows[0].used);
    },
    async stop() {
      await Promise.all(opened.map((database) => database.close().catch(() => {})));
      await world.stop();
    },
  };
}

const MINUTE_MS = 60_000;

/** A reservation of a minute; `window` counts them. */
export const reservation = (
  key: string,
  { cost = 1, max = 10, window = 0 }: { cost?: number; max?: number; window?: number } = {},
): Reservation => ({
  ...{ key, counter: key, cost, max },
  ...{ windowStartMs: window * MINUTE_MS, windowEndMs: (window + 1) * MINUTE_MS },
  ...{ rule: `/all_tools/limits/${key}`, message: null },
});
