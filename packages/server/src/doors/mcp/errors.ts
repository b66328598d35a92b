import { defineErrors } from "../../kernel/errors.ts";

/** Errors only the MCP door gives. */
export const mcpErrors = defineErrors({
  AUTH_ORIGIN_FORBIDDEN: {
    status: 403,
    message: "A page of another origin may not use the MCP endpoint.",
    remediation: "Call from a program, or from a page served by this server; send no foreign Origin header.",
  },
  VALIDATION_MISSING_FIELD: {
    status: 400,
    message: "An argument that this action needs is missing.",
    remediation: "Add the argument named in `details.field` and call again.",
  },
});
