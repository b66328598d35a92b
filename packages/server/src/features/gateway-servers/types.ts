import type { ToolDefinition } from "@ambit/policy";
import type { Upstream } from "../../engines/upstream/types.ts";

export const TRANSPORTS = ["http", "stdio", "builtin"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/**
 * The two ways in which Ambit offers its own tools: the `manage_*` tools, and one tool per operation. Each is a server of
 * its own, so that a policy written for the names of one is never asked about those of the other.
 */
export type BuiltinFace = "merged" | "verbs";

/** A registered MCP server, as the gateway needs it. */
export interface GatewayServer {
  /** UUID. */
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly transport: Transport;
  /** Of a built-in server; null for others. */
  readonly face: BuiltinFace | null;
  /** Whether the values of arguments are kept (sealed), for replay. */
  readonly capturesValues: boolean;
}

/** How a tool stands against what was approved. */
export type ToolState =
  /** Is what a person, or the first look at the server, approved. */
  | "approved"
  /** Is something else now, or was not there at the first look: a person has to review it. */
  | "changed";

/** What a review is about: a tool as it was approved (null: it is new) and as it is now. */
export interface ToolChange {
  readonly tool: string;
  readonly approved: ToolDefinition | null;
  readonly now: ToolDefinition;
  readonly seenAt: Date;
}

/** The servers as the judge and the door use them. Hot: no lookup but from memory once warm. */
export interface GatewayServersService {
  /** The server; null when there is none. A change shows within a second, on the node that made it at once. */
  find(serverId: string): Promise<GatewayServer | null>;
  /**
   * One of an organisation's own servers, by its UUID, or `ambit` or `ambit-verbs` for the built-in ones. Throws RESOURCE_NOT_FOUND for
   * everything else, also for another organisation's.
   */
  named(organizationId: string, reference: string): Promise<GatewayServer>;
  /** A built-in server of the organisation; made when it is first asked for. Its id is derived from the organisation's. */
  builtin(organizationId: string, face?: BuiltinFace): Promise<GatewayServer>;
  /** Where a server over HTTP is; null for others, and when there is none. */
  urlOf(serverId: string): Promise<string | null>;
  /** The warm connection of an `http` or `stdio` server; throws for `builtin`. */
  upstream(server: GatewayServer): Promise<Upstream>;
  /**
   * How a tool stands. Before the first look at a server this looks (tools/list): what is there then is approved. It also
   * looks when this node has not seen the server's tools for `limits.staleMs`. Rejects when the server can't be looked at:
   * then nothing may be called. The built-in server's tools are always approved.
   */
  toolState(server: GatewayServer, tool: string): Promise<ToolState>;
  /** The same from memory; undefined when it is not known yet, or was known too long ago. */
  peekToolState(server: GatewayServer, tool: string): ToolState | undefined;
  /**
   * A page of `tools/list` passes: remembers what is new or different, and answers which of its tools stand as changed.
   * Writes only when something is. Throws GATEWAY_TOOLS_UNREADABLE or QUOTA_GATEWAY_TOOLS for a page that must not be
   * passed on. The built-in server's tools are nothing to remember.
   */
  observe(server: GatewayServer, tools: readonly ToolDefinition[]): Promise<ReadonlySet<string>>;
  /** Tools as last seen, for warnings, simulation and the catalogue; looks when nothing was seen yet. */
  tools(server: GatewayServer): Promise<readonly ToolDefinition[]>;
  /** Called with the id of a server that was changed or deleted on this node, or found so. */
  onChanged(listener: (serverId: string) => void): void;
  /** Called with the id of a server that was deleted on this node, or found so; once `onChanged` was. */
  onDeleted(listener: (serverId: string) => void): void;
}

/**
 * Credentials of `http` servers beyond the static headers they were registered with, e.g. OAuth tokens. Whoever holds them
 * sees to it that they go to no other server than the one they were given for.
 */
export interface UpstreamCredentials {
  /** Headers for the next request, `{}` for none; before static headers of the same name. */
  headersOf(server: GatewayServer): Promise<Readonly<Record<string, string>>>;
  /** The server said 401: renews what can be renewed. True when it is worth trying once more. */
  renew(server: GatewayServer): Promise<boolean>;
}
