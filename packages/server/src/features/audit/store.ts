import type { Queryable } from "../../engines/postgres/database.ts";
import type { AuditEntry } from "../../kernel/pipeline.ts";

/** What a reader of the audit log may narrow by; absent fields match everything. */
export interface AuditFilter {
  readonly category?: string | undefined;
  readonly event_type?: string | undefined;
  readonly action?: string | undefined;
  readonly resource_type?: string | undefined;
  readonly resource_id?: string | undefined;
  readonly actor_id?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Returns the id of the new row. */
export async function insertEntry(db: Queryable, entry: AuditEntry): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into ambit.audit_log (app_id, organization_id, category, event_type, action, resource_type, resource_id,
       actor_type, actor_id, event_data, ip_address, user_agent, success, error_message, correlation_id)
     values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15) returning id`,
    [
      entry.appId,
      entry.organizationId,
      entry.category,
      entry.eventType,
      entry.action,
      entry.resourceType,
      entry.resourceId,
      entry.actorType,
      entry.actorId,
      JSON.stringify(entry.eventData),
      entry.ip,
      entry.userAgent,
      entry.success,
      entry.errorMessage,
      entry.requestId,
    ],
  );
  return row!.id;
}

const COLUMNS = ["category", "event_type", "action", "resource_type", "resource_id", "actor_id"] as const;

/** Newest first, with the number of all entries that match. */
export async function selectEntries(
  db: Queryable,
  appId: string,
  filter: AuditFilter,
  limit: number,
  offset: number,
): Promise<{ logs: Record<string, unknown>[]; total: number }> {
  const values: unknown[] = [appId];
  const terms = ["app_id = $1"];
  const add = (sql: (n: string) => string, value: string | undefined) => {
    if (value === undefined) return;
    values.push(value);
    terms.push(sql(`$${values.length}`));
  };
  for (const column of COLUMNS) add((n) => `${column} = ${n}`, filter[column]);
  add((n) => `created_at >= ${n}::timestamptz`, filter.from);
  add((n) => `created_at <= ${n}::timestamptz`, filter.to);
  const where = terms.join(" and ");
  const [counted] = await db.query<{ total: number }>(
    `select count(*)::int as total from ambit.audit_log where ${where}`,
    values,
  );
  const logs = await db.query(
    `select id, app_id, category, event_type, action, resource_type, resource_id, actor_type, actor_id, event_data,
       ip_address, user_agent, success, error_message, correlation_id, created_at
     from ambit.audit_log where ${where} order by id desc limit $${values.length + 1} offset $${values.length + 2}`,
    [...values, limit, offset],
  );
  return { logs, total: counted?.total ?? 0 };
}
