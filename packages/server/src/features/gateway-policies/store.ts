import type { Queryable } from "../../engines/postgres/database.ts";

export interface PolicyRow {
  readonly id: string;
  readonly organization_id: string;
  readonly server_id: string;
  readonly name: string;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly deleted_at: Date | null;
}

export interface VersionRow {
  readonly policy_id: string;
  readonly version: number;
  readonly document: string;
  readonly document_sha256: string;
  readonly created_at: Date;
  readonly account_id: string;
  readonly key_id: string;
}

/** A policy with what its present version is. */
export type ListedRow = PolicyRow & Pick<VersionRow, "document_sha256">;

/** A live policy; null when there is none. */
export async function selectPolicy(db: Queryable, id: string): Promise<PolicyRow | null> {
  const [row] = await db.query<PolicyRow>(
    "select * from ambit.gateway_policies where id = $1 and deleted_at is null",
    [id],
  );
  return row ?? null;
}

/** A policy, deleted or not. */
export async function selectAnyPolicy(db: Queryable, id: string): Promise<PolicyRow | null> {
  const [row] = await db.query<PolicyRow>("select * from ambit.gateway_policies where id = $1", [id]);
  return row ?? null;
}

/** An organisation's live policy, held against every other change until the transaction ends. */
export async function lockPolicy(
  tx: Queryable,
  organizationId: string,
  id: string,
): Promise<PolicyRow | null> {
  const [row] = await tx.query<PolicyRow>(
    "select * from ambit.gateway_policies where id = $1 and organization_id = $2 and deleted_at is null for update",
    [id, organizationId],
  );
  return row ?? null;
}

/** The same, held only against being edited or deleted. */
export async function sharePolicy(
  tx: Queryable,
  organizationId: string,
  id: string,
): Promise<PolicyRow | null> {
  const [row] = await tx.query<PolicyRow>(
    "select * from ambit.gateway_policies where id = $1 and organization_id = $2 and deleted_at is null for share",
    [id, organizationId],
  );
  return row ?? null;
}

export async function selectVersion(
  db: Queryable,
  policyId: string,
  version: number,
): Promise<VersionRow | null> {
  const [row] = await db.query<VersionRow>(
    "select * from ambit.gateway_policy_versions where policy_id = $1 and version = $2",
    [policyId, version],
  );
  return row ?? null;
}

/** Newest first, without their documents. */
export function selectVersions(
  db: Queryable,
  policyId: string,
  before: number | null,
  limit: number,
): Promise<(Omit<VersionRow, "document"> & { bytes: number })[]> {
  return db.query(
    `select policy_id, version, document_sha256, created_at, account_id, key_id, octet_length(document) as bytes
     from ambit.gateway_policy_versions where policy_id = $1 and ($2::int is null or version < $2)
     order by version desc limit $3`,
    [policyId, before, limit],
  );
}

/** An organisation's live policies, newest first; `before` is the last one of the page before. */
export function selectPolicies(
  db: Queryable,
  organizationId: string,
  filter: { serverId: string | null; before: string | null; limit: number },
): Promise<ListedRow[]> {
  return db.query<ListedRow>(
    `select p.*, v.document_sha256 from ambit.gateway_policies p
     join ambit.gateway_policy_versions v on v.policy_id = p.id and v.version = p.version
     where p.organization_id = $1 and p.deleted_at is null and ($2::uuid is null or p.server_id = $2)
       and ($3::uuid is null or (p.created_at, p.id) < (
         select b.created_at, b.id from ambit.gateway_policies b where b.id = $3 and b.organization_id = $1))
     order by p.created_at desc, p.id desc limit $4`,
    [organizationId, filter.serverId, filter.before, filter.limit],
  );
}

/** Makes those who make policies of a server wait for each other. */
export async function lockServer(tx: Queryable, serverId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`gateway policies ${serverId}`]);
}

export async function countPolicies(tx: Queryable, serverId: string): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    "select count(*)::int as count from ambit.gateway_policies where server_id = $1 and deleted_at is null",
    [serverId],
  );
  return row!.count;
}

/** Makes a policy without a version yet; false when its server has one of that name. */
export async function insertPolicy(
  tx: Queryable,
  policy: Pick<PolicyRow, "id" | "organization_id" | "server_id" | "name">,
  now: Date,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into ambit.gateway_policies (id, organization_id, server_id, name, version, created_at, updated_at)
     values ($1, $2, $3, $4, 1, $5, $5) on conflict (server_id, name) where deleted_at is null do nothing returning id`,
    [policy.id, policy.organization_id, policy.server_id, policy.name, now],
  );
  return rows.length > 0;
}

export async function insertVersion(tx: Queryable, row: VersionRow): Promise<void> {
  await tx.query(
    `insert into ambit.gateway_policy_versions
       (policy_id, version, document, document_sha256, created_at, account_id, key_id)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      row.policy_id,
      row.version,
      row.document,
      row.document_sha256,
      row.created_at,
      row.account_id,
      row.key_id,
    ],
  );
}

/** Makes a version the one that holds. */
export async function setVersion(tx: Queryable, id: string, version: number, now: Date): Promise<void> {
  await tx.query("update ambit.gateway_policies set version = $2, updated_at = $3 where id = $1", [
    id,
    version,
    now,
  ]);
}

export async function markDeleted(tx: Queryable, id: string, now: Date): Promise<void> {
  await tx.query("update ambit.gateway_policies set deleted_at = $2 where id = $1", [id, now]);
}
