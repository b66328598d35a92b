import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { type AnyOperation, type AppCall, appOperation } from "../../kernel/operation.ts";
import type { Applied } from "./apply.ts";
import { limits } from "./limits.ts";
import { afterApply, afterDryRun, afterGet, openTableWarnings } from "./next-actions.ts";
import { renderDocument } from "./render.ts";
import type { SchemaService } from "./service.ts";

const appId = z.string().describe("The app");
const nextAction = z.object({
  action: z.string(),
  description: z.string(),
  tool: z.string().optional(),
  when: z.string().optional(),
});
const statement = z.object({ sql: z.string(), description: z.string(), destructive: z.boolean() });
const DOCUMENT = `What the schema is to be: {tables: {<name>: {columns: {<name>: {type, primaryKey?, nullable? (default true), default? (SQL text), unique?, references? ("table.column" or {table, column, onDelete?, onUpdate?}), check?, generated?, identity?, readableBy?, comment?, renamedFrom?, allowTypeChange?}}, primaryKey?: [columns], indexes?: {<name>: {columns, unique?, method?, opclass?, where?}}, uniques?: {<name>: {columns}}, checks?: {<name>: SQL}, foreignKeys?, renamedFrom?, comment?, _dropColumns?, _dropIndexes?, _dropUniques?, _dropChecks?, _dropForeignKeys?, _dropPrimaryKey?, _seed? (rows for a new table)}}, enums?: {<name>: [values]}, _drop?: [tables], _dropEnums?, _dropEnumValues?}. Tables and columns it does not mention stay as they are; a mentioned column is described in full.`;
const document = z.looseObject({}).describe(DOCUMENT);
const ERRORS = [
  "VALIDATION_INVALID_SCHEMA",
  "VALIDATION_RESERVED_TABLE",
  "QUOTA_TABLE_LIMIT",
  "SCHEMA_DESTRUCTIVE_CHANGE",
  "SCHEMA_MIGRATION_FAILED",
];
const UP_TO_DATE = "Schema is up to date";

const result = z.object({
  applied: z.number().describe("Statements that ran, or would run"),
  statements: z.array(statement),
  dry_run: z.boolean().optional(),
  blocked: z
    .boolean()
    .optional()
    .describe("A real apply would be refused: something is lost that the document does not ask for"),
  migration_id: z.string().optional(),
  message: z.string().optional(),
  warnings: z.array(z.string()).optional(),
  _meta: z.object({ next_actions: z.array(nextAction) }),
});
type Result = z.input<typeof result>;

export function schemaOperations(platform: Platform, service: SchemaService): AnyOperation[] {
  return [
    getOperation(platform, service),
    applyOperation(platform, service),
    dryRunOperation(service),
    migrationsOperation(service),
  ];
}

