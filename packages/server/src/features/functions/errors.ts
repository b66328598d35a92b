import { defineErrors } from "../../kernel/errors.ts";

export const functionErrors = defineErrors({
  VALIDATION_ERROR: {
    status: 400,
    message: "The request can't be carried out as it is.",
    remediation: "details.reason says what to change.",
  },
  FUNCTION_NOT_FOUND: {
    status: 404,
    message: "Function not found",
    remediation: "List the functions (manage_function action list); deploy one with deploy_function.",
  },
  FUNCTION_VERSION_NOT_FOUND: {
    status: 404,
    message: "The function has no such version.",
    remediation: "List the versions: manage_function action list_versions.",
  },
  FUNCTION_CHANGED: {
    status: 409,
    message: "The app's functions were changed by somebody else at the same time.",
    remediation: "Try again.",
  },
  FUNCTION_TIMEOUT: {
    status: 504,
    message: "The function did not answer within its time limit.",
    remediation: "Do less in one call, use ctx.waitUntil, or deploy it with a larger timeoutMs.",
  },
  FUNCTION_BLOCKED: {
    status: 503,
    message: "The function has lately brought its process down and is not run for now.",
    remediation: "Read its logs (manage_function action get_logs) and deploy a corrected version.",
  },
  FUNCTION_EVENT_IN_PROGRESS: {
    status: 409,
    message: "This event is being handled right now.",
    remediation: "Send it again in a minute.",
  },
  QUOTA_FUNCTION_LIMIT: {
    status: 403,
    message: "The app has as many functions as it may have.",
    remediation: "Delete a function that is not used any more.",
  },
  QUOTA_ENV_LIMIT: {
    status: 400,
    message: "The function has as many variables as it may have.",
    remediation: "Remove variables that are not used: set them to null.",
  },
  AUTH_IMPERSONATION_FORBIDDEN: {
    status: 403,
    message: "Only an API key may act as somebody else.",
    remediation: "Leave X-Butterbase-As-Role and X-Butterbase-As-User out, or send a bb_sk_ key.",
  },
  AUTH_IMPERSONATION_DISABLED: {
    status: 403,
    message: "This function does not let keys act as a user.",
    remediation:
      "Call it without X-Butterbase-As-User, or allow it: manage_function action update_settings, allow_service_key_impersonation true.",
  },
  WEBHOOK_SIGNATURE_INVALID: {
    status: 401,
    message: "The signature does not fit the body and the secret, or it is too old.",
    remediation: "Sign the raw body with the secret in the function's webhook trigger.",
  },
  LOOP_DEPTH_EXCEEDED: {
    status: 508,
    message: "Functions and actors of the app call each other in too long a chain.",
    remediation: "Call at most four deep; hand work on through a table or a schedule instead.",
  },
});
