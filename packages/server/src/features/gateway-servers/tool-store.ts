import type { Queryable } from "../../engines/postgres/database.ts";
import type { SeenTool } from "./definitions.ts";
import type { Pin } from "./pins.ts";

/** What is remembered of a server's tools. */
export interface Pins {
  /** `tools_revision` of the server these belong to. */
  readonly revision: number;
  readonly tools: ReadonlyMap<string, Pin>;
}

interface PinRow {
  readonly tools_revision: number;
  readonly tool: string | null;
  readonly approved_hash: string | null;
  readonly present_hash: string;
  readonly gone_at: Date | null;
}

/** Null when there is no such server. One statement: tools and revision belong together. */
export async function selectPins(db: Queryable, serverId: string): Promise<Pins | null> {
  const rows = await db.query<PinRow>(
    `select s.tools_revision, t.tool, t.approved_hash, t.present_hash, t.gone_at
     from ambit.gateway_servers s left join ambit.gateway_tools t on t.server_id = s.id where s.id = $1`,
    [serverId],
  );
  if (rows[0] === undefined) return null;
  const tools = new Map<string, Pin>();
  for (const { tool, approved_hash, present_hash, gone_at } of rows) {
    if (tool === null) continue;
    const goneAtMs = gone_at?.getTime() ?? null;
    tools.set(tool, { approvedHash: approved_hash, presentHash: present_hash, goneAtMs });
  }
  return { revision: rows[0].tools_revision, tools };
}

const lists = (tools: readonly SeenTool[]) => [
  tools.map(({ name }) => name),
  tools.map(({ text }) => text),
  tools.map(({ hash }) => hash),
];

/** Remembers tools as they are now; what was approved of them stays. */
export async function putPresent(
  tx: Queryable,
  serverId: string,
  tools: readonly SeenTool[],
  now: Date,
): Promise<void> {
  if (tools.length === 0) return;
  await tx.query(
    `insert into ambit.gateway_tools as t (server_id, tool, present, present_hash, seen_at)
     select $1, u.tool, u.present, u.hash, $5
     from unnest($2::text[], $3::text[], $4::text[]) as u (tool, present, hash)
     on conflict (server_id, tool) do update
       set present = excluded.present, present_hash = excluded.present_hash, seen_at = excluded.seen_at, gone_at = null`,
    [serverId, ...lists(tools), now],
  );
}

/** Approves tools as they are now. `accountId` null: by the first look. */
export async function approvePresent(
  tx: Queryable,
  serverId: string,
  tools: readonly string[],
  accountId: string | null,
  now: Date,
): Promise<void> {
  if (tools.length === 0) return;
  await tx.query(
    `update ambit.gateway_tools
     set approved = present, approved_hash = present_hash, approved_by = $3, approved_at = $4
     where server_id = $1 and tool = any ($2::text[])`,
    [serverId, tools, accountId, now],
  );
}

/** Notes since when tools are gone; `goneAt` null: they are back. */
export async function setGone(
  tx: Queryable,
  serverId: string,
  tools: readonly string[],
  goneAt: Date | null,
): Promise<void> {
  if (tools.length === 0) return;
  await tx.query(
    "update ambit.gateway_tools set gone_at = $3 where server_id = $1 and tool = any ($2::text[])",
    [serverId, tools, goneAt],
  );
}

export async function forgetTools(tx: Queryable, serverId: string, tools: readonly string[]): Promise<void> {
  if (tools.length === 0) return;
  await tx.query("delete from ambit.gateway_tools where server_id = $1 and tool = any ($2::text[])", [
    serverId,
    tools,
  ]);
}

/** The tools of a server are others now, and it has been looked at. Returns the new revision. */
export async function bumpTools(tx: Queryable, serverId: string, now: Date): Promise<number> {
  const [row] = await tx.query<{ tools_revision: number }>(
    `update ambit.gateway_servers set tools_revision = tools_revision + 1, looked_at = coalesce(looked_at, $2)
     where id = $1 returning tools_revision`,
    [serverId, now],
  );
  return row!.tools_revision;
}

/** Definitions as they are now, of the tools that are there, by name. */
export function selectPresent(db: Queryable, serverId: string): Promise<{ present: string }[]> {
  return db.query(
    "select present from ambit.gateway_tools where server_id = $1 and gone_at is null order by tool",
    [serverId],
  );
}

export interface ChangeRow {
  readonly tool: string;
  readonly approved: string | null;
  readonly approved_hash: string | null;
  readonly present: string;
  readonly present_hash: string;
  readonly seen_at: Date;
  readonly gone_at: Date | null;
}

/** Tools that wait for a review, by name, after a name. */
export function selectChanges(
  db: Queryable,
  serverId: string,
  after: string | null,
  limit: number,
): Promise<ChangeRow[]> {
  return db.query<ChangeRow>(
    `select tool, approved, approved_hash, present, present_hash, seen_at, gone_at from ambit.gateway_tools
     where server_id = $1 and approved_hash is distinct from present_hash and ($2::text is null or tool collate "C" > $2)
     order by tool collate "C" limit $3`,
    [serverId, after, limit],
  );
}
