import { asObject } from "./channel/messages.ts";

/** An argument of a tool that a header repeats. */
export interface RepeatedArgument {
  /** In lower case, with `mcp-param-` before it. */
  readonly header: string;
  readonly path: readonly string[];
  readonly numeric: boolean;
}

/** How much of a tool's schema is looked at. */
const limits = { schemaLevels: 16, schemaProperties: 2_000 } as const;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TYPES: ReadonlySet<unknown> = new Set(["string", "integer", "number", "boolean"]);

/** The arguments that a tool's schema marks with `x-mcp-header`, where the protocol allows that. Pure. */
export function repeatedArguments(inputSchema: unknown): readonly RepeatedArgument[] {
  const found: RepeatedArgument[] = [];
  let looked = 0;
  const visit = (value: unknown, path: readonly string[]): void => {
    const schema = asObject(value);
    if (schema === null) return;
    const name = schema["x-mcp-header"];
    if (path.length > 0 && typeof name === "string" && TOKEN.test(name) && TYPES.has(schema.type)) {
      const numeric = schema.type === "integer" || schema.type === "number";
      found.push({ header: `mcp-param-${name.toLowerCase()}`, path, numeric });
    }
    if (path.length >= limits.schemaLevels) return;
    for (const [key, child] of Object.entries(asObject(schema.properties) ?? {})) {
      looked += 1;
      if (looked > limits.schemaProperties) return;
      visit(child, [...path, key]);
    }
  };
  visit(inputSchema, []);
  return found;
}

/** What stands at a path of the arguments. Pure. */
export function argumentAt(args: unknown, path: readonly string[]): unknown {
  let value = args;
  for (const key of path) {
    const object = asObject(value);
    if (object === null || !Object.hasOwn(object, key)) return undefined;
    value = object[key];
  }
  return value;
}

/** How a header writes an argument: null when it may not be there, undefined when there is no writing it. Pure. */
export function headerTextOf(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number" || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    return undefined;
  return String(value);
}
