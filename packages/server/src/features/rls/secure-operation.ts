import { z } from "zod";
import { AmbitError } from "../../kernel/errors.ts";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import type { AppsService } from "../apps/service.ts";
import * as field from "./inputs.ts";
import { limits } from "./limits.ts";
import type { RlsService } from "./service.ts";

const tableOrder = z.object(field.isolationFields);

/** `rls.secure`: the app and its tables closed to all but those who should reach them, in one call. */
export const secureOperation = (service: RlsService, apps: AppsService): AnyOperation =>
  appOperation({
    name: "rls.secure",
    title: "Secure an app",
    summary:
      "Refuses anonymous callers and gives each named table user isolation. A table that can't be secured is reported; the others are done.",
    input: z.object({
      app_id: field.appId,
      access_mode: z
        .enum(["public", "authenticated"])
        .optional()
        .describe("authenticated unless said otherwise"),
      tables: z
        .array(tableOrder)
        .max(limits.securedTables)
        .optional()
        .describe("Tables to isolate, each with the column that holds the user's id"),
    }),
    output: z.object({
      message: z.string(),
      app_id: z.string(),
      access_mode: z.string(),
      tables_secured: z.array(
        z.object({
          table: z.string(),
          policy: z.string(),
          public_read_policies: z.array(z.string()).optional(),
        }),
      ),
      table_errors: z
        .array(
          z.object({
            table: z.string(),
            error: z.object({ code: z.string(), message: z.string(), remediation: z.string() }),
          }),
        )
        .optional(),
    }),
    right: "develop",
    risk: "write",
    idempotent: true,
    audit: {
      category: "admin",
      action: "update",
      resourceType: "app_config",
      resourceId: (input) => input.app_id,
    },
    http: { method: "POST", path: "/v1/:app_id/secure" },
    mcp: { tool: "manage_app", action: "secure" },
    async run({ app }, input) {
      // First the door, then the rooms: nobody comes in while the tables are being closed.
      const { access_mode } = await apps.update(app.id, {
        access_mode: input.access_mode ?? "authenticated",
      });
      const secured: { table: string; policy: string; public_read_policies?: string[] }[] = [];
      const refused: { table: string; error: { code: string; message: string; remediation: string } }[] = [];
      for (const order of input.tables ?? []) {
        const table = order.table_name;
        try {
          const { policy, publicReads } = await service.createUserIsolation(app.id, {
            table,
            userColumn: order.user_column,
            publicReadColumn: order.public_read_column,
          });
          secured.push({
            table,
            policy,
            ...(publicReads.length > 0 ? { public_read_policies: publicReads } : {}),
          });
        } catch (error) {
          if (!(error instanceof AmbitError)) throw error;
          const { code, message, remediation } = error;
          refused.push({ table, error: { code, message, remediation } });
        }
      }
      const outcome =
        refused.length === 0
          ? "The app is secured"
          : `The app is secured, but not ${refused.map(({ table }) => table).join(", ")}`;
      return {
        message: outcome,
        app_id: app.id,
        access_mode,
        tables_secured: secured,
        ...(refused.length > 0 ? { table_errors: refused } : {}),
      };
    },
  });
