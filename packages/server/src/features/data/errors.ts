import { defineErrors } from "../../kernel/errors.ts";

/** What the data API and `run_sql` can answer beyond the kernel's own errors. */
export const dataErrors = defineErrors({
  AUTH_IMPERSONATION_FORBIDDEN: {
    status: 403,
    message: "Only an API key may act as somebody else.",
    remediation: "Leave X-Butterbase-As-Role and X-Butterbase-As-User out, or send a bb_sk_ key.",
  },
  AUTH_RLS_POLICY_VIOLATION: {
    status: 403,
    message: "Row-level security does not let this caller do that.",
    remediation:
      "Check the table's policies (manage_rls action list) and who the request runs as; send Prefer: return=minimal if the caller may write but not read.",
  },
  VALIDATION_RESERVED_TABLE: {
    status: 400,
    message: "Tables whose names begin with _ are not served.",
    remediation: "Use a table of your own schema; manage_schema action get lists them.",
  },
  VALIDATION_TABLE_NOT_FOUND: {
    status: 404,
    message: "There is no such table.",
    remediation: "List the tables (manage_schema action get); create one with manage_schema action apply.",
  },
  VALIDATION_COLUMN_NOT_FOUND: {
    status: 400,
    message: "There is no such column.",
    remediation: "Use a column of the table; manage_schema action get lists them.",
  },
  VALIDATION_RELATIONSHIP_NOT_FOUND: {
    status: 400,
    message: "No foreign key relates these tables.",
    remediation: "Embed a table that references this one or is referenced by it.",
  },
  VALIDATION_RELATIONSHIP_AMBIGUOUS: {
    status: 400,
    message: "More than one foreign key relates these tables.",
    remediation: "Name the one you mean, as in the choices under `details.choices`.",
  },
  VALIDATION_INVALID_TYPE: {
    status: 400,
    message: "A value or an operator does not fit the column's type.",
    remediation: "Compare the value with the column's type (manage_schema action get).",
  },
  VALIDATION_INVALID_INPUT: {
    status: 400,
    message: "Postgres can't take one of the values.",
    remediation: "Correct the value named in the message and try again.",
  },
  VALIDATION_MISSING_FIELD: {
    status: 400,
    message: "Something the request needs is missing.",
    remediation: "Add what the message names.",
  },
  VALIDATION_UNIQUE_CONSTRAINT_VIOLATION: {
    status: 400,
    message: "A row with these values exists already.",
    remediation: "Use other values, or make the insert an upsert: Prefer: resolution=merge-duplicates.",
  },
  VALIDATION_FOREIGN_KEY_VIOLATION: {
    status: 400,
    message: "A reference between two rows would be broken.",
    remediation: "Insert the referenced row first, or delete the referencing rows first.",
  },
  VALIDATION_CHECK_CONSTRAINT_VIOLATION: {
    status: 400,
    message: "A value breaks a rule of the table.",
    remediation: "Use a value that the constraint named in `details` allows.",
  },
  VALIDATION_CONSTRAINT_VIOLATION: {
    status: 400,
    message: "The row breaks a constraint of the table.",
    remediation: "Use values that the constraint named in `details` allows.",
  },
  VALIDATION_NOT_NULL_VIOLATION: {
    status: 400,
    message: "A column that must have a value has none.",
    remediation: "Give a value for the column named in `details`.",
  },
  VALIDATION_INVALID_CURSOR: {
    status: 400,
    message: "The cursor does not belong to this request.",
    remediation:
      "Send `after` with the same `order` as the request that gave the cursor, or start again without it.",
  },
  RESOURCE_CONFLICT: {
    status: 409,
    message: "Another transaction changed the same rows at the same time.",
    remediation: "Try again.",
  },
  RESPONSE_TOO_LARGE: {
    status: 400,
    message: "The answer would be larger than this server sends at once.",
    remediation: "Select fewer columns, or ask for fewer rows with `limit` and go on with the cursor.",
  },
  SQL_REFUSED: {
    status: 400,
    message: "The statement may not be run.",
    remediation: "Change what `details.problems` names; each says what to do instead.",
  },
  SQL_ERROR: {
    status: 400,
    message: "Postgres refused the statement.",
    remediation: "Correct the statement; `details` has Postgres' own diagnosis.",
  },
  SQL_READ_ONLY: {
    status: 403,
    message: "The statement changes rows, but the call is read-only.",
    remediation: "Send read_only: false with a key that may write.",
  },
});
