import { defineErrors } from "../../kernel/errors.ts";

export const gatewayHoldErrors = defineErrors({
  GATEWAY_CALL_NOT_HOLDABLE: {
    status: 400,
    message: "The call needs a person's approval, and its arguments can't be shown to a person exactly.",
    remediation: "Send plain Unicode text and less deeply nested arguments.",
  },
  GATEWAY_HOLD_ENDED: {
    status: 409,
    message: "The call waits no more: its grant or its server is gone, or it has ended otherwise.",
    remediation: "Have the call made again, if it is still wanted.",
  },
});
