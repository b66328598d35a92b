import { z } from "zod";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import * as field from "./inputs.ts";
import { AFTER_POLICY } from "./next-actions.ts";
import type { RlsService } from "./service.ts";

export const createPolicyOperation = (service: RlsService): AnyOperation =>
  appOperation({
    name: "rls.create_policy",
    title: "Create a policy",
    summary:
      "Says in SQL which rows anonymous callers or end users reach. Replaces a policy of the same name, and switches row-level security on. The expression is checked and tried before it counts.",
    input: z.object({
      app_id: field.appId,
      table_name: field.tableName,
      policy_name: field.policyName,
      command: field.command.default("ALL"),
      role: field.role.optional(),
      using_expression: field.usingExpression.nullish(),
      with_check_expression: field.checkExpression.nullish(),
      restrictive: field.restrictive.optional(),
      user_column: field.userColumn
        .optional()
        .describe("Also fill this column with the caller's id on insert"),
    }),
    output: z.object({
      success: z.boolean(),
      policy_name: z.string(),
      table: z.string(),
      warnings: field.warnings,
      _meta: field.meta,
    }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors: [...field.TABLE_ERRORS, ...field.EXPRESSION_ERRORS],
    audit: field.audited("create"),
    http: { method: "POST", path: "/v1/:app_id/rls/policies" },
    mcp: { tool: "manage_rls", action: "create_policy", aliases: ["create_policy"] },
    async run({ app }, input) {
      const warnings = await service.createPolicy(app.id, {
        table: input.table_name,
        name: input.policy_name,
        command: input.command,
        role: input.role,
        restrictive: input.restrictive ?? false,
        using: input.using_expression ?? null,
        check: input.with_check_expression ?? null,
        userColumn: input.user_column,
      });
      return {
        success: true,
        policy_name: input.policy_name,
        table: input.table_name,
        ...field.noneIfEmpty(warnings),
        _meta: { next_actions: AFTER_POLICY },
      };
    },
  });

export const updatePolicyOperation = (service: RlsService): AnyOperation =>
  appOperation({
    name: "rls.update_policy",
    title: "Update a policy",
    summary: "Changes the given parts of a policy and keeps the rest; null takes an expression away.",
    input: z.object({
      app_id: field.appId,
      table_name: field.tableName,
      policy_name: z.string().min(1).describe("The policy"),
      command: field.command.optional(),
      role: field.role.optional(),
      using_expression: field.usingExpression.nullish(),
      with_check_expression: field.checkExpression.nullish(),
      restrictive: field.restrictive.optional(),
    }),
    output: z.object({
      success: z.boolean(),
      policy_name: z.string(),
      table: z.string(),
      warnings: field.warnings,
    }),
    right: "develop",
    risk: "write",
    idempotent: true,
    errors: [...field.TABLE_ERRORS, ...field.EXPRESSION_ERRORS],
    audit: field.audited("update"),
    http: { method: "PATCH", path: "/v1/:app_id/rls/policies/:policy_name" },
    mcp: { tool: "manage_rls", action: "update_policy", aliases: ["update_policy"] },
    async run({ app }, input) {
      const warnings = await service.updatePolicy(app.id, input.table_name, input.policy_name, {
        command: input.command,
        role: input.role,
        restrictive: input.restrictive,
        using: input.using_expression,
        check: input.with_check_expression,
      });
      return {
        success: true,
        policy_name: input.policy_name,
        table: input.table_name,
        ...field.noneIfEmpty(warnings),
      };
    },
  });
