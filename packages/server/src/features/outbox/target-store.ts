import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";

export interface TargetRow {
  readonly id: string;
  readonly organization_id: string;
  readonly capability: string;
  readonly source_app_id: string | null;
  readonly webhook_url: string;
  readonly sealed_secret: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Which target of an organisation: one per capability and app. */
export type TargetKey = Pick<TargetRow, "organization_id" | "capability" | "source_app_id">;

export function selectTargets(db: Queryable, organizationId: string): Promise<TargetRow[]> {
  return db.query<TargetRow>(
    `select * from ambit.outbox_targets where organization_id = $1
     order by capability, source_app_id nulls first limit $2`,
    [organizationId, limits.targets],
  );
}

/**
 * The targets an event goes to. They stay as long as the transaction lasts: whoever removes one meanwhile waits, and
 * then sees what was queued for it.
 */
export function holdMatching(
  tx: Queryable,
  event: { organizationId: string; capability: string; sourceAppId: string | null },
): Promise<TargetRow[]> {
  return tx.query<TargetRow>(
    `select * from ambit.outbox_targets
     where organization_id = $1 and capability = $2 and (source_app_id is null or source_app_id = $3)
     order by source_app_id nulls first for key share`,
    [event.organizationId, event.capability, event.sourceAppId],
  );
}

/** One target, held like in `holdMatching`, or null. */
export async function holdTarget(tx: Queryable, key: TargetKey): Promise<TargetRow | null> {
  const [row] = await tx.query<TargetRow>(
    `select * from ambit.outbox_targets
     where organization_id = $1 and capability = $2 and source_app_id is not distinct from $3 for key share`,
    [key.organization_id, key.capability, key.source_app_id],
  );
  return row ?? null;
}

/** Sets a target, in place of the one there was; null when its app is not one of the organisation's. */
export async function putTarget(
  tx: Queryable,
  target: Omit<TargetRow, "created_at" | "updated_at">,
  now: Date,
): Promise<TargetRow | null> {
  const [row] = await tx.query<TargetRow>(
    `insert into ambit.outbox_targets as t
       (id, organization_id, capability, source_app_id, webhook_url, sealed_secret, created_at, updated_at)
     select $1, $2, $3, $4, $5, $6, $7, $7
     where $4::text is null or exists (select from ambit.apps where id = $4 and organization_id = $2)
     on conflict (organization_id, capability, source_app_id) do update
       set webhook_url = excluded.webhook_url, sealed_secret = excluded.sealed_secret, updated_at = excluded.updated_at
     returning *`,
    [
      target.id,
      target.organization_id,
      target.capability,
      target.source_app_id,
      target.webhook_url,
      target.sealed_secret,
      now,
    ],
  );
  return row ?? null;
}

/** Makes those who set targets of an organisation wait for each other. */
export async function lockTargets(tx: Queryable, organizationId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
    `outbox targets ${organizationId}`,
  ]);
}

/** Removes a target; null when there was none. */
export async function deleteTarget(tx: Queryable, key: TargetKey): Promise<TargetRow | null> {
  const [row] = await tx.query<TargetRow>(
    `delete from ambit.outbox_targets
     where organization_id = $1 and capability = $2 and source_app_id is not distinct from $3 returning *`,
    [key.organization_id, key.capability, key.source_app_id],
  );
  return row ?? null;
}
