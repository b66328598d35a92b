import type { Queryable } from "../../engines/postgres/database.ts";
import type { Json, JsonObject } from "../ledger/service.ts";
import type { ConditionMode, RuleDefinition } from "./types.ts";

export interface RuleRow {
  readonly organization_id: string;
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly trigger_cron: string;
  readonly condition_mode: ConditionMode;
  readonly condition: Json;
  readonly action_capability: string;
  readonly action_payload_template: JsonObject;
  readonly enabled: boolean;
  readonly max_fires_per_day: number | null;
  readonly created_by: string;
  readonly updated_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly last_fired_at: Date | null;
  readonly next_fire_at: Date | null;
}

/** Newest first; `enabled` null for all. */
export function selectRules(
  db: Queryable,
  organizationId: string,
  enabled: boolean | null,
): Promise<RuleRow[]> {
  return db.query<RuleRow>(
    `select * from ambit.attention_rules
     where organization_id = $1 and ($2::boolean is null or enabled = $2) order by id desc`,
    [organizationId, enabled],
  );
}

export async function selectRule(db: Queryable, organizationId: string, id: string): Promise<RuleRow | null> {
  const [row] = await db.query<RuleRow>(
    "select * from ambit.attention_rules where organization_id = $1 and id = $2",
    [organizationId, id],
  );
  return row ?? null;
}

/** The rule, held until the transaction ends. */
export async function holdRule(tx: Queryable, organizationId: string, id: string): Promise<RuleRow | null> {
  const [row] = await tx.query<RuleRow>(
    "select * from ambit.attention_rules where organization_id = $1 and id = $2 for update",
    [organizationId, id],
  );
  return row ?? null;
}

/** How many rules there are; whoever adds one waits for whoever is adding another. */
export async function countRules(tx: Queryable, organizationId: string): Promise<number> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
    `attention rules ${organizationId}`,
  ]);
  const [row] = await tx.query<{ count: number }>(
    "select count(*)::int as count from ambit.attention_rules where organization_id = $1",
    [organizationId],
  );
  return row!.count;
}

/** What is written of a rule. */
export interface RuleWrite extends RuleDefinition {
  readonly organizationId: string;
  readonly id: string;
  readonly enabled: boolean;
  readonly accountId: string;
  readonly now: Date;
  readonly nextFireAt: Date | null;
}

const valuesOf = (rule: RuleWrite): unknown[] => [
  rule.organizationId,
  rule.id,
  rule.name,
  rule.description,
  rule.trigger_cron,
  rule.condition_mode,
  JSON.stringify(rule.condition),
  rule.action_capability,
  JSON.stringify(rule.action_payload_template),
  rule.enabled,
  rule.max_fires_per_day,
  rule.accountId,
  rule.now,
  rule.nextFireAt,
];

export async function insertRule(tx: Queryable, rule: RuleWrite): Promise<RuleRow> {
  const [row] = await tx.query<RuleRow>(
    `insert into ambit.attention_rules (organization_id, id, name, description, trigger_cron, condition_mode, condition,
       action_capability, action_payload_template, enabled, max_fires_per_day, created_by, updated_by, created_at,
       updated_at, next_fire_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $13, $14) returning *`,
    valuesOf(rule),
  );
  return row!;
}

/** Writes a rule anew; whoever is at it loses its hold. */
export async function updateRule(tx: Queryable, rule: RuleWrite): Promise<RuleRow> {
  const [row] = await tx.query<RuleRow>(
    `update ambit.attention_rules set name = $3, description = $4, trigger_cron = $5, condition_mode = $6,
       condition = $7, action_capability = $8, action_payload_template = $9, enabled = $10, max_fires_per_day = $11,
       updated_by = $12, updated_at = $13, next_fire_at = $14, claim = null, leased_until = null
     where organization_id = $1 and id = $2 returning *`,
    valuesOf(rule),
  );
  return row!;
}

/** Whether there was one. */
export async function deleteRule(tx: Queryable, organizationId: string, id: string): Promise<boolean> {
  const rows = await tx.query(
    "delete from ambit.attention_rules where organization_id = $1 and id = $2 returning id",
    [organizationId, id],
  );
  return rows.length > 0;
}
