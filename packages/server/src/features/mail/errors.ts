import { defineErrors } from "../../kernel/errors.ts";

export const mailErrors = defineErrors({
  MAIL_OUTBOX_OFF: {
    status: 409,
    message: "Mail goes out through the SMTP server; none is kept here.",
    remediation:
      "Look into the recipient's mailbox, or run the server without AMBIT_SMTP_URL to keep mail for reading.",
  },
});
