import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** What an export can refuse. */
export const exportErrors = defineErrors({
  EXPORT_BUSY: {
    status: 429,
    message: `This node writes ${limits.atOnce} exports already.`,
    remediation: "Try again when one of them has ended.",
  },
});
