import { type DueDecision, decideDue as decide, type Schedule } from "../../kernel/schedule.ts";
import { limits } from "./limits.ts";

export { nextRun, type Schedule, scheduleProblem } from "../../kernel/schedule.ts";

/** Decides over a function's schedule that fell due at `dueMs`: it runs once however many times have passed. Pure. */
export const decideDue = (schedule: Schedule, dueMs: number, nowMs: number): DueDecision =>
  decide(schedule, dueMs, nowMs, limits.missedRuns);
