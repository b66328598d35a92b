import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Ambit } from "../../packages/server/src/ambit.ts";

export type Print = (line: string) => void;

/** An agent that speaks MCP with the agent key. */
export async function connectAgent(ambit: Ambit): Promise<Client> {
  const client = new Client({ name: "demo-agent", version: "1.0.0" });
  const headers = { Authorization: `Bearer ${ambit.credentials.agent_key}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(ambit.mcpUrl), { requestInit: { headers } }),
  );
  return client;
}

/** Calls a tool and shows the call; the structured answer, or an error with the tool's own words. */
export async function call(
  agent: Client,
  print: Print,
  name: string,
  args: Record<string, unknown>,
  shown: string,
): Promise<Record<string, unknown>> {
  const startedAt = performance.now();
  const result = await agent.callTool({ name, arguments: args });
  if (result.isError) throw new Error(`${name} failed: ${JSON.stringify(result.content)}`);
  const tookMs = String(Math.round(performance.now() - startedAt));
  print(`   ${name.padEnd(22)} ${shown.padEnd(62)} ${tookMs.padStart(4)} ms`);
  return result.structuredContent as Record<string, unknown>;
}
