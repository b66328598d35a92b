import type { ErrorBody } from "../../kernel/errors.ts";
import { HttpReply } from "../../kernel/http-reply.ts";
import type { McpForm } from "../../kernel/operation.ts";

/** What `tools/call` answers: exactly one text block, and the structured output unless the call failed. */
export interface ToolResult {
  content: [{ type: "text"; text: string }];
  structuredContent?: Record<string, unknown>;
  isError?: true;
  _meta?: Record<string, unknown>;
  /** The protocol's result type is open to further members. */
  [member: string]: unknown;
}

/**
 * The result of an operation that ran. The text is the presented output as JSON with two spaces, or the presentation
 * itself when that is a text. Throws when the output can't be written as JSON or is no object.
 */
export function successResult(output: unknown, present: McpForm["present"]): ToolResult {
  const body = output instanceof HttpReply ? output.body : (output ?? {});
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new TypeError("an operation offered over MCP must give an object");
  }
  const shown = present === undefined ? body : present(body as never);
  const text = typeof shown === "string" ? shown : JSON.stringify(shown, null, 2);
  const meta = (body as { _meta?: unknown })._meta;
  return {
    content: [{ type: "text", text }],
    structuredContent: body as Record<string, unknown>,
    ...(hasNextActions(meta) ? { _meta: { next_actions: meta.next_actions } } : {}),
  };
}

/**
 * The result of a call that was refused or failed: the same body the HTTP door sends. It has no structured content,
 * because clients hold that to the tool's output schema even when the call failed.
 */
export function errorResult(body: ErrorBody): ToolResult {
  return { isError: true, content: [{ type: "text", text: JSON.stringify(body, null, 2) }] };
}

function hasNextActions(meta: unknown): meta is { next_actions: unknown } {
  return typeof meta === "object" && meta !== null && "next_actions" in meta;
}
