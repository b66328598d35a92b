import { z } from "zod";
import { type AnyOperation, type AppCall, type AuditShape, appOperation } from "../../kernel/operation.ts";
import type { Query } from "./ast.ts";
import { exactJson } from "./exact-json.ts";
import { parseFilters } from "./filters-object.ts";
import { limits } from "./limits.ts";
import { parsePairs } from "./query-params.ts";
import { runSqlOperation } from "./run-sql-operation.ts";
import { seedRows } from "./seed.ts";
import { type DataService, decideCaller, type RowsTarget } from "./service.ts";

const row = z.record(z.string(), z.unknown());
const appId = z.string().describe("The app");
const table = z.string().describe("Table name");
const data = row.describe("Column → value. Columns left out take their defaults");
const asRole = z
  .enum(["anon", "user"])
  .optional()
  .describe("Run as this role under row-level security; default service, which sees everything");
const asUser = z.string().optional().describe("With as_role user: the user's id");
const filters = row
  .describe(
    'Column → condition: a plain value (equal), null, an array (one of), "gte.18", "not.in.(1,2)", {"gt":1,"lt":9}; ' +
      'also "or": "(a.eq.1,b.is.null)". Operators: eq neq gt gte lt lte like ilike is in fts cs cd',
  )
  .refine((given) => Object.keys(given).length > 0, "At least one filter is needed.");
const dryRun = z.boolean().optional().describe("Only show what would change; nothing is kept");
const shown = z
  .array(row)
  .describe(`The first ${limits.shownRows} of them (a dry run: ${limits.sampleRows})`);

const ROW_ERRORS = [
  "VALIDATION_TABLE_NOT_FOUND",
  "VALIDATION_COLUMN_NOT_FOUND",
  "VALIDATION_RESERVED_TABLE",
  "VALIDATION_INVALID_INPUT",
  "VALIDATION_INVALID_TYPE",
  "AUTH_RLS_POLICY_VIOLATION",
  "APP_PAUSED",
];
const WRITE_ERRORS = [
  ...ROW_ERRORS,
  "VALIDATION_UNIQUE_CONSTRAINT_VIOLATION",
  "VALIDATION_FOREIGN_KEY_VIOLATION",
  "VALIDATION_CHECK_CONSTRAINT_VIOLATION",
  "VALIDATION_NOT_NULL_VIOLATION",
  "RESOURCE_CONFLICT",
];

const audited = (action: AuditShape<{ table: string }>["action"]): AuditShape<{ table: string }> => ({
  category: "admin",
  action,
  resourceType: "row",
  resourceId: (input) => (typeof input.table === "string" ? input.table : null),
});

interface RowInput {
  table: string;
  as_role?: string | undefined;
  as_user?: string | undefined;
}

function targetOf(call: AppCall, input: RowInput, right: "view" | "develop"): RowsTarget {
  const { principal, app, nowMs } = call;
  const decision = decideCaller({
    principal,
    app,
    asRole: input.as_role,
    asUser: input.as_user,
    right,
    nowMs,
  });
  if ("refusal" in decision) throw decision.refusal;
  return { appId: app.id, identity: decision.identity, table: input.table };
}

type Row = Record<string, unknown>;
const rowsOf = (json: string): Row[] => exactJson(json) as Row[];

/** Rows in and out for agents; HTTP has routes of its own for them. */
export function dataOperations(service: DataService): AnyOperation[] {
  return [
    selectRows(service),
    insertRow(service),
    seedDatabase(service),
    updateRows(service),
    deleteRows(service),
    runSqlOperation(service),
  ];
}

