import type { ToolDefinition } from "@ambit/policy";
import type { Upstream } from "../../engines/upstream/types.ts";

export const TRANSPORTS = ["http", "stdio", "builtin"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** A registered MCP server, as the gateway needs it. */
export interface GatewayServer {
  /** UUID. */
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly transport: Transport;
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
  /** The organisation's built-in server; made when it is first asked for. Its id is derived from the organisation's. */
  builtin(organizationId: string): Promise<GatewayServer>;
  /** The warm connection of an `http` or `stdio` server; throws for `builtin`. */
  upstream(server: GatewayServer): Promise<Upstream>;
  /**
   * How a tool stands. Before the first look at a server this looks (tools/list): what is there then is approved. Rejects
   * when the server can't be looked at: then nothing may be called. The built-in server's tools are always approved.
   */
  toolState(server: GatewayServer, tool: string): Promise<ToolState>;
  /** The same from memory; undefined when it is not known yet. */
  peekToolState(server: GatewayServer, tool: string): ToolState | undefined;
  /**
   * A page of `tools/list` passes: remembers what is new or different, and answers which of its tools stand as changed.
   * Writes only when something is.
   */
  observe(server: GatewayServer, tools: readonly ToolDefinition[]): Promise<ReadonlySet<string>>;
  /** Tools as last seen, for warnings, simulation and the catalogue; looks when nothing was seen yet. */
  tools(server: GatewayServer): Promise<readonly ToolDefinition[]>;
  /** Called with the id of a server that was changed or deleted on this node, or found so. */
  onChanged(listener: (serverId: string) => void): void;
}
