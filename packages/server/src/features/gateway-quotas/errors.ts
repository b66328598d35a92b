import { defineErrors } from "../../kernel/errors.ts";

export const quotaErrors = defineErrors({
  GATEWAY_COUNTERS_BUSY: {
    status: 503,
    message: "Too many calls wait for their limits to be counted.",
    remediation: "Try again in a moment; nothing was counted and nothing was called.",
  },
});
