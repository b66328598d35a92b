import { z } from "zod";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import * as field from "./inputs.ts";
import { AFTER_ENABLE, AFTER_POLICY } from "./next-actions.ts";
import { isServiceBypass } from "./policy.ts";
import { createPolicyOperation, updatePolicyOperation } from "./policy-operations.ts";
import type { RlsService } from "./service.ts";
import type { PolicyRow } from "./store.ts";

export function rlsOperations(service: RlsService): AnyOperation[] {
  return [
    enableOperation(service),
    createPolicyOperation(service),
    updatePolicyOperation(service),
    createUserIsolationOperation(service),
    listOperation(service),
    deleteOperation(service),
  ];
}

const enableOperation = (service: RlsService): AnyOperation =>
  appOperation({
    name: "rls.enable",
    title: "Enable row-level security",
    summary:
      "Closes a table to anonymous callers and end users until policies open it. API keys keep full access.",
    input: z.object({ app_id: field.appId, table_name: field.tableName }),
    output: z.object({
      success: z.boolean(),
      table: z.string(),
      rls_enabled: z.boolean(),
      warnings: field.warnings,
      _meta: field.meta,
    }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors: field.TABLE_ERRORS,
    audit: field.audited("enable"),
    http: { method: "POST", path: "/v1/:app_id/rls/enable" },
    mcp: { tool: "manage_rls", action: "enable", aliases: ["enable_rls"] },
    async run({ app }, { table_name }) {
      const warnings = await service.enable(app.id, table_name);
      return {
        success: true,
        table: table_name,
        rls_enabled: true,
        ...field.noneIfEmpty(warnings),
        _meta: { next_actions: AFTER_ENABLE },
      };
    },
  });

const createUserIsolationOperation = (service: RlsService): AnyOperation =>
  appOperation({
    name: "rls.create_user_isolation",
    title: "Isolate users' rows",
    summary:
      "Each end user reads and writes only rows whose user_column holds their id; inserts fill it. With public_read_column, rows where it is true can be read by everyone.",
    input: z.object({ app_id: field.appId, ...field.isolationFields }),
    output: z.object({
      success: z.boolean(),
      table: z.string(),
      user_column: z.string(),
      policy_name: z.string(),
      public_read_policies: z.array(z.string()).optional(),
      _meta: field.meta,
    }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors: [...field.TABLE_ERRORS, "RLS_TYPE_MISMATCH", "VALIDATION_COLUMN_NOT_FOUND"],
    audit: field.audited("create"),
    http: { method: "POST", path: "/v1/:app_id/rls" },
    mcp: { tool: "manage_rls", action: "create_user_isolation", aliases: ["create_user_isolation_policy"] },
    async run({ app }, input) {
      const { policy, publicReads } = await service.createUserIsolation(app.id, {
        table: input.table_name,
        userColumn: input.user_column,
        publicReadColumn: input.public_read_column,
      });
      return {
        success: true,
        table: input.table_name,
        user_column: input.user_column,
        policy_name: policy,
        ...(publicReads.length > 0 ? { public_read_policies: publicReads } : {}),
        _meta: { next_actions: AFTER_POLICY },
      };
    },
  });

/** A row of pg_policies, also under the names that other clients read. */
const shownPolicy = (row: PolicyRow) => ({
  ...row,
  table_name: row.tablename,
  policy_name: row.policyname,
  command: row.cmd,
  service_bypass: isServiceBypass(row),
});

const listOperation = (service: RlsService): AnyOperation =>
  appOperation({
    name: "rls.list",
    title: "List policies",
    summary: "Every policy of the app, and which tables have row-level security and which have not.",
    input: z.object({ app_id: field.appId }),
    output: z.object({
      policies: z.array(
        z.looseObject({
          tablename: z.string(),
          policyname: z.string(),
          cmd: z.string(),
          service_bypass: z.boolean(),
        }),
      ),
      tables_with_rls: z.array(z.string()),
      tables_without_rls: z.array(z.string()),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/rls" },
    mcp: { tool: "manage_rls", action: "list", aliases: ["get_rls_policies"] },
    async run({ app }) {
      const { policies, tables } = await service.list(app.id);
      return {
        policies: policies.map(shownPolicy),
        tables_with_rls: tables.filter(({ rls }) => rls).map(({ name }) => name),
        tables_without_rls: tables.filter(({ rls }) => !rls).map(({ name }) => name),
      };
    },
  });

const deleteOperation = (service: RlsService): AnyOperation =>
  appOperation({
    name: "rls.delete",
    title: "Delete policies",
    summary:
      "Deletes one policy; without policy_name all of the table's, and switches its row-level security off, which opens the table to every caller.",
    input: z.object({
      app_id: field.appId,
      table_name: field.tableName,
      policy_name: z.string().min(1).optional().describe("One policy; all when left out"),
    }),
    output: z.object({
      message: z.string(),
      table: z.string(),
      policies_removed: z.number().optional(),
      policy_name: z.string().optional(),
      remaining_policies: z.number().optional(),
      warnings: field.warnings,
    }),
    right: "develop",
    risk: "destructive",
    idempotent: false,
    errors: [...field.TABLE_ERRORS, "RLS_POLICY_PROTECTED"],
    audit: field.audited("delete"),
    http: [
      { method: "DELETE", path: "/v1/:app_id/rls/:table_name" },
      { method: "DELETE", path: "/v1/:app_id/rls/:table_name/:policy_name" },
    ],
    mcp: { tool: "manage_rls", action: "delete", aliases: ["delete_rls_policy"] },
    async run({ app }, { table_name: table, policy_name: policy }) {
      if (policy === undefined) {
        const removed = await service.disable(app.id, table);
        return {
          message: `Row-level security is off for ${table}`,
          table,
          policies_removed: removed,
          warnings: [`Every caller the app lets in can now read and write all rows of ${table}.`],
        };
      }
      const { remaining, warnings } = await service.deletePolicy(app.id, table, policy);
      return {
        message: `Policy ${policy} is deleted`,
        table,
        policy_name: policy,
        remaining_policies: remaining,
        ...field.noneIfEmpty(warnings),
      };
    },
  });
