import type { Queryable } from "../../engines/postgres/database.ts";

export interface AppRow {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly subdomain: string;
  readonly access_mode: "public" | "authenticated";
  readonly status: "provisioning" | "ready" | "deleting";
  readonly paused_at: Date | null;
  readonly paused_reason: string | null;
  readonly allowed_origins: string[];
  readonly jwt_config: { accessTokenTtl: string; refreshTokenTtlDays: number };
  readonly storage_config: Record<string, unknown>;
  readonly auth_config: Record<string, unknown>;
  readonly auth_hook_function: string | null;
  readonly visibility: "private" | "public";
  readonly listed: boolean;
  readonly env: Record<string, string>;
  readonly env_updated_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Columns that may be changed after creation. */
export type AppPatch = Partial<Omit<AppRow, "id" | "organization_id" | "created_at" | "updated_at">>;

const JSON_COLUMNS = new Set(["jwt_config", "storage_config", "auth_config", "env"]);

/** Inserts the row; null when the organisation's name for it or the subdomain is taken. */
export async function insertApp(
  db: Queryable,
  app: Pick<AppRow, "id" | "organization_id" | "name" | "subdomain" | "access_mode">,
): Promise<AppRow | null> {
  const [row] = await db.query<AppRow>(
    `insert into ambit.apps (id, organization_id, name, subdomain, access_mode, status)
     values ($1, $2, $3, $4, $5, 'provisioning') on conflict do nothing returning *`,
    [app.id, app.organization_id, app.name, app.subdomain, app.access_mode],
  );
  return row ?? null;
}

/** By id, or by subdomain when the reference begins with `~`. */
export async function selectApp(db: Queryable, reference: string): Promise<AppRow | null> {
  const bySubdomain = reference.startsWith("~");
  const [row] = await db.query<AppRow>(
    `select * from ambit.apps where ${bySubdomain ? "subdomain" : "id"} = $1`,
    [bySubdomain ? reference.slice(1) : reference],
  );
  return row ?? null;
}

export async function selectByName(
  db: Queryable,
  organizationId: string,
  name: string,
): Promise<AppRow | null> {
  const [row] = await db.query<AppRow>("select * from ambit.apps where organization_id = $1 and name = $2", [
    organizationId,
    name,
  ]);
  return row ?? null;
}

export function selectApps(db: Queryable, organizationId: string): Promise<AppRow[]> {
  return db.query<AppRow>("select * from ambit.apps where organization_id = $1 order by created_at, id", [
    organizationId,
  ]);
}

/** Apps whose creation or deletion was interrupted. */
export function selectUnfinished(db: Queryable): Promise<AppRow[]> {
  return db.query<AppRow>("select * from ambit.apps where status <> 'ready'");
}

/** The row, held against other changes until the transaction ends. */
export async function lockApp(db: Queryable, id: string): Promise<AppRow | null> {
  const [row] = await db.query<AppRow>("select * from ambit.apps where id = $1 for update", [id]);
  return row ?? null;
}

export async function updateApp(db: Queryable, id: string, patch: AppPatch): Promise<AppRow | null> {
  const fields = Object.entries(patch).filter(([, value]) => value !== undefined);
  const assignments = fields.map(([column], i) => `${column} = $${i + 2}`).join(", ");
  const values = fields.map(([column, value]) => (JSON_COLUMNS.has(column) ? JSON.stringify(value) : value));
  const [row] = await db.query<AppRow>(
    `update ambit.apps set ${assignments}${assignments ? ", " : ""}updated_at = now() where id = $1 returning *`,
    [id, ...values],
  );
  return row ?? null;
}

export async function deleteApp(db: Queryable, id: string): Promise<void> {
  await db.query("delete from ambit.apps where id = $1", [id]);
}
