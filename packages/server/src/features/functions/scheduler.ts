import type { Platform } from "../../engines/platform.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { Catalogue } from "./catalogue.ts";
import { sweepClaims } from "./claims-store.ts";
import type { InsideCalls } from "./inside.ts";
import { limits } from "./limits.ts";
import { decideDue } from "./schedule.ts";
import { settleSchedule, type TakenSchedule, takeDue } from "./schedule-store.ts";
import { eraseDeleted } from "./store.ts";

export interface Scheduler {
  /** Runs what is due now and waits for it; what `start` does again and again. */
  tick(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/**
 * Runs functions whose time has come. The schedules are rows that all nodes look at; a node that takes one up holds it
 * until its run is over, or until the run must have ended had the node lived. Nothing is run twice at once.
 */
export function createScheduler(
  platform: Platform,
  { catalogue, send }: { catalogue: Catalogue; send: InsideCalls["send"] },
): Scheduler {
  const { database, clock, log } = platform;
  const underWay = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let sweptMs = 0;

  const runOne = async (taken: TakenSchedule): Promise<void> => {
    const startedMs = clock();
    const due = decideDue(taken, taken.next_run_at.getTime(), startedMs);
    if (due.missed > 0) {
      log.warn({ app: taken.app_id, function: taken.name, missed: due.missed }, "scheduled runs were missed");
    }
    let status: number | null = null;
    let missed = due.missed;
    try {
      const functions = await catalogue.find(taken.app_id);
      const route = functions?.byName.get(taken.name);
      if (functions == null || route === undefined || functions.app.paused) missed += 1;
      else {
        const answer = await send(route, "cron", {
          trigger: "cron",
          schedule: taken.cron,
          scheduled_at: new Date(due.scheduledMs).toISOString(),
          missed: due.missed,
        });
        status = answer.status;
      }
    } catch (error) {
      status = error instanceof AmbitError ? error.status : 500;
      log.warn({ app: taken.app_id, function: taken.name, err: error }, "a scheduled run failed");
    }
    await settleSchedule(database, taken, {
      nextRunAt: due.nextMs === null ? null : new Date(due.nextMs),
      lastRunAt: new Date(startedMs),
      lastStatus: status,
      missed,
    });
  };

  const tick = async (): Promise<void> => {
    const now = clock();
    const taken = await takeDue(database, {
      now: new Date(now),
      leaseMs: limits.claimSlackMs,
      claim: newUuid(),
      atOnce: limits.schedulesAtOnce,
    });
    const ends = await Promise.allSettled([...taken.map(runOne), sweep(now)]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  };

  /** Removes what has expired; a failure must not keep what is due from running. */
  const sweep = async (nowMs: number): Promise<void> => {
    if (nowMs - sweptMs < limits.sweepMs) return;
    sweptMs = nowMs;
    await sweepClaims(database, new Date(nowMs));
    await eraseDeleted(database, new Date(nowMs - limits.deletedMs));
  };

  return {
    tick,
    start() {
      timer ??= setInterval(() => {
        const ticking = tick()
          .catch((error) => log.warn({ err: error }, "due schedules could not all be seen to"))
          .finally(() => underWay.delete(ticking));
        underWay.add(ticking);
      }, limits.scheduleTickMs);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await Promise.allSettled(underWay);
    },
  };
}
