import type { DataService } from "../../features/data/service.ts";
import type { App } from "../../kernel/operation.ts";
import { type As, type Authority, decideData } from "./authority.ts";
import { wrong } from "./question.ts";

/** `POST /db/query {sql, params?, as?}` → `{rows, columns, row_count, truncated}`. */
export function query(
  data: DataService,
  app: App,
  authority: Authority,
  question: Record<string, unknown>,
  nowMs: number,
  signal: AbortSignal,
): Promise<object> {
  const { sql, params = [] } = question;
  if (typeof sql !== "string") wrong("db.query takes the statement as a text.");
  if (!Array.isArray(params ?? [])) wrong("db.query takes its parameters as a list.");
  const decision = decideData(authority, asOf(question.as), app, nowMs);
  if ("refusal" in decision) throw decision.refusal;
  return data.callSql({
    appId: app.id,
    ...decision,
    sql,
    params: (params ?? []) as unknown[],
    signal,
  });
}

function asOf(value: unknown): As {
  if (value === undefined || value === null) return undefined;
  if (value === "anon" || value === "service") return value;
  const { user } = value as { user?: unknown };
  if (typeof value === "object" && typeof user === "string") return { user };
  return wrong('as is "anon", "service" or {"user": "<id>"}.');
}
