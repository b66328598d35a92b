import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

export const decisionErrors = defineErrors({
  GATEWAY_VALUES_NOT_CAPTURED: {
    status: 409,
    message: "None of these decisions has the values of its call's arguments.",
    remediation:
      "Have a person turn on capture_values for the server; from then on calls can be judged again. Simulate works by names without it.",
  },
  GATEWAY_EXPORT_BUSY: {
    status: 429,
    message: `This node writes ${limits.exportsAtOnce} exports of decisions already.`,
    remediation: "Try again when one of them has ended, or read them page by page.",
  },
  GATEWAY_DOCUMENT_INVALID: {
    status: 400,
    message: "The policy document is not valid.",
    remediation:
      "Correct everything named in details (JSON pointers); POST /v1/gateway/policies/validate shows warnings too.",
  },
});
