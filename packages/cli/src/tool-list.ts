import type { ToolDefinition } from "@ambit/policy";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { limits } from "./limits.ts";
import { visible } from "./output.ts";
import { Problem } from "./problem.ts";
import { VERSION } from "./server.ts";

/**
 * The tools of an MCP server that is started for this alone, and ended again. It gets `env` and what every program needs
 * (PATH, HOME, …), nothing else of this environment. Throws Problem, with the last it said on standard error.
 */
export async function toolsOf(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ToolDefinition[]> {
  const transport = new StdioClientTransport({ command, args: [...args], env: { ...env }, stderr: "pipe" });
  let said = "";
  transport.stderr?.on("data", (chunk) => {
    said = `${said}${chunk}`.slice(-limits.saidChars);
  });
  const client = new Client(
    { name: "ambit-cli", version: VERSION },
    { versionNegotiation: { mode: "auto" }, listMaxPages: limits.toolPages },
  );
  const timeout = { timeout: limits.toolsMs };
  try {
    await client.connect(transport, timeout);
    return (await client.listTools(undefined, timeout)).tools as unknown as ToolDefinition[];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const last = said.trim().split("\n").at(-1);
    throw new Problem(
      visible(
        `${command} did not tell its tools: ${why}.${last ? ` It said: ${last}` : ""}`,
        limits.shownChars,
      ),
    );
  } finally {
    await client.close().catch(() => {});
  }
}
