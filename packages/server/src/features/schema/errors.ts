import { defineErrors } from "../../kernel/errors.ts";

export const schemaErrors = defineErrors({
  SCHEMA_DESTRUCTIVE_CHANGE: {
    status: 409,
    message: "The document would lose data, and it does not ask for that.",
    remediation:
      "Ask for each loss in the document: _drop for tables, _dropColumns, _dropPrimaryKey, _dropEnumValues, or allowTypeChange: true on a column. A dry run shows the statements.",
  },
  SCHEMA_MIGRATION_FAILED: {
    status: 400,
    message: "The database refused the change; nothing of it was applied.",
    remediation: "Correct what `details` names and apply again; a dry run shows the statements.",
  },
  VALIDATION_RESERVED_TABLE: {
    status: 400,
    message: "Names that begin with _ are reserved.",
    remediation: "Choose a table name that begins with a letter.",
  },
  QUOTA_TABLE_LIMIT: {
    status: 400,
    message: "That is more tables than an app may have.",
    remediation: "Drop tables that are not used any more (_drop), or use a second app.",
  },
});
