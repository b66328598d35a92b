import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { createTicker } from "../../kernel/ticker.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { MemoryService } from "../memory/service.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

export interface SnapshotsService {
  /** Today's counts of an organisation, taken now when there are none yet; what attention rules look at. */
  today(organizationId: string, nowMs: number): Promise<JsonObject>;
  /** The snapshots of the last `days` days, today's included, newest first; days without one are left out. */
  list(organizationId: string, days: number, nowMs: number): Promise<JsonObject[]>;
  /** Takes what is missing or old, a batch of it; true when there is more. What `start` does again and again. */
  tick(): Promise<boolean>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const DAY_MS = 86_400_000;

/** The day of an instant, in UTC. */
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export function createSnapshotsService(
  { database, clock, log }: Platform,
  { memory }: { memory: Pick<MemoryService, "counts"> },
): SnapshotsService {
  let sweptOn = "";

  const take = async (db: Queryable, organizationId: string, nowMs: number): Promise<store.SnapshotRow> => {
    const snapshot = {
      date: dateOf(nowMs),
      counts: await memory.counts(db, organizationId, nowMs),
      takenAt: new Date(nowMs),
    };
    await store.putSnapshot(db, organizationId, snapshot);
    return { snapshot_date: snapshot.date, counts: snapshot.counts, taken_at: snapshot.takenAt };
  };

  /** The snapshots from a day on, with today's fresh enough. */
  const fresh = async (organizationId: string, days: number, nowMs: number) => {
    const rows = await store.selectSnapshots(database, organizationId, dateOf(nowMs - (days - 1) * DAY_MS));
    const [latest] = rows;
    const today = dateOf(nowMs);
    const isToday = latest?.snapshot_date === today;
    if (isToday && nowMs - latest.taken_at.getTime() < limits.freshMs) return rows;
    return [await take(database, organizationId, nowMs), ...(isToday ? rows.slice(1) : rows)];
  };

  const tick = async (): Promise<boolean> => {
    const now = clock();
    const more = await database.transaction(async (tx) => {
      if (!(await store.tryToBeTheOne(tx))) return false;
      const before = new Date(now - limits.refreshMs);
      const stale = await store.selectStale(tx, dateOf(now), before, limits.atOnce);
      for (const organizationId of stale) {
        // One organisation whose memory can't be counted must not keep the others from being.
        await tx
          .nested((part) => take(part, organizationId, now))
          .catch((error) => log.warn({ err: error, organization: organizationId }, "no snapshot was taken"));
      }
      return stale.length === limits.atOnce;
    });
    if (sweptOn !== dateOf(now)) {
      await store.deleteBefore(database, dateOf(now - limits.keptDays * DAY_MS));
      sweptOn = dateOf(now);
    }
    return more;
  };

  const ticker = createTicker({ name: "snapshots", everyMs: limits.tickMs, log, run: tick });
  return {
    today: async (organizationId, nowMs) => viewOf((await fresh(organizationId, 1, nowMs))[0]!),
    list: async (organizationId, days, nowMs) => (await fresh(organizationId, days, nowMs)).map(viewOf),
    tick,
    async start() {
      ticker.start();
      ticker.wake();
    },
    stop: () => ticker.stop(),
  };
}

const viewOf = ({ snapshot_date, counts, taken_at }: store.SnapshotRow): JsonObject => ({
  ...counts,
  snapshot_date,
  taken_at: taken_at.toISOString(),
});
