import type { Queryable } from "../../engines/postgres/database.ts";
import type { ProgramKind } from "../../engines/workerd/types.ts";
import type { LogEntry, LogQuery } from "./types.ts";

export interface HomeRow {
  readonly node_id: string;
  readonly host: string;
}

/** Makes the node the app's home if it has none; tells which node is. Null when there is no such app. */
export async function claimHome(
  db: Queryable,
  appId: string,
  node: { id: string; host: string },
): Promise<HomeRow | null> {
  await db.query(
    `insert into ambit.runtime_homes (app_id, node_id, host) select id, $2, $3 from ambit.apps where id = $1
     on conflict (app_id) do nothing`,
    [appId, node.id, node.host],
  );
  const [row] = await db.query<HomeRow>("select node_id, host from ambit.runtime_homes where app_id = $1", [
    appId,
  ]);
  return row ?? null;
}

export interface SettingsRow {
  /** Hosts; null for every public one. */
  readonly egress_allow: string[] | null;
  readonly logs: boolean;
}

export async function selectSettings(db: Queryable, appId: string): Promise<SettingsRow> {
  const [row] = await db.query<SettingsRow>(
    "select egress_allow, logs from ambit.runtime_settings where app_id = $1",
    [appId],
  );
  return row ?? { egress_allow: null, logs: true };
}

/** Changes what the patch names, and tells how it all is now. */
export async function upsertSettings(
  db: Queryable,
  appId: string,
  patch: Partial<SettingsRow>,
): Promise<SettingsRow> {
  const [row] = await db.query<SettingsRow>(
    `insert into ambit.runtime_settings as s (app_id, egress_allow, logs) values ($1, $2, coalesce($3, true))
     on conflict (app_id) do update set updated_at = now(), logs = coalesce($3, s.logs),
       egress_allow = case when $4 then excluded.egress_allow else s.egress_allow end
     returning egress_allow, logs`,
    [appId, patch.egress_allow ?? null, patch.logs ?? null, patch.egress_allow !== undefined],
  );
  return row!;
}

/** One row's worth of what has happened since the last write. */
export interface UsageDelta {
  readonly app_id: string;
  readonly kind: ProgramKind;
  /** Empty for the program. */
  readonly unit: string;
  /** First day, `2026-11-01`. */
  readonly month: string;
  requests: number;
  errors: number;
  wall_ms: number;
  cpu_ms: number;
  egress_requests: number;
  egress_refused: number;
  egress_bytes_in: number;
  egress_bytes_out: number;
  /** Milliseconds since the epoch. */
  last_at_ms: number | null;
  last_status: number | null;
}

const SUMS = [
  ...["requests", "errors", "wall_ms", "cpu_ms"],
  ...["egress_requests", "egress_refused", "egress_bytes_in", "egress_bytes_out"],
];

const ADD_USAGE = `insert into ambit.runtime_usage
    (app_id, kind, unit, month, ${SUMS.join(", ")}, last_at, last_status)
  select d.app_id, d.kind, d.unit, d.month, ${SUMS.map((name) => `d.${name}`).join(", ")},
    to_timestamp(d.last_at_ms / 1000), d.last_status
  from jsonb_to_recordset($1::jsonb) as d(app_id text, kind text, unit text, month date,
    requests bigint, errors bigint, wall_ms float8, cpu_ms float8, egress_requests bigint, egress_refused bigint,
    egress_bytes_in bigint, egress_bytes_out bigint, last_at_ms float8, last_status int)
  join ambit.apps a on a.id = d.app_id
  order by d.app_id, d.kind, d.month, d.unit
  on conflict (app_id, kind, month, unit) do update set
    ${SUMS.map((name) => `${name} = runtime_usage.${name} + excluded.${name}`).join(", ")},
    last_status = case when excluded.last_at >= coalesce(runtime_usage.last_at, '-infinity')
      then excluded.last_status else runtime_usage.last_status end,
    last_at = greatest(runtime_usage.last_at, excluded.last_at)`;

