import { z } from "zod";
import type { AuditShape } from "../../kernel/operation.ts";
import { IDENTIFIER } from "../schema/service.ts";
import { limits } from "./limits.ts";
import { COMMANDS } from "./policy.ts";

/** What the declarations of several operations on policies share. */

export const appId = z.string().describe("The app");
export const tableName = z.string().min(1).describe("A table of the app");
export const policyName = z
  .string()
  .regex(IDENTIFIER, "use lower-case letters, digits and _, and begin with a letter or _")
  .max(limits.nameBytes)
  .describe("Name of the policy, unique on its table");
export const command = z.enum(COMMANDS).describe("What the policy is about; ALL is the default");
export const role = z
  .enum(["anon", "user"])
  .describe(
    "anon: anonymous callers, user: signed-in end users; both when left out. API keys (service) are never restricted",
  );
export const usingExpression = z
  .string()
  .describe(
    "SQL condition on rows that are read, changed or deleted, e.g. user_id = current_user_id()::uuid",
  );
export const checkExpression = z
  .string()
  .describe(
    "SQL condition on rows that are written; UPDATE and ALL take using_expression when it is left out",
  );
export const restrictive = z
  .boolean()
  .describe("Narrow what other policies allow instead of allowing something");
export const userColumn = z
  .string()
  .min(1)
  .describe("Column with the id of the end user a row belongs to: uuid or text");
export const publicReadColumn = z
  .string()
  .min(1)
  .describe("Boolean column; rows where it is true can be read by everyone");

export const isolationFields = {
  table_name: tableName,
  user_column: userColumn,
  public_read_column: publicReadColumn.optional(),
} as const;

export const meta = z.object({
  next_actions: z.array(
    z.object({
      action: z.string(),
      description: z.string(),
      tool: z.string().optional(),
      when: z.string().optional(),
    }),
  ),
});
export const warnings = z.array(z.string()).optional();

/** Codes about the expression of a policy, and about its table. */
export const EXPRESSION_ERRORS = [
  "RLS_UNSAFE_EXPRESSION",
  "RLS_TYPE_MISMATCH",
  "RLS_INVALID_EXPRESSION",
  "RLS_POLICY_PROTECTED",
  "VALIDATION_MISSING_FIELD",
  "VALIDATION_COLUMN_NOT_FOUND",
  "QUOTA_POLICY_LIMIT",
];
export const TABLE_ERRORS = ["VALIDATION_TABLE_NOT_FOUND", "VALIDATION_RESERVED_TABLE", "RLS_TABLE_BUSY"];

export const audited = (action: AuditShape<unknown>["action"]): AuditShape<{ table_name: string }> => ({
  category: "admin",
  action,
  resourceType: "rls_policy",
  resourceId: (input) => input.table_name,
});

/** The field `warnings`, where there are any. */
export const noneIfEmpty = (warnings: string[]) => (warnings.length > 0 ? { warnings } : {});
