import { type AmbitError, defineErrors } from "../../kernel/errors.ts";

export const actorErrors = defineErrors({
  VALIDATION_ERROR: {
    status: 400,
    message: "The request can't be carried out as it is.",
    remediation: "details.reason says what to change.",
  },
  DURABLE_OBJECT_TICKET_INVALID: {
    status: 401,
    message: "The ticket is unknown, used already or expired.",
    remediation: "Get a new one right before connecting: POST /v1/<app_id>/durable-objects/tickets.",
  },
});

/** What is wrong with a request, in `details.reason`. */
export type Reason =
  | "INVALID_NAME"
  | "INVALID_ACCESS_MODE"
  | "INVALID_ENV_KEY"
  | "RESERVED_ENV_KEY"
  | "ENV_VALUE_TOO_LARGE"
  | "TOO_MANY_ENV_KEYS"
  | "ENV_BINDING_COLLISION"
  | "TOO_MANY_CLASSES"
  | "BUNDLE_TOO_LARGE"
  | "START_FAILED"
  | "NO_SUCH_INSTANCE"
  | "SQL_NOT_READ_ONLY"
  | "STORAGE_ERROR"
  | "ARCHIVE_TOO_LARGE"
  | "ARCHIVE_INVALID"
  | "ARCHIVE_OF_ANOTHER_CLASS"
  | "INSTANCE_EXISTS";

/** A VALIDATION_ERROR with its reason. */
export const invalid = (
  reason: Reason,
  message: string,
  remediation: string,
  details: Record<string, unknown> = {},
): AmbitError => actorErrors.VALIDATION_ERROR({ message, remediation, details: { reason, ...details } });