/** Adds the deltas; those of apps that are gone are left out. */
export async function addUsage(db: Queryable, deltas: readonly UsageDelta[]): Promise<void> {
  await db.query(ADD_USAGE, [JSON.stringify(deltas)]);
}

export interface UsageRow {
  readonly unit: string;
  readonly requests: number;
  readonly errors: number;
  readonly wall_ms: number;
  readonly cpu_ms: number;
  readonly last_at: Date | null;
  readonly last_status: number | null;
}

/** By unit, of one month or (null) since ever. */
export function selectUsage(
  db: Queryable,
  appId: string,
  kind: ProgramKind,
  month: string | null,
): Promise<UsageRow[]> {
  return db.query<UsageRow>(
    `select unit, sum(requests)::float8 as requests, sum(errors)::float8 as errors, sum(wall_ms) as wall_ms,
       sum(cpu_ms) as cpu_ms, max(last_at) as last_at, (array_agg(last_status order by month desc))[1] as last_status
     from ambit.runtime_usage where app_id = $1 and kind = $2 and ($3::date is null or month = $3::date)
     group by unit order by unit`,
    [appId, kind, month],
  );
}

export async function selectEgressUse(
  db: Queryable,
  appId: string,
  month: string,
): Promise<{ requests: number; refused: number; bytes_in: number; bytes_out: number }> {
  const [row] = await db.query<{ requests: number; refused: number; bytes_in: number; bytes_out: number }>(
    `select coalesce(sum(egress_requests), 0)::float8 as requests, coalesce(sum(egress_refused), 0)::float8 as refused,
       coalesce(sum(egress_bytes_in), 0)::float8 as bytes_in, coalesce(sum(egress_bytes_out), 0)::float8 as bytes_out
     from ambit.runtime_usage where app_id = $1 and month = $2`,
    [appId, month],
  );
  return row!;
}

/** An entry as its row has it. */
export interface LogRow {
  readonly id: string;
  readonly app_id: string;
  readonly kind: ProgramKind;
  readonly unit: string;
  readonly at: string;
  readonly failed: boolean;
  readonly request_id: string | null;
  readonly entry: LogEntry;
}

/** Writes entries at once; those of apps that are gone are left out. */
export async function insertLogs(db: Queryable, rows: readonly LogRow[]): Promise<void> {
  await db.query(
    `insert into ambit.runtime_logs (id, app_id, kind, unit, at, failed, request_id, entry)
     select l.id, l.app_id, l.kind, l.unit, l.at, l.failed, l.request_id, l.entry
     from jsonb_to_recordset($1::jsonb) as l(id text, app_id text, kind text, unit text, at timestamptz,
       failed boolean, request_id text, entry jsonb)
     join ambit.apps a on a.id = l.app_id
     on conflict (id) do nothing`,
    [JSON.stringify(rows)],
  );
}

/** Newest first. What concerns the whole program is there for every unit. */
export async function selectLogs(db: Queryable, query: LogQuery): Promise<LogEntry[]> {
  const rows = await db.query<{ entry: LogEntry }>(
    `select entry from ambit.runtime_logs
     where app_id = $1 and kind = $2 and ($3::text is null or unit = $3 or unit = '')
       and ($4::timestamptz is null or at >= $4) and (failed or not $5)
     order by id desc limit $6`,
    [
      query.appId,
      query.kind,
      query.unit,
      query.sinceMs === null ? null : new Date(query.sinceMs),
      query.level === "error",
      query.limit,
    ],
  );
  return rows.map((row) => row.entry);
}

export async function deleteOldLogs(db: Queryable, before: Date): Promise<void> {
  await db.query("delete from ambit.runtime_logs where at < $1", [before]);
}

/** Keeps the newest `keep` entries of a program. */
export async function deleteSurplusLogs(
  db: Queryable,
  appId: string,
  kind: ProgramKind,
  keep: number,
): Promise<void> {
  await db.query(
    `delete from ambit.runtime_logs where app_id = $1 and kind = $2 and id <=
       (select id from ambit.runtime_logs where app_id = $1 and kind = $2 order by id desc offset $3 limit 1)`,
    [appId, kind, keep],
  );
}
