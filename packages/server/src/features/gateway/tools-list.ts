import type { ToolDefinition } from "@ambit/policy";
import type { GatewayContext } from "./context.ts";
import type { Admission } from "./types.ts";

const NONE: ReadonlySet<string> = new Set();

/** See `GatewayService.filterTools`. What has no name is no tool anyone could allow. */
export async function filterTools<T extends { readonly tools: readonly unknown[] }>(
  { servers }: GatewayContext,
  { server, policy }: Admission,
  result: T,
): Promise<T> {
  if (policy === null) return { ...result, tools: [] };
  const tools = result.tools.filter(isTool);
  const changed = server.transport === "builtin" ? NONE : await servers.observe(server, tools);
  const { compiled } = policy;
  return { ...result, tools: tools.filter(({ name }) => compiled.lists(name) && !changed.has(name)) };
}

const isTool = (tool: unknown): tool is ToolDefinition =>
  typeof tool === "object" && tool !== null && typeof (tool as { name?: unknown }).name === "string";
