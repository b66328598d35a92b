import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject, ToolDefinition } from "@ambit/policy";
import {
  argumentAt,
  headerTextOf,
  type RepeatedArgument,
  repeatedArguments,
} from "../../engines/upstream/param-headers.ts";
import { decodeHeader } from "./headers.ts";

/** The arguments of each tool that headers repeat; tools without any are left out. Pure. */
export function repeatedByTool(
  tools: readonly ToolDefinition[],
): ReadonlyMap<string, readonly RepeatedArgument[]> {
  const byTool = new Map<string, readonly RepeatedArgument[]>();
  for (const tool of tools) {
    const repeated = repeatedArguments(tool.inputSchema);
    if (repeated.length > 0) byTool.set(tool.name, repeated);
  }
  return byTool;
}

const DECIMAL = /^-?\d+(\.\d+)?$/;

/** What is wrong with the headers that repeat arguments; null when nothing is. Pure. */
export function paramHeaderProblem(
  repeated: readonly RepeatedArgument[],
  args: JsonObject,
  headers: IncomingHttpHeaders,
): string | null {
  for (const { header, path, numeric } of repeated) {
    const value = argumentAt(args, path);
    const given = headers[header];
    const expected = headerTextOf(value);
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
