import { defineCommand } from "citty";
import { add } from "./gateway-add.ts";
import { changes } from "./gateway-changes.ts";
import { connect } from "./gateway-connect.ts";
import { attach, grant, grants, revoke, rotate } from "./gateway-grants.ts";
import { logs } from "./gateway-logs.ts";
import { policy } from "./gateway-policy.ts";
import { scan, servers } from "./gateway-servers.ts";

export const gateway = defineCommand({
  meta: {
    name: "gateway",
    description: "MCP servers behind the gateway: servers, policies, grants, decisions",
  },
  subCommands: { add, servers, scan, changes, connect, policy, grant, grants, attach, rotate, revoke, logs },
});
