import type { JSONRPCRequest } from "@modelcontextprotocol/client";
import { limits } from "./limits.ts";

type Params = NonNullable<JSONRPCRequest["params"]>;

/** An argument that a header repeats. */
interface Repeated {
  readonly header: string;
  readonly path: readonly string[];
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TYPES: readonly unknown[] = ["string", "integer", "number", "boolean"];

/**
 * In the era without sessions a tool may mark arguments that HTTP requests must repeat in headers (`x-mcp-header`), which
 * clients on standard input know nothing of. Knows them from the lists of tools that pass by.
 */
export class ParamHeaders {
  readonly #byTool = new Map<string, readonly Repeated[]>();

  /** Takes note of what `tools/list` answered; returns where the list goes on, if it does. */
  learn(result: unknown): string | null {
    const { tools, nextCursor } = (result ?? {}) as { tools?: unknown; nextCursor?: unknown };
    for (const tool of Array.isArray(tools) ? tools : []) {
      if (typeof tool?.name !== "string") continue;
      const repeated = repeatedIn(tool.inputSchema);
      if (repeated.length === 0) this.#byTool.delete(tool.name);
      else if (this.#byTool.size < limits.repeatingTools) this.#byTool.set(tool.name, repeated);
    }
    return typeof nextCursor === "string" ? nextCursor : null;
  }

  /** Looks through all tools: `ask` sends `tools/list`, with the `_meta` of the call that lacked headers. */
  async learnAll(ask: (params: Params) => Promise<unknown>, meta: Params["_meta"]): Promise<void> {
    let cursor: string | null = null;
    for (let page = 0; page < limits.toolPages; page++) {
      cursor = this.learn(await ask({ _meta: meta, ...(cursor === null ? {} : { cursor }) }));
      if (cursor === null) return;
    }
  }

  /** The headers a call needs; empty for most. `params` are those of `tools/call`. */
  headersFor(params: unknown): Record<string, string> {
    const { name, arguments: args } = (params ?? {}) as { name?: unknown; arguments?: unknown };
    const repeated = typeof name === "string" ? this.#byTool.get(name) : undefined;
    const headers: Record<string, string> = {};
    for (const { header, path } of repeated ?? []) {
      const value = valueAt(args, path);
      if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) continue;
      if (typeof value === "string" || typeof value === "boolean" || typeof value === "number")
        headers[header] = encoded(String(value));
    }
    return headers;
  }
}

function repeatedIn(inputSchema: unknown): Repeated[] {
  const found: Repeated[] = [];
  let properties = 0;
  const visit = (schema: unknown, path: readonly string[]): void => {
    if (!isObject(schema)) return;
    const name = schema["x-mcp-header"];
    if (path.length > 0 && typeof name === "string" && TOKEN.test(name) && TYPES.includes(schema.type)) {
      found.push({ header: `Mcp-Param-${name}`, path });
    }
    if (path.length >= limits.schemaLevels || !isObject(schema.properties)) return;
    for (const [key, child] of Object.entries(schema.properties)) {
      if (++properties > limits.schemaProperties) return;
      visit(child, [...path, key]);
    }
  };
  visit(inputSchema, []);
  return found;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined),
    value,
  );
}

/** What a header can't carry as it is, is carried as base64 between marks. */
function encoded(text: string): string {
  const plain = /^[\t\x20-\x7e]+$/.test(text) && text === text.trim();
  if (plain && !(text.startsWith("=?base64?") && text.endsWith("?="))) return text;
  return `=?base64?${Buffer.from(text, "utf8").toString("base64")}?=`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
