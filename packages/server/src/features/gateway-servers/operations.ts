import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { GatewayServers } from "./service.ts";
import { TRANSPORTS } from "./types.ts";
import { proxyUrl, serverShape, serverView, serverWithConnection } from "./views.ts";

export const BASE = "/v1/gateway/servers";
export const tool = "manage_gateway";

export const server_id = z.string().max(80).describe("The server's id, or ambit for the built-in server");

const secrets = (what: string) =>
  z
    .record(z.string(), z.string())
    .optional()
    .describe(`${what}; sealed, never shown again, replaced as a whole`);

const settings = {
  url: z
    .url({ protocol: /^https?$/ })
    .max(limits.urlChars)
    .optional()
    .describe("http: where the MCP server answers, without credentials"),
  command: z
    .string()
    .min(1)
    .max(limits.commandChars)
    .optional()
    .describe("stdio: one of the commands that the operator allows (AMBIT_STDIO_ALLOW)"),
  args: z
    .array(z.string().max(limits.argChars))
    .max(limits.args)
    .optional()
    .describe(
      `stdio: arguments; \${NAME} stands for a variable of env. They are shown: put secrets into env`,
    ),
  env: secrets("stdio: variables for the program"),
  headers: secrets("http: headers for every request, e.g. Authorization"),
  capture_values: z
    .boolean()
    .optional()
    .describe("Keep the arguments of calls, sealed, so that they can be replayed. Default false"),
};
const name = z.string().trim().min(1).max(limits.nameChars);

const ERRORS = [
  ...[
    "GATEWAY_SERVER_FIELDS",
    "GATEWAY_COMMAND_NOT_ALLOWED",
    "AUTH_PERSON_REQUIRED",
    "RESOURCE_ALREADY_EXISTS",
  ],
  ...["EXTERNAL_ADDRESS_REFUSED", "EXTERNAL_NETWORK_ERROR"],
];
const PERSON =
  "Programs (stdio), headers and where an existing server leads are for persons; the rest needs the right to administer.";

/** What `capture_values` is called inside. */
const given = <T extends { capture_values?: boolean | undefined }>({ capture_values, ...rest }: T) => ({
  ...rest,
  captureValues: capture_values,
});

/** `gateway.add_server`, `list_servers`, `get_server`, `update_server`, `delete_server`. */
export function serverOperations(
  { publicUrl }: Pick<Platform, "publicUrl">,
  { management, connections }: GatewayServers,
): AnyOperation[] {
  const reading = { right: "view", risk: "read", idempotent: true } as const;
  const audited = { category: "admin", resourceType: "gateway_server" } as const;
  return [
    platformOperation({
      name: "gateway.add_server",
      title: "Register an MCP server",
      summary: `Puts an MCP server behind the gateway and answers the URL that grants are used at. ${PERSON} The built-in server is there already; adding it names it.`,
      input: z.object({ name, transport: z.enum(TRANSPORTS), ...settings }),
      output: serverShape.pick({ server_id: true, name: true, transport: true, proxy_url: true }),
      right: "administer",
      risk: "write",
      idempotent: false,
      secretFields: ["headers", "env"],
      errors: [...ERRORS, "QUOTA_GATEWAY_SERVERS"],
      audit: { ...audited, action: "create", resourceId: (input) => input.name },
      http: { method: "POST", path: BASE, status: 201 },
      mcp: { tool, action: "add_server" },
      async run(call, { transport, ...input }) {
        const row = await management.add(organizationKeyOf(call), transport, given(input));
        return {
          ...{ server_id: row.id, name: row.name, transport: row.transport },
          proxy_url: proxyUrl(publicUrl(), row.id),
        };
      },
    }),
    platformOperation({
      ...reading,
      name: "gateway.list_servers",
      title: "List MCP servers",
      summary: "The organisation's MCP servers behind the gateway, by name. Credentials are never shown.",
      input: z.object({}),
      output: z.object({ servers: z.array(serverShape) }),
      http: { method: "GET", path: BASE },
      mcp: { tool, action: "list_servers" },
      run: async (call) => ({
        servers: (await management.list(organizationKeyOf(call).organizationId)).map((row) =>
          serverView(row, publicUrl()),
        ),
      }),
    }),
    platformOperation({
      ...reading,
      name: "gateway.get_server",
      title: "Get an MCP server",
      summary: "One MCP server, and how its connection is. Credentials are never shown.",
      input: z.object({ server_id }),
      output: serverWithConnection,
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${BASE}/:server_id` },
      mcp: { tool, action: "get_server" },
      async run(call, input) {
        const row = await management.get(organizationKeyOf(call).organizationId, input.server_id);
        return { ...serverView(row, publicUrl()), connection: connections.stateOf(row.id) };
      },
    }),
    platformOperation({
      name: "gateway.update_server",
      title: "Change an MCP server",
      summary: `Changes what is given; headers and env are replaced as a whole ({} removes them). It holds from the next request on, and no client reconnects. ${PERSON}`,
      input: z.object({ server_id, name: name.optional(), ...settings }),
      output: serverShape,
      right: "administer",
      risk: "write",
      overwrites: true,
      idempotent: true,
      secretFields: ["headers", "env"],
      errors: [...ERRORS, "RESOURCE_NOT_FOUND"],
      audit: { ...audited, action: "update", resourceId: (input) => input.server_id },
      http: { method: "PATCH", path: `${BASE}/:server_id` },
      mcp: { tool, action: "update_server" },
      run: async (call, { server_id: reference, ...input }) =>
        serverView(await management.update(organizationKeyOf(call), reference, given(input)), publicUrl()),
    }),
    platformOperation({
      name: "gateway.delete_server",
      title: "Delete an MCP server",
      summary:
        "Takes an MCP server from behind the gateway, with its policies and grants; open streams end. Can't be undone.",
      input: z.object({ server_id }),
      output: z.object({ deleted: z.literal(true), server_id: z.string() }),
      right: "administer",
      personOnly: true,
      risk: "destructive",
      idempotent: false,
      errors: ["RESOURCE_NOT_FOUND", "GATEWAY_BUILTIN_FIXED"],
      audit: { ...audited, action: "delete", resourceId: (input) => input.server_id },
      http: { method: "DELETE", path: `${BASE}/:server_id` },
      mcp: { tool, action: "delete_server" },
      async run(call, input) {
        const { id } = await management.delete(organizationKeyOf(call), input.server_id);
        return { deleted: true as const, server_id: id };
      },
    }),
  ];
}
