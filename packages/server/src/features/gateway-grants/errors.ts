import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

export const grantErrors = defineErrors({
  GATEWAY_GRANT_EXPIRY_PAST: {
    status: 400,
    message: "expires_at is in the past.",
    remediation: "Give a time to come, or null for no expiry; to end a grant now, revoke it.",
  },
  QUOTA_GATEWAY_GRANTS: {
    status: 403,
    message: `A server has at most ${limits.grantsPerServer} live grants.`,
    remediation: "Revoke grants that are not used any more: DELETE /v1/gateway/grants/<id>.",
  },
});
