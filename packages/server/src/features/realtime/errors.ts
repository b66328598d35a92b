import { defineErrors } from "../../kernel/errors.ts";

/** What configuring realtime can refuse. */
export const realtimeErrors = defineErrors({
  VALIDATION_MISSING_FIELD: {
    status: 400,
    message: "tables is missing or empty.",
    remediation: 'Name at least one table, for example {"tables": ["messages"]}.',
  },
  VALIDATION_TABLE_NOT_FOUND: {
    status: 404,
    message: "There is no such table in this app.",
    remediation: "Create it first (manage_schema action apply); the schema lists what exists.",
  },
  REALTIME_PRIMARY_KEY_REQUIRED: {
    status: 400,
    message: "Changes can only be broadcast of tables with a primary key.",
    remediation:
      'Add one with manage_schema action apply, for example "id": {"type": "uuid", "primaryKey": true}, and try again.',
  },
  REALTIME_TABLE_BUSY: {
    status: 409,
    message: "A table is in use by a transaction that has been running for several seconds.",
    remediation: "Try again once that transaction has ended.",
  },
  REALTIME_MESSAGES_FULL: {
    status: 503,
    message: "Too much is waiting to be written into the log for other nodes, or one message is too large.",
    remediation: "Send less, or wait a moment and try again.",
  },
});
