import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { AnyOperation, McpForm } from "../../kernel/operation.ts";
import type { CallableTool, Toolset } from "./catalogue.ts";
import { mcpErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { ActionForm } from "./tool-schema.ts";

/** What a tool call asks for. */
export interface Routed {
  readonly operation: AnyOperation;
  readonly input: Record<string, unknown>;
  readonly present: McpForm["present"];
}

/**
 * Finds the operation behind a tool call and spells its arguments as input fields. Pure.
 * What breaks the tool's own schema (unknown tool, argument or action, a missing argument of every action) throws a
 * protocol error -32602; an argument that only this action needs throws VALIDATION_MISSING_FIELD.
 */
export function routeCall(toolset: Toolset, name: string, args: unknown): Routed {
  const tool = toolset.callable.get(name);
  if (tool === undefined) throw invalid(`Unknown tool: ${quote(name)}. tools/list names the tools.`);
  if (typeof args !== "object" || args === null || Array.isArray(args)) {
    throw invalid(`Invalid arguments for tool ${name}: arguments must be an object.`);
  }
  const given = args as Record<string, unknown>;
  const form = chooseForm(tool, given);
  for (const argument of Object.keys(given)) {
    if (!tool.argumentNames.has(argument)) {
      throw invalid(
        `Invalid arguments for tool ${name}: unknown argument ${quote(argument)}. Known: ${[...tool.argumentNames].join(", ")}.`,
      );
    }
  }
  refuseIfMissing(tool, form, given);
  const input: Record<string, unknown> = {};
  for (const [argument, field] of form.fieldOf) {
    if (given[argument] !== undefined) input[field] = given[argument];
  }
  return { operation: form.operation, input, present: form.operation.mcp?.present };
}

function chooseForm(tool: CallableTool, given: Record<string, unknown>): ActionForm {
  const single = tool.forms.get("");
  if (single !== undefined) return single;
  const form = typeof given.action === "string" ? tool.forms.get(given.action) : undefined;
  if (form !== undefined) return form;
  const problem =
    given.action === undefined ? "action is missing" : `unknown action ${quote(String(given.action))}`;
  throw invalid(
    `Invalid arguments for tool ${tool.name}: ${problem}. Actions: ${[...tool.forms.keys()].join(", ")}.`,
  );
}

function refuseIfMissing(tool: CallableTool, form: ActionForm, given: Record<string, unknown>): void {
  for (const field of form.required) {
    if (given[field] !== undefined) continue;
    if (tool.required.includes(field))
      throw invalid(`Invalid arguments for tool ${tool.name}: ${field} is missing.`);
    throw mcpErrors.VALIDATION_MISSING_FIELD({
      message: `${field} is required for action "${form.action}" of ${tool.name}.`,
      remediation: `Add ${field} and call ${tool.name} again.`,
      details: { tool: tool.name, action: form.action, field },
    });
  }
}

const invalid = (message: string) => new ProtocolError(ProtocolErrorCode.InvalidParams, message);

const quote = (text: string) => JSON.stringify(text.slice(0, limits.quotedNameChars));
