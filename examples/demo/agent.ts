import { type CallToolResult, Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

export type Print = (line: string) => void;

/** An agent that speaks MCP with a key, or a grant. */
export async function connectAgent(url: string, token: string): Promise<Client> {
  const client = new Client({ name: "demo-agent", version: "1.0.0" });
  const headers = { Authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return client;
}

/** Does something and shows who did what, and how long it took. */
export async function timed<T>(print: Print, who: string, shown: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const done = await work();
  const tookMs = String(Math.round(performance.now() - startedAt));
  print(`   ${who.padEnd(22)} ${shown.padEnd(62)} ${tookMs.padStart(4)} ms`);
  return done;
}

/** Calls a tool and shows the call; whatever it answers. */
export const attempt = (
  agent: Client,
  print: Print,
  name: string,
  args: Record<string, unknown>,
  shown: string,
): Promise<CallToolResult> => timed(print, name, shown, () => agent.callTool({ name, arguments: args }));

/** Calls a tool and shows the call; the structured answer, or an error with the tool's own words. */
export async function call(
  agent: Client,
  print: Print,
  name: string,
  args: Record<string, unknown>,
  shown: string,
): Promise<Record<string, unknown>> {
  const result = await attempt(agent, print, name, args, shown);
  if (result.isError) throw new Error(`${name} failed: ${JSON.stringify(result.content)}`);
  return result.structuredContent as Record<string, unknown>;
}
