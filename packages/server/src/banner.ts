import type { Ambit } from "./ambit.ts";

/** What a start prints: where to reach it, how to connect an agent, and on first boot both keys, once. */
export function banner(ambit: Ambit, elapsedMs: number): string {
  const { agent_key, api_key } = ambit.credentials;
  const lines = [
    "",
    `Ambit is ready (${Math.round(elapsedMs)} ms)`,
    "",
    `  API   ${ambit.apiUrl}`,
    `  MCP   ${ambit.mcpUrl}`,
    "",
  ];
  if (ambit.firstBoot) {
    lines.push(
      "First start: two keys were made. They are shown here once and kept in credentials.json in the data directory.",
      `  person  ${api_key}`,
      `  agent   ${agent_key}`,
      "",
    );
  }
  lines.push("Client configuration for an MCP client:", "", clientConfiguration(ambit.mcpUrl, agent_key), "");
  return `${lines.join("\n")}\n`;
}

/** Ready to paste into the configuration of an MCP client that speaks HTTP. */
export function clientConfiguration(mcpUrl: string, agentKey: string | null): string {
  const server = {
    type: "http",
    url: mcpUrl,
    headers: { Authorization: `Bearer ${agentKey ?? "<your agent key>"}` },
  };
  return JSON.stringify({ mcpServers: { ambit: server } }, null, 2).replace(/^/gm, "  ");
}
