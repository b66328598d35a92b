import { visible } from "./output.ts";

/** A token that was just made; it is never shown again. */
export interface Issued {
  readonly grant_id: string;
  readonly token: string;
  readonly proxy_url: string;
}

/** What an MCP client that starts its servers itself takes as its configuration. Pure. */
export function snippet(serverName: string, { token, proxy_url }: Issued) {
  const server = {
    command: "npx",
    args: ["ambit", "mcp", "--url", proxy_url],
    env: { AMBIT_API_KEY: token },
  };
  // A computed key would set the prototype for a server of that name.
  return { mcpServers: Object.fromEntries([[clientName(serverName), server]]) };
}

/** A name that every client takes: letters, digits, dashes and underscores. Pure. */
export function clientName(serverName: string): string {
  const plain = serverName
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return plain === "" ? "ambit" : plain;
}

/** What is printed of it. Pure. */
export const issuedLines = (serverName: string, issued: Issued): string[] => [
  visible(`grant:     ${issued.grant_id}`),
  visible(`token:     ${issued.token}  (shown this once)`),
  visible(`proxy URL: ${issued.proxy_url}`),
  "",
  JSON.stringify(snippet(serverName, issued), null, 2),
];
