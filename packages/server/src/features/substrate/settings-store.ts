import type { Queryable } from "../../engines/postgres/database.ts";
import type { Mode } from "./capabilities.ts";
import type { Policy } from "./verdict.ts";

export interface PolicyRow extends Policy {
  readonly capability: string;
  readonly updated_at: Date;
}

export async function selectYoloMode(db: Queryable, organizationId: string): Promise<boolean> {
  const [row] = await db.query<{ yolo_mode: boolean }>(
    "select yolo_mode from ambit.substrate_settings where organization_id = $1",
    [organizationId],
  );
  return row?.yolo_mode ?? false;
}

export async function upsertYoloMode(
  db: Queryable,
  organizationId: string,
  on: boolean,
  now: Date,
): Promise<void> {
  await db.query(
    `insert into ambit.substrate_settings (organization_id, yolo_mode, updated_at) values ($1, $2, $3)
     on conflict (organization_id) do update set yolo_mode = excluded.yolo_mode, updated_at = excluded.updated_at`,
    [organizationId, on, now],
  );
}

export function selectPolicies(db: Queryable, organizationId: string): Promise<PolicyRow[]> {
  return db.query<PolicyRow>(
    "select capability, mode, approvers, updated_at from ambit.substrate_policies where organization_id = $1",
    [organizationId],
  );
}

export async function upsertPolicy(
  db: Queryable,
  organizationId: string,
  policy: { readonly capability: string; readonly mode: Mode; readonly approvers: number },
  now: Date,
): Promise<void> {
  await db.query(
    `insert into ambit.substrate_policies (organization_id, capability, mode, approvers, updated_at)
     values ($1, $2, $3, $4, $5)
     on conflict (organization_id, capability) do update
       set mode = excluded.mode, approvers = excluded.approvers, updated_at = excluded.updated_at`,
    [organizationId, policy.capability, policy.mode, policy.approvers, now],
  );
}

export async function deletePolicy(db: Queryable, organizationId: string, capability: string): Promise<void> {
  await db.query("delete from ambit.substrate_policies where organization_id = $1 and capability = $2", [
    organizationId,
    capability,
  ]);
}
