import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** The protocol's two eras, as the official client names them. */
export const ERAS = ["legacy", "2026-07-28"] as const;
export type Era = (typeof ERAS)[number];

/** The official client, speaking one era and no other. */
export async function connectEra(mcpUrl: string, key: string, era: Era): Promise<Client> {
  const mode = era === "legacy" ? era : { pin: era };
  const client = new Client({ name: "suite", version: "1.0.0" }, { versionNegotiation: { mode } } as never);
  const transport = new StreamableHTTPClientTransport(new URL(mcpUrl), {
    requestInit: { headers: { authorization: `Bearer ${key}` } },
  });
  await client.connect(transport);
  // The client holds answers to the output schemas it has seen.
  await client.listTools();
  return client;
}

/** What a tool answered: its text, its structured content, and the error body when it failed. */
export interface ToolAnswer {
  readonly text: string;
  readonly structured: any;
  readonly error: { code: string; message: string; remediation: string; details?: any } | null;
}

/** Calls a tool and checks the shape every answer has. */
export async function ask(client: Client, name: string, args: Record<string, unknown>): Promise<ToolAnswer> {
  const result: any = await client.callTool({ name, arguments: args });
  if (result.content.length !== 1 || result.content[0].type !== "text") {
    throw new Error(`${name} did not answer with one text block: ${JSON.stringify(result).slice(0, 500)}`);
  }
  const { text } = result.content[0];
  const error = result.isError ? JSON.parse(text).error : null;
  return { text, structured: result.structuredContent, error };
}

/** Like `ask`, but throws when the tool says it failed; resolves to the structured content. */
export async function run(client: Client, name: string, args: Record<string, unknown>): Promise<any> {
  const answer = await ask(client, name, args);
  if (answer.error !== null) throw new Error(`${name}: ${answer.text}`);
  return answer.structured;
}
