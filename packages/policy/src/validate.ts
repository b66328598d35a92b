import type { ToolDefinition, Validation } from "./types.ts";
import { inspect } from "./validate/inspect.ts";

/**
 * Everything that is wrong with a document, and everything doubtful about it, at once. Takes a document, or `{text}` with
 * its JSON, which also finds keys that are there twice. With the server's `tools`, as its last `tools/list` had them, warns
 * of rules that mean nothing for them. A valid document compiles; warnings never keep it from that.
 */
export function validate(document: unknown, tools?: readonly ToolDefinition[]): Validation {
  return inspect(document, tools).validation;
}
