import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

export const approvalErrors = defineErrors({
  wrong_status: {
    status: 409,
    message: "This waits for nobody any more.",
    remediation: "Look at its status; ask for it again if it is still wanted.",
  },
  preview_changed: {
    status: 409,
    message: "What approving would do has changed since you looked.",
    remediation: "Look at the preview again, and approve it if it is still right.",
  },
  APPROVAL_TWICE: {
    status: 409,
    message: "You have decided on this already; each person counts once.",
    remediation: "Another member with the right to decide has to go on.",
  },
  APPROVAL_ALREADY_WAITS: {
    status: 409,
    message: "This waits for a decision already.",
    remediation: "Decide on the approval that waits, or let it expire, before asking again.",
  },
  APPROVAL_TOO_LARGE: {
    status: 413,
    message: "What is asked for is too large to be shown to a person in full.",
    remediation: `Keep the arguments under ${limits.requestBytes} bytes; split the request.`,
  },
  APPROVAL_EXECUTION_FAILED: {
    status: 409,
    message: "It was approved, but the database refused what it would have done.",
    remediation: "Correct what is asked for and ask again.",
  },
  QUOTA_APPROVALS: {
    status: 429,
    message: "Too much waits for a decision already.",
    remediation: "Decide on what waits, or let it expire, before asking for more.",
  },
});
