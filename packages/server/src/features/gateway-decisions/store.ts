import type { Queryable } from "../../engines/postgres/database.ts";
import type { UpstreamOutcome } from "./types.ts";

/** How a call ended. */
export interface EndedRow {
  readonly decision_id: string;
  readonly status: number;
  readonly latency_ms: number;
  readonly problem: string | null;
}

/** Writes how calls ended; returns the ids of those that were not written yet. */
export async function insertEnded(
  db: Queryable,
  ended: readonly UpstreamOutcome[],
): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ decision_id: string }>(
    `insert into ambit.gateway_ended (decision_id, status, latency_ms, problem)
     select * from unnest($1::text[], $2::int[], $3::double precision[], $4::text[])
     on conflict (decision_id) do nothing returning decision_id`,
    [
      ended.map(({ decisionId }) => decisionId),
      ended.map(({ status }) => status),
      ended.map(({ latencyMs }) => latencyMs),
      ended.map(({ problem }) => problem),
    ],
  );
  return new Set(rows.map((row) => row.decision_id));
}

/** How these calls ended, as far as it is known, by decision. */
export async function selectEnded(
  db: Queryable,
  decisionIds: readonly string[],
): Promise<ReadonlyMap<string, EndedRow>> {
  if (decisionIds.length === 0) return new Map();
  const rows = await db.query<EndedRow>(
    "select decision_id, status, latency_ms, problem from ambit.gateway_ended where decision_id = any($1::text[])",
    [decisionIds],
  );
  return new Map(rows.map((row) => [row.decision_id, row]));
}
