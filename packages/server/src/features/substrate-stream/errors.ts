import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** What asking for a ticket can refuse. */
export const streamErrors = defineErrors({
  QUOTA_STREAM_TICKETS: {
    status: 429,
    message: `The organisation has ${limits.ticketsPerOrganization} tickets that nobody has used yet.`,
    remediation: `Use those that were given out, or wait: a ticket is forgotten after ${limits.ticketS} seconds.`,
  },
});
