import { defineErrors } from "../../kernel/errors.ts";

/** Errors only the gateway's door gives. */
export const gatewayDoorErrors = defineErrors({
  GATEWAY_REQUESTS_BUSY: {
    status: 429,
    message: "The grant has too many requests under way.",
    remediation: "Wait for answers before sending more; Retry-After says for how long at least.",
  },
  GATEWAY_STREAMS_BUSY: {
    status: 429,
    message: "Too many streams are open.",
    remediation: "Close streams that nobody reads, then try again.",
  },
  GATEWAY_BODIES_BUSY: {
    status: 429,
    message: "The grant is sending too many large messages at once.",
    remediation: "Send large messages one after another.",
  },
  GATEWAY_GRANT_ENDED: {
    status: 401,
    message: "The grant has been revoked, rotated or has expired.",
    remediation: "Use the grant's new token, or have a person make another grant.",
  },
  GATEWAY_GRANT_UNSURE: {
    status: 503,
    message: "Whether the grant still holds can't be known right now, and so nothing goes on.",
    remediation: "Try again in a moment, with the same token.",
  },
  GATEWAY_SESSION_UNKNOWN: {
    status: 404,
    message: "There is no such session.",
    remediation: "Begin a new one: send initialize without a session id.",
  },
  GATEWAY_METHOD_NOT_ALLOWED: {
    status: 405,
    message: "The proxy URL takes POST; GET and DELETE only in a session.",
    remediation: "POST one JSON-RPC message.",
  },
  GATEWAY_CLOSING: {
    status: 503,
    message: "The server is stopping.",
    remediation: "Try again in a moment.",
  },
});
