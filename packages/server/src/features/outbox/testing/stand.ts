import type { Platform } from "../../../engines/platform.ts";
import { createGuardedFetch } from "../../../kernel/guarded-fetch.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { createLedgerService, type JsonObject } from "../../ledger/service.ts";
import {
  createOutboxService,
  type OutboxManagement,
  type OutboxRow,
  type OutboxService,
} from "../service.ts";

/** One node's outbox, as a process would have it. */
export interface Node {
  readonly service: OutboxService & OutboxManagement;
  readonly metrics: Metrics;
}

/** A node on the platform's database that may call this machine's `ports`. */
export function outboxNode(platform: Platform, ports: readonly number[], clock = platform.clock): Node {
  const allowPrivate = ports.map((port) => `127.0.0.1:${port}`);
  const metrics = new Metrics();
  const config = { ...platform.config, allowPrivateFetch: allowPrivate };
  const own = { ...platform, clock, metrics, config };
  const ledger = createLedgerService(own);
  const fetch = createGuardedFetch({ allowPrivate });
  return { service: createOutboxService(own, { fetch, ledger, random: () => 0.5 }), metrics };
}

/** What the ledger says of an organisation's deliveries, oldest first. */
export async function entriesOf(
  platform: Platform,
  organizationId: string,
): Promise<Record<string, unknown>[]> {
  const rows = await platform.database.query<{ entry: string }>(
    "select entry from ambit.ledger_entries where organization_id = $1 and kind like 'outbox.%' order by seq",
    [organizationId],
  );
  return rows.map(({ entry }) => JSON.parse(entry));
}

/** Queues one event by itself. */
export function tell(
  platform: Platform,
  service: OutboxService,
  event: {
    organizationId: string;
    capability: string;
    body: JsonObject;
    sourceAppId?: string;
    subject?: string;
  },
  nowMs: number,
): Promise<string[]> {
  return platform.database.transaction((tx) =>
    service.enqueue(tx, { subject: "act_1", sourceAppId: null, ...event }, nowMs),
  );
}

/** A row of the outbox as it is now. */
export async function rowOf(platform: Platform, id: string): Promise<OutboxRow> {
  const [row] = await platform.database.query<OutboxRow>("select * from ambit.outbox where id = $1", [id]);
  return row!;
}
