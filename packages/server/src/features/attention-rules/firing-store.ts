import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";
import type { PlannedProposal } from "./plan.ts";
import type { FiringStatus } from "./types.ts";

export interface FiringRow {
  readonly organization_id: string;
  readonly id: string;
  readonly rule_id: string;
  readonly status: FiringStatus;
  readonly binding_count: number;
  readonly action_ids: string[];
  readonly reason: string | null;
  /** What is to be done, and how it will have ended if all of it goes well. */
  readonly plan: {
    readonly status: FiringStatus;
    readonly capability: string;
    readonly proposals: readonly PlannedProposal[];
  } | null;
  readonly attempts: number;
  readonly missed: number;
  readonly scheduled_at: Date;
  readonly fired_at: Date;
}

export type NewFiring = Omit<FiringRow, "attempts" | "action_ids">;

/** Writes a firing down, unless there is one of that rule and time already; the one there is then. */
export async function beginFiring(tx: Queryable, firing: NewFiring): Promise<FiringRow> {
  const [made] = await tx.query<FiringRow>(
    `insert into ambit.attention_rule_firings (organization_id, id, rule_id, status, binding_count, reason, plan, missed,
       scheduled_at, fired_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (rule_id, scheduled_at) do nothing returning *`,
    [
      firing.organization_id,
      firing.id,
      firing.rule_id,
      firing.status,
      firing.binding_count,
      firing.reason,
      firing.plan === null ? null : JSON.stringify(firing.plan),
      firing.missed,
      firing.scheduled_at,
      firing.fired_at,
    ],
  );
  return made ?? (await firingAt(tx, firing.rule_id, firing.scheduled_at))!;
}

/** The firing of a rule and time, or null. */
export async function firingAt(db: Queryable, ruleId: string, scheduledAt: Date): Promise<FiringRow | null> {
  const [row] = await db.query<FiringRow>(
    "select * from ambit.attention_rule_firings where rule_id = $1 and scheduled_at = $2",
    [ruleId, scheduledAt],
  );
  return row ?? null;
}

/** The firing of a rule that has begun and not ended, or null. */
export async function runningFiring(db: Queryable, ruleId: string): Promise<FiringRow | null> {
  const [row] = await db.query<FiringRow>(
    "select * from ambit.attention_rule_firings where rule_id = $1 and status = 'running' order by id limit 1",
    [ruleId],
  );
  return row ?? null;
}

/** Counts another go at a firing that broke off; which one it is. */
export async function countAttempt(db: Queryable, id: string): Promise<number> {
  const [row] = await db.query<{ attempts: number }>(
    "update ambit.attention_rule_firings set attempts = attempts + 1 where id = $1 returning attempts",
    [id],
  );
  return row?.attempts ?? limits.attempts;
}

export async function endFiring(
  db: Queryable,
  id: string,
  end: {
    readonly status: FiringStatus;
    readonly actionIds: readonly string[];
    readonly reason: string | null;
  },
): Promise<void> {
  await db.query(
    `update ambit.attention_rule_firings set status = $2, action_ids = $3, reason = $4, plan = null where id = $1`,
    [id, end.status, end.actionIds, end.reason?.slice(0, limits.reasonChars) ?? null],
  );
}

/** What broke off of a rule that is changed now is not gone on with. */
export async function breakOffFirings(tx: Queryable, ruleId: string): Promise<void> {
  await tx.query(
    `update ambit.attention_rule_firings
     set status = 'failed', plan = null, reason = 'The rule was changed before the firing had ended.'
     where rule_id = $1 and status = 'running'`,
    [ruleId],
  );
}

/** Proposals of a rule since an instant, those that are still to be made of a firing under way included. */
export async function countProposed(db: Queryable, ruleId: string, since: Date): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `select coalesce(sum(case when plan is null then cardinality(action_ids)
       else jsonb_array_length(plan -> 'proposals') end), 0)::int as count
     from ambit.attention_rule_firings where rule_id = $1 and fired_at >= $2`,
    [ruleId, since],
  );
  return row!.count;
}

/** Newest first; `before` is an id. */
export function selectFirings(
  db: Queryable,
  ruleId: string,
  page: { readonly limit: number; readonly before: string | null },
): Promise<FiringRow[]> {
  return db.query<FiringRow>(
    `select * from ambit.attention_rule_firings where rule_id = $1 and ($2::text is null or id < $2)
     order by id desc limit $3`,
    [ruleId, page.before, page.limit],
  );
}

/** Removes a batch of what ended long ago. */
export async function sweepFirings(db: Queryable, nowMs: number): Promise<void> {
  await db.query(
    `delete from ambit.attention_rule_firings where id in (
       select id from ambit.attention_rule_firings
       where status <> 'running' and (fired_at < $1 or (fired_at < $2 and status = 'skipped')) limit $3)`,
    [new Date(nowMs - limits.keptMs), new Date(nowMs - limits.skippedKeptMs), limits.sweepRows],
  );
}
