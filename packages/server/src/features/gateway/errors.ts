import { defineErrors } from "../../kernel/errors.ts";

export const gatewayErrors = defineErrors({
  GATEWAY_GRANT_INVALID: {
    status: 401,
    message: "There is no live grant behind this token for this server.",
    remediation:
      "Send `Authorization: Bearer amb_gr_…` with a grant of exactly the server in the path; an admin makes, rotates and revokes grants.",
  },
});
