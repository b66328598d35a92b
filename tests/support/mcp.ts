import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** The official MCP client, connected with a key. */
export async function connectMcp(
  mcpUrl: string,
  key: string,
  mode: "legacy" | "auto" = "auto",
): Promise<Client> {
  const client = new Client({ name: "suite", version: "1.0.0" }, { versionNegotiation: { mode } } as never);
  const transport = new StreamableHTTPClientTransport(new URL(mcpUrl), {
    requestInit: { headers: { authorization: `Bearer ${key}` } },
  });
  await client.connect(transport);
  return client;
}

/** Calls a tool; returns its structured content, or throws the error body when the tool says it failed. */
export async function callTool<T = any>(
  client: Client,
  name: string,
  args: Record<string, unknown>,
): Promise<T> {
  const result: any = await client.callTool({ name, arguments: args });
  if (result.isError) throw Object.assign(new Error(result.content[0].text), { result });
  return result.structuredContent;
}
