import { z } from "zod";
import { appOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { DataService } from "./service.ts";
import { decideSql } from "./sql-access.ts";

/** `data.run_sql`: one statement of SQL, judged before it runs. */
export const runSqlOperation = (service: DataService) =>
  appOperation({
    name: "data.run_sql",
    title: "Run SQL",
    summary:
      "Runs one SELECT, INSERT, UPDATE, DELETE, MERGE or EXPLAIN on the app's tables, in a transaction of its own. " +
      "Statements that only read run read-only. Tables are changed with manage_schema.",
    input: z.object({
      app_id: z.string().describe("The app"),
      sql: z.string().min(1).describe("One statement; values as $1, $2 …"),
      params: z
        .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
        .max(limits.sqlParams)
        .optional()
        .describe("Values of $1, $2 …; sent as text, typed by the statement"),
      as_role: z
        .enum(["owner", "service", "anon", "user"])
        .optional()
        .describe("Who to run as; default service. anon and user are under row-level security"),
      as_user: z.string().optional().describe("With as_role user: the user's id"),
      read_only: z
        .boolean()
        .optional()
        .describe("true refuses writes; default: as the key and the statement need"),
    }),
    output: z.object({
      columns: z.array(z.object({ name: z.string(), type: z.string() })),
      rows: z.array(z.record(z.string(), z.unknown())),
      row_count: z.number().describe("Rows in this answer; for a write without RETURNING, rows changed"),
      truncated: z.boolean().describe("There were more rows than are here"),
    }),
    right: "view",
    risk: "execute",
    idempotent: false,
    whilePaused: false,
    secretFields: ["params"],
    errors: [
      "SQL_REFUSED",
      "SQL_ERROR",
      "SQL_READ_ONLY",
      "RESPONSE_TOO_LARGE",
      "AUTH_RLS_POLICY_VIOLATION",
      "APP_PAUSED",
    ],
    audit: { category: "admin", action: "invoke", resourceType: "sql" },
    http: { method: "POST", path: "/v1/:app_id/admin/sql" },
    mcp: { tool: "run_sql" },
    async run({ principal, app, nowMs, signal }, input) {
      const permission = decideSql({
        principal,
        app,
        asRole: input.as_role,
        asUser: input.as_user,
        readOnly: input.read_only,
        nowMs,
      });
      if ("refusal" in permission) throw permission.refusal;
      return service.runSql({
        appId: app.id,
        ...permission,
        sql: input.sql,
        params: (input.params ?? []).map((value) => (value === null ? null : String(value))),
        signal,
      });
    },
  });
