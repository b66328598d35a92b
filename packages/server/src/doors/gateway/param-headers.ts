import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject, ToolDefinition } from "@ambit/policy";
import { decodeHeader } from "./headers.ts";
import { limits } from "./limits.ts";
import { isObject } from "./shapes.ts";

/** An argument of a tool that a header repeats. */
export interface RepeatedArgument {
  /** In lower case, with `mcp-param-` before it. */
  readonly header: string;
  readonly path: readonly string[];
  readonly numeric: boolean;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TYPES: ReadonlySet<unknown> = new Set(["string", "integer", "number", "boolean"]);

/** The arguments of each tool that headers repeat; tools without any are left out. Pure. */
export function repeatedByTool(
  tools: readonly ToolDefinition[],
): ReadonlyMap<string, readonly RepeatedArgument[]> {
  const byTool = new Map<string, readonly RepeatedArgument[]>();
  for (const tool of tools) {
    const repeated = repeatedArguments(tool);
    if (repeated.length > 0) byTool.set(tool.name, repeated);
  }
  return byTool;
}

/** The arguments that the tool's schema marks with `x-mcp-header`, where the protocol allows that. Pure. */
export function repeatedArguments(tool: ToolDefinition): readonly RepeatedArgument[] {
  const found: RepeatedArgument[] = [];
  let properties = 0;
  const visit = (schema: unknown, path: readonly string[]): void => {
    if (!isObject(schema)) return;
    const name = schema["x-mcp-header"];
    if (path.length > 0 && typeof name === "string" && TOKEN.test(name) && TYPES.has(schema.type)) {
      const numeric = schema.type === "integer" || schema.type === "number";
      found.push({ header: `mcp-param-${name.toLowerCase()}`, path, numeric });
    }
    if (path.length >= limits.schemaLevels || !isObject(schema.properties)) return;
    for (const [key, child] of Object.entries(schema.properties)) {
      if (++properties > limits.schemaProperties) return;
      visit(child, [...path, key]);
    }
  };
  visit(tool.inputSchema, []);
  return found;
}

const DECIMAL = /^-?\d+(\.\d+)?$/;

/** What is wrong with the headers that repeat arguments; null when nothing is. Pure. */
export function paramHeaderProblem(
  repeated: readonly RepeatedArgument[],
  args: JsonObject,
  headers: IncomingHttpHeaders,
): string | null {
  for (const { header, path, numeric } of repeated) {
    const value = valueAt(args, path);
    const given = headers[header];
    const expected = asHeaderText(value);
    if (expected === undefined) continue;
    if (given === undefined) {
      if (expected === null) continue;
      return `Header mismatch: ${header} is missing, and the body has ${path.join(".")}`;
    }
    const text = typeof given === "string" ? decodeHeader(given) : null;
    const same =
      text !== null &&
      (text === expected ||
        (numeric && typeof value === "number" && DECIMAL.test(text) && Number(text) === value));
    if (!same) return `Header mismatch: ${header} says something else than ${path.join(".")} in the body`;
  }
  return null;
}

/** How a header writes it: null when it may not be there, undefined when there is no writing it. */
function asHeaderText(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number" || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    return undefined;
  return String(value);
}

function valueAt(args: JsonObject, path: readonly string[]): unknown {
  let value: unknown = args;
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}
