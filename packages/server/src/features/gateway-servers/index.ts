import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { serverErrors } from "./errors.ts";
import { serverOperations } from "./operations.ts";
import {
  createGatewayServersService,
  type GatewayServersDeps,
  type GatewayServersService,
} from "./service.ts";
import { toolOperations } from "./tool-operations.ts";

/** The registry of MCP servers behind the gateway: where they are, what opens them, and which tools were approved. */
export function createGatewayServers(
  platform: Platform,
  deps: GatewayServersDeps,
): { feature: Feature; service: GatewayServersService } {
  const service = createGatewayServersService(platform, deps);
  const feature: Feature = {
    name: "gateway-servers",
    operations: [...serverOperations(platform, service), ...toolOperations(service)],
    errors: serverErrors.entries,
    tools: [
      {
        name: "manage_gateway",
        title: "Manage the gateway",
        description:
          "The gateway in front of MCP servers: every call an agent makes through it is judged by a policy, counted, and recorded. The way: add_server registers an MCP server (http, or a program of this host); scan lists its tools with their risks and suggests a policy; a policy is made for the server; a grant is a token for one server under one policy, used at the server's proxy_url in place of the server's own URL. list_tool_changes shows tools that are new or different since they were approved: they can't be called until a person approves them (approve_tools). Anyone may look. Credentials, programs, policies, grants, approving and deleting are for persons: agents propose, and tell their person what to do.",
      },
    ],
    start: async () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
