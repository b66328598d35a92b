import { defineErrors } from "../../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** What reading the memory can answer besides the kernel's own errors. */
export const memoryReadErrors = defineErrors({
  MEMORY_CURSOR_INVALID: {
    status: 400,
    message: "The cursor is not one an earlier page of this list gave.",
    remediation: "Pass next_cursor or next_before of the page before as it is, or leave the cursor out.",
  },
  MEMORY_QUERY_TOO_LONG: {
    status: 400,
    message: `A search takes at most ${limits.queryChars} characters and ${limits.queryWords} words.`,
    remediation: "Search for the few words that matter.",
  },
});
