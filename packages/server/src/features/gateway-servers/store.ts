import type { Queryable } from "../../engines/postgres/database.ts";
import type { Transport } from "./types.ts";

export interface ServerRow {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly transport: Transport;
  readonly url: string | null;
  readonly command: string | null;
  readonly args: readonly string[];
  readonly sealed_secrets: string | null;
  readonly secret_names: readonly string[];
  readonly capture_values: boolean;
  readonly revision: number;
  readonly tools_revision: number;
  readonly looked_at: Date | null;
  readonly created_by: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** What may be set. */
export type ServerSettings = Pick<
  ServerRow,
  "name" | "url" | "command" | "args" | "sealed_secrets" | "secret_names" | "capture_values"
>;

/** A server with how many of its tools wait for a review. */
export type ListedServer = ServerRow & { readonly waiting_tools: number };

export async function selectServer(db: Queryable, id: string): Promise<ServerRow | null> {
  const [row] = await db.query<ServerRow>("select * from ambit.gateway_servers where id = $1", [id]);
  return row ?? null;
}

/** Which of these servers there are, and in which revision. */
export function selectRevisions(
  db: Queryable,
  ids: readonly string[],
): Promise<{ id: string; revision: number }[]> {
  return db.query("select id, revision from ambit.gateway_servers where id = any ($1::uuid[])", [ids]);
}

/** An organisation's servers, or one of them, by name. */
export function selectListed(
  db: Queryable,
  organizationId: string,
  id: string | null = null,
): Promise<ListedServer[]> {
  return db.query<ListedServer>(
    `select s.*, (select count(*)::int from ambit.gateway_tools t
        where t.server_id = s.id and t.approved_hash is distinct from t.present_hash) as waiting_tools
     from ambit.gateway_servers s where s.organization_id = $1 and ($2::uuid is null or s.id = $2) order by s.name`,
    [organizationId, id],
  );
}

/** Makes those who add servers to an organisation wait for each other; how many it has, the built-in one apart. */
export async function lockAndCount(tx: Queryable, organizationId: string): Promise<number> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
    `gateway servers ${organizationId}`,
  ]);
  const [row] = await tx.query<{ count: number }>(
    "select count(*)::int as count from ambit.gateway_servers where organization_id = $1 and transport <> 'builtin'",
    [organizationId],
  );
  return row!.count;
}

/** Throws Postgres' unique violation when the organisation has a server of that name. */
export async function insertServer(
  tx: Queryable,
  server: ServerSettings & Pick<ServerRow, "id" | "organization_id" | "transport" | "created_by">,
  now: Date,
): Promise<ServerRow> {
  const [row] = await tx.query<ServerRow>(
    `insert into ambit.gateway_servers (id, organization_id, name, transport, url, command, args, sealed_secrets,
       secret_names, capture_values, created_by, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) returning *`,
    [
      server.id,
      server.organization_id,
      server.name,
      server.transport,
      server.url,
      server.command,
      server.args,
      server.sealed_secrets,
      server.secret_names,
      server.capture_values,
      server.created_by,
      now,
    ],
  );
  return row!;
}

/** Makes an organisation's built-in server unless it is there already, or there is no such organisation. */
export async function insertBuiltin(
  db: Queryable,
  builtin: Pick<ServerRow, "id" | "organization_id" | "name">,
  now: Date,
): Promise<void> {
  await db.query(
    `insert into ambit.gateway_servers (id, organization_id, name, transport, created_at, updated_at)
     select $1, o.id, $3, 'builtin', $4, $4 from ambit.organizations o where o.id = $2
     on conflict (id) do nothing`,
    [builtin.id, builtin.organization_id, builtin.name, now],
  );
}

/** A server of an organisation, held until the transaction ends, or null. */
export async function holdServer(
  tx: Queryable,
  organizationId: string,
  id: string,
): Promise<ServerRow | null> {
  const [row] = await tx.query<ServerRow>(
    "select * from ambit.gateway_servers where organization_id = $1 and id = $2 for no key update",
    [organizationId, id],
  );
  return row ?? null;
}

export async function updateServer(
  tx: Queryable,
  id: string,
  settings: ServerSettings,
  now: Date,
): Promise<void> {
  await tx.query(
    `update ambit.gateway_servers set name = $2, url = $3, command = $4, args = $5, sealed_secrets = $6,
       secret_names = $7, capture_values = $8, revision = revision + 1, updated_at = $9 where id = $1`,
    [
      id,
      settings.name,
      settings.url,
      settings.command,
      settings.args,
      settings.sealed_secrets,
      settings.secret_names,
      settings.capture_values,
      now,
    ],
  );
}

export async function deleteServer(tx: Queryable, id: string): Promise<void> {
  await tx.query("delete from ambit.gateway_servers where id = $1", [id]);
}
