import type { UnitCounters } from "../runtime/service.ts";
import type { ScheduleRow } from "./schedule-store.ts";
import type { FunctionRow, TriggerRow } from "./store.ts";

export interface TriggerView {
  readonly type: TriggerRow["type"];
  readonly enabled: boolean;
  readonly config: Record<string, unknown>;
  /** Of a cron trigger. */
  readonly next_run_at?: string | null;
  readonly last_run_at?: string | null;
  readonly last_status?: number | null;
  /** Runs nobody did: no node was up, the run before was still going, or the app was paused. */
  readonly missed_runs?: number;
  readonly last_missed_at?: string | null;
}

/** A function as it is shown. */
export interface FunctionView {
  readonly row: FunctionRow;
  readonly url: string | null;
  readonly triggers: readonly TriggerView[];
  readonly status: "active" | "error";
  readonly problem: string | null;
  readonly invocationCount: number;
  readonly errorCount: number;
  readonly errorRate: number;
  /** Milliseconds; null without calls. */
  readonly avgDuration: number | null;
  readonly lastInvoked: string | null;
  readonly lastStatus: number | null;
}

/** Puts together what is known of functions. Pure. Secrets stay out: a webhook's is in a column that is not read here. */
export function viewsOf(
  publicUrl: string,
  known: {
    rows: readonly FunctionRow[];
    triggers: readonly TriggerRow[];
    schedules: readonly ScheduleRow[];
    counters: ReadonlyMap<string, UnitCounters>;
    blamed(name: string): string | null;
  },
): FunctionView[] {
  return known.rows.map((row) => {
    const own = known.triggers.filter(({ function_id }) => function_id === row.id);
    const schedule = known.schedules.find(({ function_id }) => function_id === row.id);
    const counted = known.counters.get(row.name);
    const requests = counted?.requests ?? 0;
    const problem = known.blamed(row.name);
    const http = own.find(({ type, enabled }) => type === "http" && enabled);
    return {
      row,
      url: http === undefined ? null : `${publicUrl}/v1/${row.app_id}/fn/${row.name}`,
      triggers: own.map((trigger) => triggerView(trigger, schedule)),
      status: problem === null ? "active" : "error",
      problem,
      invocationCount: requests,
      errorCount: counted?.errors ?? 0,
      errorRate: requests === 0 ? 0 : (counted?.errors ?? 0) / requests,
      avgDuration: requests === 0 ? null : Math.round(((counted?.wallMs ?? 0) / requests) * 100) / 100,
      lastInvoked: isoOf(counted?.lastAtMs ?? null),
      lastStatus: counted?.lastStatus ?? null,
    };
  });
}

function triggerView({ type, enabled, config }: TriggerRow, schedule: ScheduleRow | undefined): TriggerView {
  const shown = { type, enabled, config };
  if (type !== "cron" || schedule === undefined) return shown;
  return {
    ...shown,
    next_run_at: schedule.next_run_at?.toISOString() ?? null,
    last_run_at: schedule.last_run_at?.toISOString() ?? null,
    last_status: schedule.last_status,
    missed_runs: schedule.missed,
    last_missed_at: schedule.last_missed_at?.toISOString() ?? null,
  };
}

const isoOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
