import { defineErrors } from "../../kernel/errors.ts";

export const serverErrors = defineErrors({
  GATEWAY_SERVER_FIELDS: {
    status: 400,
    message: "These fields don't make a server of this transport.",
    remediation:
      "http needs url and may have headers; stdio needs command and may have args and env; builtin has none of them.",
  },
  GATEWAY_COMMAND_NOT_ALLOWED: {
    status: 403,
    message: "The operator of this server does not allow this command.",
    remediation:
      "Have the operator add it to AMBIT_STDIO_ALLOW, as an absolute path or a bare name, and restart.",
  },
  GATEWAY_BUILTIN_FIXED: {
    status: 409,
    message: "The built-in server can't be deleted.",
    remediation: "Revoke the grants on it instead.",
  },
  GATEWAY_SECRETS_LOST: {
    status: 500,
    message: "The server's credentials can't be opened: they were sealed with another master key.",
    remediation: "Set its headers or env again: PATCH /v1/gateway/servers/<id>.",
  },
  GATEWAY_UPSTREAM_FAILED: {
    status: 502,
    message: "The MCP server did not list its tools.",
    remediation: "Check that it runs, and that its URL and credentials are right; then scan it.",
  },
  GATEWAY_TOOLS_UNREADABLE: {
    status: 502,
    message: "The MCP server's list of tools can't be read, so none of it is used.",
    remediation: "Mend the server: every tool needs a name of its own, and all of it must be plain JSON.",
  },
  GATEWAY_TOOL_CHANGED_AGAIN: {
    status: 409,
    message: "A tool is not what was reviewed any more.",
    remediation: "Review it as it is now: GET /v1/gateway/servers/<id>/tool-changes.",
  },
  QUOTA_GATEWAY_SERVERS: {
    status: 403,
    message: "The organisation has as many MCP servers as it may have.",
    remediation: "Delete a server that is not used any more.",
  },
  QUOTA_GATEWAY_TOOLS: {
    status: 502,
    message: "The MCP server has more, or larger, tools than can be looked at.",
    remediation: "Have it offer fewer tools, or register parts of it as servers of their own.",
  },
});
