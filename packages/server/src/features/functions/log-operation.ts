import { z } from "zod";
import { errors } from "../../kernel/errors.ts";
import { appOperation } from "../../kernel/operation.ts";
import type { RuntimeService } from "../runtime/service.ts";
import { functionErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { logView } from "./log-view.ts";
import type { FunctionsService } from "./service.ts";
import { appId, functionName } from "./shapes.ts";

const entryShape = z.looseObject({
  timestamp: z.string(),
  method: z.string().nullable(),
  path: z.string().nullable(),
  statusCode: z.number().nullable(),
  duration: z.number().nullable(),
  error: z.string().nullable(),
  stack: z.string().nullable(),
  consoleLogs: z.array(z.looseObject({ level: z.string(), message: z.string() })),
});

/** `functions.logs`: what functions said and how their calls ended. */
export const logsOperation = (service: FunctionsService, runtime: RuntimeService) =>
  appOperation({
    name: "functions.logs",
    title: "Read a function's logs",
    summary:
      "Calls of a function, newest first, with console output, and stacks in lines of the TypeScript. missed_runs says how many scheduled runs nobody did.",
    input: z.object({
      app_id: appId,
      name: functionName,
      limit: z.coerce.number().int().min(1).max(limits.logs).optional(),
      since: z.string().max(60).optional().describe("ISO time, or milliseconds since the epoch"),
      level: z.enum(["error", "all"]).optional().describe("Default all"),
      include_deleted: z
        .union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")])
        .optional()
        .describe("Also the logs of a function that was deleted"),
    }),
    output: z.looseObject({ logs: z.array(entryShape), hasMore: z.boolean() }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors: ["FUNCTION_NOT_FOUND"],
    http: { method: "GET", path: "/v1/:app_id/functions/:name/logs" },
    mcp: {
      tool: "manage_function",
      action: "get_logs",
      rename: { function_name: "name" },
      aliases: ["get_function_logs"],
    },
    async run({ app }, input) {
      const missed = await missedRuns(service, app.id, input.name, input.include_deleted ?? false);
      const { entries, hasMore } = await runtime.logs({
        appId: app.id,
        kind: "functions",
        unit: input.name,
        limit: input.limit ?? limits.defaultLogs,
        sinceMs: input.since === undefined ? null : timeOf(input.since),
        level: input.level ?? "all",
      });
      return { logs: entries.map((entry) => ({ ...logView(entry) })), hasMore, ...missed };
    },
  });

async function missedRuns(
  service: FunctionsService,
  appIdGiven: string,
  name: string,
  includeDeleted: boolean,
): Promise<object> {
  const route = (await service.find(appIdGiven))?.byName.get(name);
  if (route === undefined) {
    if (includeDeleted && (await service.wasThere(appIdGiven, name))) return {};
    throw functionErrors.FUNCTION_NOT_FOUND();
  }
  const { triggers } = await service.get(appIdGiven, name);
  const cron = triggers.find(({ type }) => type === "cron");
  if (cron === undefined || (cron.missed_runs ?? 0) === 0) return {};
  return { missed_runs: { count: cron.missed_runs, last_missed_at: cron.last_missed_at } };
}

/** @throws VALIDATION_INVALID_SCHEMA */
function timeOf(text: string): number {
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(ms)) throw errors.VALIDATION_INVALID_SCHEMA({ message: "since is not a time." });
  return ms;
}
