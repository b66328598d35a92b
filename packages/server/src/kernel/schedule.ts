import { Cron } from "croner";

/** When something is to happen by itself. */
export interface Schedule {
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** An IANA name such as Europe/Berlin. */
  readonly timezone: string;
}

/** What is wrong with a schedule, or null. Pure. */
export function scheduleProblem({ cron, timezone }: Schedule): string | null {
  if (cron.trim().split(/\s+/).length !== 5) {
    return "schedule has five fields: minute hour day-of-month month day-of-week, such as */5 * * * *";
  }
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
  } catch {
    return `timezone ${timezone.slice(0, 60)} is not known; use an IANA name such as Europe/Berlin`;
  }
  try {
    if (nextRun({ cron, timezone }, 0) === null) return "schedule never comes";
  } catch (error) {
    return `schedule can't be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  return null;
}

/** The first time after `afterMs`, or null when there is none. Pure. */
export function nextRun({ cron, timezone }: Schedule, afterMs: number): number | null {
  return patternOf(cron, timezone).nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** What is to be done about a schedule whose time has come. */
export interface DueDecision {
  /** The time the one run stands for: the latest that has come. */
  readonly scheduledMs: number;
  /** Runs before that one that nobody did: while no node was up, or while the run before was still going. */
  readonly missed: number;
  readonly nextMs: number | null;
}

/**
 * Decides over a schedule that fell due at `dueMs`: it runs once however many times have passed. At most `mostMissed`
 * are counted. Pure.
 */
export function decideDue(schedule: Schedule, dueMs: number, nowMs: number, mostMissed: number): DueDecision {
  const pattern = patternOf(schedule.cron, schedule.timezone);
  let scheduledMs = dueMs;
  let missed = 0;
  for (;;) {
    const next = pattern.nextRun(new Date(scheduledMs))?.getTime() ?? null;
    if (next === null || next > nowMs) return { scheduledMs, missed, nextMs: next };
    if (missed >= mostMissed) {
      // The pattern looks back from whole seconds, and does not count the one it looks back from.
      const latest = pattern.previousRuns(1, new Date(nowMs + 1_000))[0]?.getTime() ?? scheduledMs;
      return {
        scheduledMs: latest <= nowMs ? Math.max(latest, scheduledMs) : scheduledMs,
        missed,
        nextMs: pattern.nextRun(new Date(nowMs))?.getTime() ?? null,
      };
    }
    scheduledMs = next;
    missed += 1;
  }
}

const patternOf = (cron: string, timezone: string): Cron =>
  new Cron(cron.trim(), { timezone, mode: "5-part", paused: true });
