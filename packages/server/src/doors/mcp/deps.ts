import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { AnyOperation, ToolInfo } from "../../kernel/operation.ts";
import type { Pipeline } from "../../kernel/pipeline.ts";
import type { ResolvePrincipal } from "../principal.ts";

/** What the MCP door needs. */
export interface McpDoorDeps {
  readonly operations: readonly AnyOperation[];
  readonly tools: readonly ToolInfo[];
  readonly pipeline: Pipeline;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
  /** Origins of pages that may call, beyond the server's own. */
  readonly trustedOrigins?: readonly string[];
  publicUrl(): string;
}
