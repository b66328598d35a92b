import { defineErrors } from "../../kernel/errors.ts";

export const rlsErrors = defineErrors({
  RLS_UNSAFE_EXPRESSION: {
    status: 400,
    message: "The policy expression uses something that policies may not use.",
    remediation:
      "Write one boolean expression over the table's columns, current_user_id(), literals and subqueries on the app's own tables.",
  },
  RLS_TYPE_MISMATCH: {
    status: 400,
    message: "The types in the policy expression do not fit together.",
    remediation: "current_user_id() is text; compare it with a uuid column as current_user_id()::uuid.",
  },
  RLS_INVALID_EXPRESSION: {
    status: 400,
    message: "The policy expression can't be evaluated.",
    remediation: "Correct the expression; manage_schema (action get) shows the tables and columns.",
  },
  RLS_POLICY_PROTECTED: {
    status: 409,
    message: "The policy lets API keys reach the table, and goes only with row-level security itself.",
    remediation: "Remove row-level security from the table: DELETE /v1/<app_id>/rls/<table>.",
  },
  VALIDATION_TABLE_NOT_FOUND: {
    status: 404,
    message: "There is no such table.",
    remediation: "manage_schema (action get) lists the tables; action apply creates one.",
  },
  VALIDATION_RESERVED_TABLE: {
    status: 400,
    message: "Names that begin with _ are reserved.",
    remediation: "Use a table that manage_schema (action get) lists.",
  },
  VALIDATION_COLUMN_NOT_FOUND: {
    status: 400,
    message: "The table has no such column.",
    remediation: "manage_schema (action get) lists the columns; action apply adds one.",
  },
  VALIDATION_INVALID_NAME: {
    status: 400,
    message: "That name can't be used for a policy.",
    remediation: "Use lower-case letters, digits and _, and begin with a letter or _.",
  },
  VALIDATION_MISSING_FIELD: {
    status: 400,
    message: "The policy says nothing about rows.",
    remediation:
      "Give using_expression (which rows are seen), with_check_expression (which may be written), or both.",
  },
  RLS_TABLE_BUSY: {
    status: 409,
    message: "Other transactions that use the table or those its policies read are in the way.",
    remediation: "Try again once they have ended; nothing was changed.",
  },
  QUOTA_POLICY_LIMIT: {
    status: 400,
    message: "The table has as many policies as it may have.",
    remediation: "Join conditions with OR in one policy, or delete policies that are not needed.",
  },
});
