import { defineErrors } from "../../kernel/errors.ts";

/** What the page refuses, in words for the person in front of it. */
export const approveErrors = defineErrors({
  APPROVE_FOREIGN_FORM: {
    status: 403,
    message: "This form was not sent from this page.",
    remediation: "Open the approval's own address in your browser and decide there.",
  },
  APPROVE_SIGNED_OUT: {
    status: 401,
    message: "You are not signed in, or your key has been revoked, or the quarter of an hour is over.",
    remediation: "Sign in again with your key; nothing has been decided.",
  },
  APPROVE_PREVIEW_CHANGED: {
    status: 409,
    message: "What approving would do has changed since you looked.",
    remediation: "Go back to the approval and look again; nothing has been decided.",
  },
  APPROVE_CONFIRMATION: {
    status: 409,
    message:
      "This confirmation can't be used: it was used before, is older than two minutes, or is not yours.",
    remediation: "Go back to the approval and choose again; nothing has been decided with this one.",
  },
});
