import { defineErrors } from "../../kernel/errors.ts";

export const outboxErrors = defineErrors({
  wrong_status: {
    status: 409,
    message: "It is not in a state in which this can be done.",
    remediation: "Look at its state first; details.state has it.",
  },
  OUTBOX_TARGET_GONE: {
    status: 409,
    message: "The target this was meant for is no longer set.",
    remediation: "Set it again (PUT /v1/me/substrate/outbox-targets/<capability>) and retry.",
  },
  OUTBOX_SECRET_INVALID: {
    status: 400,
    message: "A signing secret that begins with whsec_ must go on in base64.",
    remediation: "Correct it, or use any other text of at least 8 characters.",
  },
  OUTBOX_SECRET_LOST: {
    status: 500,
    message: "The target's signing secret can't be opened: it was sealed with another master key.",
    remediation: "Set the target again with its secret, then retry.",
  },
  QUOTA_OUTBOX_TARGETS: {
    status: 403,
    message: "The organisation has as many outbox targets as it may have.",
    remediation: "Delete a target that is not used any more.",
  },
});
