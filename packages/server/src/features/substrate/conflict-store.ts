import type { Queryable } from "../../engines/postgres/database.ts";
import type { Conflict } from "./types.ts";

export type Resolution = "approve" | "reject" | "dismiss";

export interface ConflictRow {
  readonly organization_id: string;
  readonly id: string;
  readonly action_id: string;
  readonly principle_id: string;
  readonly title: string;
  readonly reason: string;
  readonly status: "open" | "resolved";
  readonly resolution: Resolution | null;
  readonly resolution_reason: string | null;
  readonly resolved_by: string | null;
  readonly created_at: Date;
  readonly resolved_at: Date | null;
}

/** One row per principle that stood against the action; `settled` when nobody has to look at them any more. */
export async function insertConflicts(
  tx: Queryable,
  action: {
    readonly organizationId: string;
    readonly id: string;
    readonly at: Date;
    readonly settled: boolean;
  },
  conflicts: readonly (Conflict & { readonly id: string })[],
): Promise<void> {
  await tx.query(
    `insert into ambit.substrate_conflicts (organization_id, id, action_id, principle_id, title, reason, created_at,
       status, resolution, resolved_at)
     select $1, c.id, $2, c.principle_id, c.title, c.reason, $3::timestamptz,
       case when $4::bool then 'resolved' else 'open' end, case when $4::bool then 'reject' end,
       case when $4::bool then $3::timestamptz end
     from jsonb_to_recordset($5::jsonb) as c (id text, principle_id text, title text, reason text)`,
    [action.organizationId, action.id, action.at, action.settled, JSON.stringify(conflicts)],
  );
}

export interface ConflictFilter {
  readonly status?: string | undefined;
  readonly actionId?: string | undefined;
  /** Only conflicts of what this app proposed. */
  readonly appId?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Newest first. */
export function selectConflicts(
  db: Queryable,
  organizationId: string,
  filter: ConflictFilter & { readonly id?: string },
): Promise<ConflictRow[]> {
  return db.query<ConflictRow>(
    `select c.* from ambit.substrate_conflicts c
     where c.organization_id = $1 and ($2::text is null or c.id = $2)
       and ($3::text is null or c.status = $3) and ($4::text is null or c.action_id = $4)
       and ($5::text is null or c.id < $5)
       and ($6::text is null or exists (select from ambit.substrate_actions a
         where a.organization_id = $1 and a.id = c.action_id and a.source_app_id = $6))
     order by c.id desc limit $7`,
    [
      organizationId,
      filter.id ?? null,
      filter.status ?? null,
      filter.actionId ?? null,
      filter.before ?? null,
      filter.appId ?? null,
      filter.limit,
    ],
  );
}

/** Closes the open conflicts of these ids or actions; how many there were. */
export async function resolveConflicts(
  tx: Queryable,
  organizationId: string,
  which: { readonly ids?: readonly string[]; readonly actionId?: string },
  how: {
    readonly resolution: Resolution;
    readonly reason: string | null;
    readonly by: string | null;
    readonly at: Date;
  },
): Promise<number> {
  const rows = await tx.query(
    `update ambit.substrate_conflicts
     set status = 'resolved', resolution = $4, resolution_reason = $5, resolved_by = $6, resolved_at = $7
     where organization_id = $1 and status = 'open' and (id = any ($2::text[]) or action_id = $3) returning id`,
    [organizationId, which.ids ?? [], which.actionId ?? null, how.resolution, how.reason, how.by, how.at],
  );
  return rows.length;
}
