import type { UpstreamListener } from "../../engines/upstream/types.ts";
import type { GatewayService } from "../../features/gateway/service.ts";
import type { Grant } from "../../features/gateway-grants/service.ts";
import type { GatewayServersService } from "../../features/gateway-servers/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { Secrets } from "../../kernel/secrets.ts";

/** A message for Ambit's own tools, judged. */
export interface BuiltinRequest {
  /** A request, a notification or a response, as it was judged. */
  readonly message: { readonly [key: string]: unknown };
  /**
   * What the protocol says in headers, in lower case: `mcp-protocol-version`, and in the stateless era `mcp-method` and
   * `mcp-name`, which agree with the message. Beside them `accept` and `content-type`.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** Cut to a bound; empty without. */
  readonly userAgent: string;
  readonly ip: string;
  readonly requestId: string;
  /** Aborting it ends the exchange: `onFailure` comes then, unless it was over. */
  readonly signal: AbortSignal;
  /** One tool for each operation, in place of the `manage_*` tools. */
  readonly verbs: boolean;
}

/** Ambit's own tools as an upstream. It has no sessions: the head's `sessionId` is null. */
export interface BuiltinServer {
  /** Acts as the grant. The listener hears what it would hear of any upstream. */
  send(principalOf: Grant, request: BuiltinRequest, listener: UpstreamListener): void;
}

/** What the gateway's door needs. */
export interface GatewayDoorDeps {
  readonly gateway: GatewayService;
  readonly servers: Pick<GatewayServersService, "upstream" | "tools" | "onChanged">;
  readonly builtin: BuiltinServer;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "limitsHit">;
  /** How many proxies in front may be believed about the caller's address. */
  readonly trustedProxies: number;
  /** Origins of pages that may call, beyond the server's own. */
  readonly trustedOrigins?: readonly string[];
  publicUrl(): string;
  /** A new id for a request; a UUID unless given. */
  newRequestId?(): string;
}
