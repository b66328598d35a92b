import { ProtocolError } from "@modelcontextprotocol/server";
import { AmbitError, errors } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Pipeline } from "../../kernel/pipeline.ts";
import type { Caller } from "./caller.ts";
import type { Toolset } from "./catalogue.ts";
import { errorResult, successResult, type ToolResult } from "./result.ts";
import { routeCall } from "./route.ts";

export interface CallToolDeps {
  readonly pipeline: Pipeline;
  readonly log: Log;
  publicUrl(): string;
}

/**
 * Runs one tool call through the pipeline. Whatever the pipeline refuses comes back as a result with `isError` and the
 * error body; only a call that breaks the tool's schema throws (a protocol error). Arguments are never logged.
 */
export async function callTool(
  deps: CallToolDeps,
  toolset: Toolset,
  caller: Caller,
  name: string,
  args: unknown,
  signal: AbortSignal,
): Promise<ToolResult> {
  try {
    const { operation, input, present } = routeCall(toolset, name, args);
    const output = await deps.pipeline(operation, { ...caller, door: "mcp", signal }, input);
    return successResult(output, present);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    return errorResult(toKnown(error, deps.log, caller.requestId).toBody(deps.publicUrl()));
  }
}

function toKnown(error: unknown, log: Log, requestId: string): AmbitError {
  if (error instanceof AmbitError) return error;
  log.error({ err: error, requestId }, "unexpected error in a tool call");
  return errors.INTERNAL_ERROR({ details: { request_id: requestId } });
}