const selectRows = (service: DataService) =>
  appOperation({
    name: "data.select",
    title: "Select rows",
    summary:
      "Reads rows of a table with filters, chosen columns, embedded related rows, order and paging. " +
      "Page on with next_cursor as after.",
    input: z.object({
      app_id: appId,
      table,
      filters: row.optional().describe(filters.description!),
      select: z
        .string()
        .optional()
        .describe("Columns and related tables: id,title,author:users(id,name),comments(*),meta->>colour"),
      order: z.string().optional().describe("created_at.desc,id.asc.nullslast"),
      limit: z.number().int().min(0).max(limits.maxRows).optional().describe(`Default ${limits.defaultRows}`),
      offset: z.number().int().min(0).max(limits.maxOffset).optional(),
      after: z.string().optional().describe("next_cursor of the page before, with the same order"),
      count: z.boolean().optional().describe("Also count all rows that match"),
      as_role: asRole,
      as_user: asUser,
    }),
    output: z.object({
      rows: z.array(row),
      count: z.number().optional().describe("All rows that match"),
      next_cursor: z.string().optional().describe("Present when the page is full"),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    whilePaused: false,
    errors: [
      ...ROW_ERRORS,
      "VALIDATION_RELATIONSHIP_NOT_FOUND",
      "VALIDATION_RELATIONSHIP_AMBIGUOUS",
      "VALIDATION_INVALID_CURSOR",
      "RESPONSE_TOO_LARGE",
    ],
    mcp: { tool: "select_rows", present: (output: { rows: unknown }) => output.rows },
    async run(call, input) {
      const target = targetOf(call, input, "view");
      const page = await service.list(target, queryOf(input), { count: input.count ?? false, cursor: true });
      return {
        rows: rowsOf(page.body),
        ...(page.total === null ? {} : { count: page.total }),
        ...(page.nextCursor === null ? {} : { next_cursor: page.nextCursor }),
      };
    },
  });

const insertRow = (service: DataService) =>
  appOperation({
    name: "data.insert",
    title: "Insert row",
    summary: "Inserts one row and gives it back with its defaults filled in.",
    input: z.object({ app_id: appId, table, data, as_role: asRole, as_user: asUser }),
    output: z.looseObject({}).describe("The row"),
    right: "develop",
    risk: "write",
    idempotent: false,
    whilePaused: false,
    secretFields: ["data"],
    errors: WRITE_ERRORS,
    audit: audited("create"),
    mcp: { tool: "insert_row" },
    async run(call, input) {
      const options = { minimal: false, resolution: null };
      const body = JSON.stringify(input.data);
      const { body: text } = await service.insert(
        targetOf(call, input, "develop"),
        body,
        parsePairs([]),
        options,
      );
      return exactJson(text) as Row;
    },
  });

const seedDatabase = (service: DataService) =>
  appOperation({
    name: "data.seed",
    title: "Seed database",
    summary: `Inserts up to ${limits.seedRows} rows into a table. Rows that can't be inserted are reported one by one; the others stay.`,
    input: z.object({
      app_id: appId,
      table,
      rows: z.array(data).min(1).max(limits.seedRows).describe("The rows to insert"),
    }),
    output: z.object({
      inserted: z.number(),
      failed: z.number(),
      errors: z.array(z.looseObject({ row_index: z.number(), error: z.string() })),
      rows: z.array(row).describe("The inserted rows"),
    }),
    right: "develop",
    risk: "write",
    idempotent: false,
    whilePaused: false,
    secretFields: ["rows"],
    errors: WRITE_ERRORS,
    audit: audited("create"),
    mcp: { tool: "seed_database" },
    run: (call, input) => seedRows(service, targetOf(call, input, "develop"), input.rows),
  });

const updateRows = (service: DataService) =>
  appOperation({
    name: "data.update",
    title: "Update rows",
    summary:
      "Changes the rows that match the filters. Try dry_run first: it shows what would change and keeps nothing.",
    input: z.object({
      app_id: appId,
      table,
      filters,
      data,
      dry_run: dryRun,
      as_role: asRole,
      as_user: asUser,
    }),
    output: z.object({ updated: z.number(), rows: shown, dry_run: z.boolean() }),
    right: "develop",
    risk: "write",
    overwrites: true,
    idempotent: true,
    whilePaused: false,
    secretFields: ["data"],
    errors: WRITE_ERRORS,
    audit: audited("update"),
    mcp: { tool: "update_rows" },
    async run(call, input) {
      const target = targetOf(call, input, "develop");
      const what = { id: null, query: queryOf({ filters: input.filters }) };
      const body = JSON.stringify(input.data);
      const dry = input.dry_run ?? false;
      const { body: rows, rows: updated } = dry
        ? await service.preview(target, what, body)
        : await service.update(target, what, body, { kind: "many", rows: limits.shownRows });
      return { updated, rows: rowsOf(rows), dry_run: dry };
    },
  });

const deleteRows = (service: DataService) =>
  appOperation({
    name: "data.delete",
    title: "Delete rows",
    summary:
      "Deletes the rows that match the filters. Try dry_run first: it shows what would go and keeps everything.",
    input: z.object({ app_id: appId, table, filters, dry_run: dryRun, as_role: asRole, as_user: asUser }),
    output: z.object({
      deleted: z.number(),
      rows: z.array(row).optional().describe("A dry run: some of the rows that would go"),
      dry_run: z.boolean(),
    }),
    right: "develop",
    risk: "destructive",
    idempotent: true,
    whilePaused: false,
    errors: WRITE_ERRORS,
    audit: audited("delete"),
    mcp: { tool: "delete_rows" },
    async run(call, input) {
      const target = targetOf(call, input, "develop");
      const what = { id: null, query: queryOf({ filters: input.filters }) };
      if (!input.dry_run) return { deleted: await service.remove(target, what), dry_run: false };
      const { body, rows: deleted } = await service.preview(target, what, null);
      return { deleted, rows: rowsOf(body), dry_run: true };
    },
  });

interface QueryInput {
  filters?: Row | undefined;
  select?: string | undefined;
  order?: string | undefined;
  limit?: number | undefined;
  offset?: number | undefined;
  after?: string | undefined;
}

function queryOf({ filters: given = {}, ...others }: QueryInput): Query {
  const pairs = (["select", "order", "limit", "offset", "after"] as const)
    .filter((name) => others[name] !== undefined)
    .map((name): [string, string] => [name, String(others[name])]);
  return { ...parsePairs(pairs), filters: parseFilters(given) };
}
