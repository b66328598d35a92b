import type { Queryable } from "../../engines/postgres/database.ts";
import type { RecordKind } from "../memory/service.ts";

/** A read scope as it is stored and sent. */
export interface StoredScope {
  readonly kinds?: readonly RecordKind[];
  readonly entity_types?: readonly string[];
  readonly own_only?: boolean;
}

export interface LinkRow {
  readonly app_id: string;
  readonly organization_id: string;
  readonly read_scope: StoredScope;
  readonly mirror_users: boolean;
  readonly created_at: Date;
}

const COLUMNS = "app_id, organization_id, read_scope, mirror_users, created_at";

export async function selectLink(db: Queryable, appId: string): Promise<LinkRow | null> {
  const [row] = await db.query<LinkRow>(`select ${COLUMNS} from ambit.substrate_links where app_id = $1`, [
    appId,
  ]);
  return row ?? null;
}

export function selectLinks(db: Queryable, appIds: readonly string[]): Promise<LinkRow[]> {
  return db.query<LinkRow>(`select ${COLUMNS} from ambit.substrate_links where app_id = any($1)`, [appIds]);
}

/** Links the app; one that is linked keeps what is not given. */
export async function upsertLink(
  db: Queryable,
  appId: string,
  organizationId: string,
  scope: StoredScope | null,
): Promise<LinkRow> {
  const [row] = await db.query<LinkRow>(
    `insert into ambit.substrate_links as l (app_id, organization_id, read_scope)
     values ($1, $2, coalesce($3::jsonb, '{}'))
     on conflict (app_id) do update
       set organization_id = $2, read_scope = coalesce($3::jsonb, l.read_scope), updated_at = now()
     returning ${COLUMNS}`,
    [appId, organizationId, scope === null ? null : JSON.stringify(scope)],
  );
  return row!;
}

export async function updateMirroring(
  db: Queryable,
  appId: string,
  mirror: boolean,
): Promise<LinkRow | null> {
  const [row] = await db.query<LinkRow>(
    `update ambit.substrate_links set mirror_users = $2, updated_at = now() where app_id = $1 returning ${COLUMNS}`,
    [appId, mirror],
  );
  return row ?? null;
}

export async function deleteLink(db: Queryable, appId: string): Promise<boolean> {
  const rows = await db.query("delete from ambit.substrate_links where app_id = $1 returning app_id", [
    appId,
  ]);
  return rows.length > 0;
}