const getOperation = (platform: Platform, service: SchemaService): AnyOperation =>
  appOperation({
    name: "schema.get",
    title: "Get the schema",
    summary:
      "The app's tables, columns, keys, checks, indexes and enums as a document that can be edited and applied again.",
    input: z.object({ app_id: appId }),
    output: z.object({
      app_id: z.string(),
      schema: z.looseObject({ tables: z.record(z.string(), z.unknown()) }),
      api_base: z.string(),
      _meta: z.object({
        resource_info: z.object({ table_count: z.number(), tables: z.array(z.string()) }),
        next_actions: z.array(nextAction),
      }),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/schema" },
    mcp: { tool: "manage_schema", action: "get", aliases: ["get_schema"] },
    async run({ app }) {
      const schema = await service.read(app.id);
      const tables = [...schema.tables.keys()];
      return {
        app_id: app.id,
        schema: renderDocument(schema),
        api_base: `${platform.publicUrl()}/v1/${app.id}`,
        _meta: { resource_info: { table_count: tables.length, tables }, next_actions: afterGet(schema) },
      };
    },
  });

const applyOperation = ({ clock }: Platform, service: SchemaService): AnyOperation =>
  appOperation({
    name: "schema.apply",
    title: "Apply a schema",
    summary:
      "Brings the tables to what the document declares, in one transaction, and records the statements. Losses (dropped tables or columns, narrowed types) are refused unless the document asks for each.",
    input: z.object({
      app_id: appId,
      schema: document,
      name: z
        .string()
        .min(1)
        .max(limits.migrationNameChars)
        .optional()
        .describe("What the change is called in the history"),
      dry_run: z.boolean().optional().describe("Only say what would be done"),
    }),
    output: result,
    right: "develop",
    risk: "destructive",
    idempotent: true,
    errors: ERRORS,
    audit: {
      category: "admin",
      action: "update",
      resourceType: "schema",
      resourceId: (input) => input.app_id,
    },
    http: { method: "POST", path: "/v1/:app_id/schema/apply" },
    mcp: { tool: "manage_schema", action: "apply", aliases: ["apply_schema"] },
    async run(call, input) {
      const dryRun = input.dry_run ?? false;
      const name = input.name ?? `schema_${new Date(clock()).toISOString()}`;
      const applied = await service.apply({
        appId: call.app.id,
        document: input.schema,
        name,
        dryRun,
        signal: call.signal,
      });
      return dryRun ? dryRunResult(applied) : applyResult(applied);
    },
  });

const dryRunOperation = (service: SchemaService): AnyOperation =>
  appOperation({
    name: "schema.dry_run",
    title: "Preview a schema change",
    summary:
      "The statements that applying the document would run, which of them lose data, and whether it would be refused. Changes nothing.",
    input: z.object({ app_id: appId, schema: document }),
    output: result,
    right: "develop",
    risk: "read",
    idempotent: true,
    errors: ERRORS.slice(0, 3),
    http: { method: "POST", path: "/v1/:app_id/schema/dry-run" },
    mcp: { tool: "manage_schema", action: "dry_run", aliases: ["dry_run_schema"] },
    run: async (call: AppCall, input) =>
      dryRunResult(
        await service.apply({
          appId: call.app.id,
          document: input.schema,
          name: "",
          dryRun: true,
          signal: call.signal,
        }),
      ),
  });

const migrationsOperation = (service: SchemaService): AnyOperation =>
  appOperation({
    name: "schema.list_migrations",
    title: "List schema changes",
    summary: "Every change that was applied to the app's schema, oldest first, with its SQL.",
    input: z.object({ app_id: appId }),
    output: z.object({
      app_id: z.string(),
      migrations: z.array(
        z.object({
          id: z.string(),
          description: z.string(),
          applied_sql: z.string(),
          applied_at: z.string(),
        }),
      ),
      template_migrations: z.array(
        z.object({ id: z.string(), filename: z.string(), applied_at: z.string() }),
      ),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/migrations" },
    mcp: { tool: "manage_schema", action: "list_migrations", aliases: ["list_migrations"] },
    async run({ app }) {
      const rows = await service.migrations(app.id);
      const migrations = rows.map((row) => ({ ...row, applied_at: row.applied_at.toISOString() }));
      return { app_id: app.id, migrations, template_migrations: [] };
    },
  });

const shown = ({ statements }: Applied) =>
  statements.map(({ sql, description, destructive }) => ({ sql, description, destructive }));

function dryRunResult(applied: Applied): Result {
  const blocked = applied.statements.some((each) => each.blocked);
  return {
    dry_run: true,
    applied: applied.statements.length,
    statements: shown(applied),
    blocked,
    warnings: openTableWarnings(applied.openTables),
    ...(applied.statements.length === 0 ? { message: UP_TO_DATE } : {}),
    _meta: { next_actions: applied.statements.length === 0 ? [] : afterDryRun(blocked) },
  };
}

function applyResult(applied: Applied): Result {
  return {
    applied: applied.statements.length,
    statements: shown(applied),
    warnings: openTableWarnings(applied.openTables),
    ...(applied.migrationId === null ? { message: UP_TO_DATE } : { migration_id: applied.migrationId }),
    _meta: { next_actions: afterApply(applied.openTables) },
  };
}
