import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { type AnyOperation, appOperation, type NextAction } from "../../kernel/operation.ts";
import { realtimeErrors } from "./errors.ts";
import { explainOperation } from "./explain-operation.ts";
import { limits } from "./limits.ts";
import { logStatus, shownStatus } from "./log-status-shown.ts";
import { ruleOperations } from "./rooms/index.ts";
import type { RealtimeService } from "./service.ts";
import type { EnabledTable } from "./tables.ts";

const appId = z.string().describe("The app; list_apps shows the ids");
const tableName = z.string().min(1).max(63);
const EVENTS = ["INSERT", "UPDATE", "DELETE"] as const;

export function realtimeOperations(platform: Platform, service: RealtimeService): AnyOperation[] {
  const explain = explainOperation(service.explainer, async (appId, table) => {
    const found = (await service.tables(appId)).find(({ name }) => name === table);
    return { realtime_enabled: found !== undefined, captured: found?.captured ?? false };
  });
  return [
    configure(service),
    get(platform, service),
    disable(service),
    explain,
    ...ruleOperations(service.rules),
  ];
}

const configure = (service: RealtimeService) =>
  appOperation({
    name: "realtime.configure",
    title: "Switch realtime on",
    summary:
      "Broadcasts every INSERT, UPDATE and DELETE of the named tables to WebSocket clients, each seeing only what row-level security lets them see. All tables or none; tables already on are skipped. Tables must exist and have a primary key.",
    input: z.object({
      app_id: appId,
      tables: z
        .array(tableName)
        .max(limits.tablesPerCall)
        .optional()
        .describe("Names of the tables; at least one"),
    }),
    output: z.looseObject({
      configured: z.array(z.object({ table: z.string(), status: z.literal("enabled") })),
      warnings: z.array(z.string()).optional(),
    }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors: Object.keys(realtimeErrors.entries),
    audit: {
      category: "admin",
      action: "enable",
      resourceType: "realtime",
      resourceId: ({ tables }) => (Array.isArray(tables) ? tables.join(",").slice(0, 500) : null),
    },
    http: { method: "POST", path: "/v1/:app_id/realtime/configure" },
    mcp: { tool: "manage_realtime", action: "configure", aliases: ["configure_realtime"] },
    async run({ app }, { tables = [] }) {
      if (tables.length === 0)
        throw realtimeErrors.VALIDATION_MISSING_FIELD({ details: { field: "tables" } });
      const enabled = await service.enable(app.id, [...new Set(tables)]);
      const open = enabled.filter((table) => table.open);
      return {
        configured: enabled.map(({ table }) => ({ table, status: "enabled" as const })),
        ...(open.length === 0
          ? {}
          : { warnings: open.map(warningFor), _meta: { next_actions: open.flatMap(protect) } }),
      };
    },
  });

const warningFor = ({ table }: EnabledTable): string =>
  `${table} has no row-level security: every client of the app, anonymous ones included, sees all of its changes.`;

const protect = ({ table }: EnabledTable): NextAction[] => [
  {
    action: `Let each user see their own rows of ${table}`,
    description: `manage_rls with action create_user_isolation, table_name ${table} and the column that holds the user's id.`,
    tool: "manage_rls",
    when: "rows belong to users",
    recommended: true,
  },
  {
    action: `Switch row-level security on for ${table}`,
    description: `manage_rls with action enable and table_name ${table}: nothing is visible until a policy allows it.`,
    tool: "manage_rls",
    when: "rows belong to teams, rooms or nobody",
  },
];

const get = (platform: Platform, service: RealtimeService) =>
  appOperation({
    name: "realtime.get",
    title: "Realtime configuration",
    summary:
      "Which tables are broadcast, whether changes are being read right now, and the URL clients connect to.",
    input: z.object({ app_id: appId }),
    output: z.object({
      app_id: z.string(),
      tables: z.array(
        z.object({
          table_name: z.string(),
          events: z.array(z.enum(EVENTS)),
          enabled: z.boolean(),
          created_at: z.string(),
          updated_at: z.string(),
          trigger_installed: z
            .boolean()
            .describe("The table's changes are captured (from the log; there is no trigger)"),
          drift: z.boolean().describe("The table changed and is not captured at this moment"),
        }),
      ),
      active_connection: z
        .boolean()
        .describe("The log is being read at this moment; while nobody is connected it need not be"),
      websocket_url: z.string(),
      log: logStatus
        .nullable()
        .describe("What is kept of the database's log; null while Postgres does not answer"),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/realtime/config" },
    mcp: { tool: "manage_realtime", action: "get", aliases: ["get_realtime_config"] },
    async run({ app }) {
      const tables = await service.tables(app.id);
      return {
        app_id: app.id,
        tables: tables.map(({ name, createdAt, updatedAt, captured }) => ({
          table_name: name,
          events: [...EVENTS],
          enabled: true,
          created_at: createdAt.toISOString(),
          updated_at: updatedAt.toISOString(),
          trigger_installed: captured,
          drift: !captured,
        })),
        active_connection: service.streaming,
        log: await service.status().then(shownStatus, () => null),
        websocket_url: `${platform.publicUrl().replace(/^http/, "ws")}/v1/${app.id}/realtime`,
      };
    },
  });

const disable = (service: RealtimeService) =>
  appOperation({
    name: "realtime.disable",
    title: "Switch realtime off",
    summary: "Stops broadcasting changes of one table; its subscribers are told.",
    input: z.object({ app_id: appId, table: tableName.describe("Name of the table") }),
    output: z.object({ table: z.string(), status: z.literal("disabled") }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors: ["REALTIME_TABLE_BUSY"],
    audit: {
      category: "admin",
      action: "disable",
      resourceType: "realtime",
      resourceId: ({ table }) => table,
    },
    http: { method: "DELETE", path: "/v1/:app_id/realtime/:table" },
    mcp: { tool: "manage_realtime", action: "disable", aliases: ["disable_realtime"] },
    async run({ app }, { table }) {
      await service.disable(app.id, table);
      return { table, status: "disabled" as const };
    },
  });
