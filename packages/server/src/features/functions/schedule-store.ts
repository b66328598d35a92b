import type { Queryable } from "../../engines/postgres/database.ts";

export interface ScheduleRow {
  readonly function_id: string;
  readonly cron: string;
  readonly timezone: string;
  readonly next_run_at: Date | null;
  readonly last_run_at: Date | null;
  readonly last_status: number | null;
  readonly missed: number;
  readonly last_missed_at: Date | null;
}

/** A schedule whose time has come, taken up by this node. */
export interface TakenSchedule extends ScheduleRow {
  readonly next_run_at: Date;
  readonly app_id: string;
  readonly name: string;
  readonly claim: string;
}

/** Sets a function's schedule; one that stays as it was keeps its next time and its counts. */
export async function setSchedule(
  db: Queryable,
  functionId: string,
  schedule: { cron: string; timezone: string; nextRunAt: Date | null },
): Promise<void> {
  await db.query(
    `insert into ambit.function_schedules as s (function_id, cron, timezone, next_run_at)
     values ($1, $2, $3, $4)
     on conflict (function_id) do update
       set cron = excluded.cron, timezone = excluded.timezone, next_run_at = excluded.next_run_at,
           leased_until = null, claim = null
       where (s.cron, s.timezone) is distinct from (excluded.cron, excluded.timezone)`,
    [functionId, schedule.cron, schedule.timezone, schedule.nextRunAt],
  );
}

export async function deleteSchedule(db: Queryable, functionId: string): Promise<void> {
  await db.query("delete from ambit.function_schedules where function_id = $1", [functionId]);
}

/**
 * Takes up schedules that are due and that no other node holds. Rows another node is just looking at are left to it,
 * so every run goes to one node.
 */
export function takeDue(
  db: Queryable,
  taking: { now: Date; leaseMs: number; claim: string; atOnce: number },
): Promise<TakenSchedule[]> {
  return db.query<TakenSchedule>(
    `with due as (
       select s.function_id from ambit.function_schedules s
       join ambit.functions f on f.id = s.function_id and f.deleted_at is null
       where s.next_run_at <= $1 and (s.leased_until is null or s.leased_until <= $1)
       order by s.next_run_at limit $4 for update of s skip locked)
     update ambit.function_schedules s
     set claim = $3, leased_until = $1::timestamptz + (f.timeout_ms + $2) * interval '1 millisecond'
     from due, ambit.functions f where s.function_id = due.function_id and f.id = s.function_id
     returning s.*, f.app_id, f.name`,
    [taking.now, taking.leaseMs, taking.claim, taking.atOnce],
  );
}

/** Gives a schedule back after its run; does nothing when somebody else holds it by now. */
export async function settleSchedule(
  db: Queryable,
  taken: Pick<TakenSchedule, "function_id" | "claim">,
  run: { nextRunAt: Date | null; lastRunAt: Date; lastStatus: number | null; missed: number },
): Promise<void> {
  await db.query(
    `update ambit.function_schedules
     set next_run_at = $3, last_run_at = $4, last_status = $5, missed = missed + $6,
         last_missed_at = case when $6 > 0 then $4 else last_missed_at end, leased_until = null, claim = null
     where function_id = $1 and claim = $2`,
    [taken.function_id, taken.claim, run.nextRunAt, run.lastRunAt, run.lastStatus, run.missed],
  );
}

export function selectSchedules(db: Queryable, appId: string): Promise<ScheduleRow[]> {
  return db.query<ScheduleRow>(
    `select s.* from ambit.function_schedules s join ambit.functions f on f.id = s.function_id
     where f.app_id = $1 and f.deleted_at is null`,
    [appId],
  );
}
