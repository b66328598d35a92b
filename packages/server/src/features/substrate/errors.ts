import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

export const substrateErrors = defineErrors({
  CAPABILITY_UNKNOWN: {
    status: 400,
    message: "There is no such capability.",
    remediation: "manage_substrate action list_capabilities shows every capability and what stands for it.",
  },
  CAPABILITY_FORBIDDEN: {
    status: 403,
    message: "An owner has forbidden this capability.",
    remediation: "An owner allows it again: PUT /v1/me/substrate/capabilities/<name>/policy.",
  },
  IDEMPOTENCY_CONFLICT: {
    status: 409,
    message: "This idempotency key was used for another proposal.",
    remediation:
      "Use a new key for a new proposal; repeat a proposal with exactly the same capability and payload.",
  },
  PROPOSAL_TOO_LARGE: {
    status: 413,
    message: `A payload has at most ${limits.payloadBytes} bytes as JSON.`,
    remediation: "Put large content elsewhere and name it in the payload, e.g. by a URL.",
  },
  PROPOSALS_BUSY: {
    status: 429,
    message: "Too many proposals of this organisation wait for their turn.",
    remediation: "Repeat it after a moment, under an idempotency key, and send fewer at once.",
  },
  wrong_status: {
    status: 409,
    message: "This has been decided already.",
    remediation: "Look at its status: GET /v1/me/substrate/actions/<id>.",
  },
  ACTION_NOT_REVERSIBLE: {
    status: 409,
    message: "What this capability does can't be undone.",
    remediation:
      "Propose an action that mends it, e.g. update_entity; list_capabilities shows which are reversible.",
  },
  CONTENT_ERASED: {
    status: 409,
    message: "The content of this action was erased.",
    remediation: "Propose it anew if it is still wanted.",
  },
});
