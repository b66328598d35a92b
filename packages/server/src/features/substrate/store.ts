import type { Queryable } from "../../engines/postgres/database.ts";
import type { ActionRow, Ending, NewAction, ProposalFacts } from "./action-row.ts";

export type * from "./action-row.ts";

/** Lets proposals under one key go one after the other until the transaction ends. */
export async function lockIdempotencyKey(tx: Queryable, organizationId: string, key: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
    `substrate.idempotency ${organizationId} ${key}`,
  ]);
}

export async function selectFacts(
  tx: Queryable,
  organizationId: string,
  capability: string,
  idempotencyKey: string | null,
): Promise<ProposalFacts> {
  const [row] = await tx.query<ProposalFacts>(
    `select
       coalesce((select yolo_mode from ambit.substrate_settings where organization_id = $1), false) as yolo_mode,
       (select jsonb_build_object('mode', mode, 'approvers', approvers) from ambit.substrate_policies
        where organization_id = $1 and capability = $2) as policy,
       (select jsonb_build_object('id', id, 'payload_hash', payload_hash, 'status', status, 'verdict', verdict,
          'result', result, 'approval_id', approval_id)
        from ambit.substrate_actions where organization_id = $1 and idempotency_key = $3) as earlier`,
    [organizationId, capability, idempotencyKey],
  );
  return row!;
}

/**
 * One of these actions that a person approved and that the proposer might undo; null when there is none. They are locked
 * until the transaction ends: what is being approved at this moment counts.
 */
export async function firstApproved(
  tx: Queryable,
  organizationId: string,
  actionIds: readonly string[],
  capabilities: readonly string[],
  sourceAppId: string | null,
): Promise<string | null> {
  if (actionIds.length === 0) return null;
  const approved = (await lockActions(tx, organizationId, actionIds)).find(
    (action) =>
      action.approved_by_kind === "human" &&
      action.status === "executed" &&
      action.reverted_by === null &&
      capabilities.includes(action.capability) &&
      (sourceAppId === null || action.source_app_id === sourceAppId),
  );
  return approved?.id ?? null;
}

export async function insertAction(tx: Queryable, action: NewAction): Promise<void> {
  await tx.query(
    `insert into ambit.substrate_actions (organization_id, id, capability, payload, status, verdict, result, changes,
       changes_count, proposer_kind, proposer_id, proposer_account_id, proposer_label, source_app_id, source_rule_id,
       trigger_context, idempotency_key, payload_hash, approval_id, rejected_reason, ledger_entry_id, proposed_at,
       executed_at, decided_at)
     values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24)`,
    [
      action.organization_id,
      action.id,
      action.capability,
      JSON.stringify(action.payload),
      action.status,
      JSON.stringify(action.verdict),
      action.result === null ? null : JSON.stringify(action.result),
      JSON.stringify(action.changes),
      action.changes_count,
      action.proposer_kind,
      action.proposer_id,
      action.proposer_account_id,
      action.proposer_label,
      action.source_app_id,
      action.source_rule_id,
      action.trigger_context,
      action.idempotency_key,
      action.payload_hash,
      action.approval_id,
      action.rejected_reason,
      action.ledger_entry_id,
      action.proposed_at,
      action.executed_at,
      action.decided_at,
    ],
  );
}

export async function selectAction(
  db: Queryable,
  organizationId: string,
  id: string,
): Promise<ActionRow | null> {
  const [row] = await db.query<ActionRow>(
    "select * from ambit.substrate_actions where organization_id = $1 and id = $2",
    [organizationId, id],
  );
  return row ?? null;
}

/** The actions of these ids that there are, locked until the transaction ends; in the order of their ids. */
export function lockActions(
  tx: Queryable,
  organizationId: string,
  ids: readonly string[],
): Promise<ActionRow[]> {
  return tx.query<ActionRow>(
    `select * from ambit.substrate_actions where organization_id = $1 and id = any ($2::text[]) order by id for update`,
    [organizationId, ids],
  );
}

/** The action a key belongs to, e.g. to find what an earlier event has made. */
export async function selectByKeys(
  db: Queryable,
  organizationId: string,
  idempotencyKeys: readonly string[],
): Promise<Pick<ActionRow, "id" | "status" | "result">[]> {
  return db.query(
    `select id, status, result from ambit.substrate_actions
     where organization_id = $1 and idempotency_key = any ($2::text[]) order by id desc`,
    [organizationId, idempotencyKeys],
  );
}

export interface ActionFilter {
  readonly status?: string | undefined;
  readonly capability?: string | undefined;
  readonly sourceAppId?: string | undefined;
  readonly sourceRuleId?: string | undefined;
  /** Only those older than this id. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Newest first. */
export function selectActions(
  db: Queryable,
  organizationId: string,
  filter: ActionFilter,
): Promise<ActionRow[]> {
  return db.query<ActionRow>(
    `select * from ambit.substrate_actions
     where organization_id = $1
       and ($2::text is null or status = $2) and ($3::text is null or capability = $3)
       and ($4::text is null or source_app_id = $4) and ($5::text is null or source_rule_id = $5)
       and ($6::text is null or id < $6)
     order by id desc limit $7`,
    [
      organizationId,
      filter.status ?? null,
      filter.capability ?? null,
      filter.sourceAppId ?? null,
      filter.sourceRuleId ?? null,
      filter.before ?? null,
      filter.limit,
    ],
  );
}

export async function endAction(
  tx: Queryable,
  organizationId: string,
  id: string,
  ending: Ending,
): Promise<void> {
  await tx.query(
    `update ambit.substrate_actions set status = $3, decided_at = $4,
       executed_at = case when $3 = 'executed' then $4::timestamptz end, result = $5, changes = $6, changes_count = $7,
       error = $8, approved_by = $9, approved_by_kind = case when $9::text is not null then 'human' end,
       rejected_reason = $10
     where organization_id = $1 and id = $2`,
    [
      organizationId,
      id,
      ending.status,
      ending.at,
      ending.result === undefined ? null : JSON.stringify(ending.result),
      JSON.stringify(ending.changes ?? []),
      ending.changesCount ?? 0,
      ending.error === undefined ? null : JSON.stringify(ending.error),
      ending.approvedBy ?? null,
      ending.rejectedReason ?? null,
    ],
  );
}

/** Notes which action has undone these. */
export async function markReverted(
  tx: Queryable,
  organizationId: string,
  ids: readonly string[],
  by: string,
): Promise<void> {
  await tx.query(
    "update ambit.substrate_actions set reverted_by = $3 where organization_id = $1 and id = any ($2::text[])",
    [organizationId, ids, by],
  );
}
