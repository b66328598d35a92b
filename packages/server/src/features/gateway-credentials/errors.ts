import { defineErrors } from "../../kernel/errors.ts";

export const credentialErrors = defineErrors({
  GATEWAY_OAUTH_UNSUPPORTED: {
    status: 400,
    message: "The server names no authorization server that Ambit can use.",
    remediation:
      "Only servers over HTTP that follow the MCP authorization specification can be connected; give others their credentials as `headers` (PATCH /v1/gateway/servers/<id>).",
  },
  GATEWAY_OAUTH_CLIENT_NEEDED: {
    status: 400,
    message: "The authorization server registers no clients by itself.",
    remediation:
      "Register Ambit there with the redirect URI in `details`, then repeat with client_id (and client_secret).",
  },
  GATEWAY_OAUTH_FAILED: {
    status: 502,
    message: "The authorization server refused, or did not answer as it should.",
    remediation:
      "Begin again: POST /v1/gateway/servers/<id>/oauth/connect. Its own words are in the message.",
  },
  GATEWAY_OAUTH_NOT_STARTED: {
    status: 409,
    message: "No consent of yours is waiting for this confirmation.",
    remediation:
      "Open the authorization URL, agree there, and use the code that the page shows within 15 minutes; else begin again.",
  },
  QUOTA_GATEWAY_OAUTH: {
    status: 429,
    message: "Too many consents are under way for this server.",
    remediation: "Finish one of them, or wait a quarter of an hour.",
  },
});
