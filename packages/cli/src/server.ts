import { readFileSync } from "node:fs";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Connection } from "./connection.ts";
import { limits } from "./limits.ts";
import { explain, explainAnswer, Problem, parse } from "./problem.ts";

/** The version of this command line, from its package file. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;

/** Runs `use` with a connected client. Throws Problem when the server can't be reached or refuses. */
export async function withClient<T>(connection: Connection, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(
    { name: "ambit-cli", version: VERSION },
    { versionNegotiation: { mode: "auto" } },
  );
  try {
    const transport = new StreamableHTTPClientTransport(new URL(connection.url), {
      requestInit: { headers: { Authorization: `Bearer ${connection.key}` } },
    });
    await client.connect(transport, { timeout: limits.probeMs });
    return await use(client);
  } catch (error) {
    throw new Problem(explain(error, connection.url));
  } finally {
    await client.close().catch(() => {});
  }
}

/**
 * Throws Problem unless an MCP endpoint answers here and takes the key. A server of the era with sessions refuses the
 * question, in JSON-RPC; it is there all the same.
 */
export async function requireServer({ url, key }: Connection): Promise<void> {
  const protocolVersion = "2026-07-28";
  const meta = {
    "io.modelcontextprotocol/protocolVersion": protocolVersion,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "ambit-cli", version: VERSION },
  };
  const response = await request(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": protocolVersion,
      "mcp-method": "server/discover",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "server/discover", params: { _meta: meta } }),
  });
  if (response.ok) return void (await response.body?.cancel());
  const text = await response.text();
  const { jsonrpc } = (parse(text) ?? {}) as { jsonrpc?: unknown };
  const isRefused = response.status === 401 || response.status === 403;
  if (isRefused || jsonrpc !== "2.0") throw new Problem(explainAnswer(response.status, text));
}

/** What GET /health/ready of the server behind an MCP endpoint says. Throws Problem when nothing answers. */
export async function readiness(url: string): Promise<{ ready: boolean; body: unknown }> {
  const response = await request(new URL("/health/ready", url).href, {});
  const text = await response.text();
  try {
    return { ready: response.ok, body: JSON.parse(text) };
  } catch {
    throw new Problem(explainAnswer(response.status, text));
  }
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: "error", signal: AbortSignal.timeout(limits.probeMs) });
  } catch (error) {
    throw new Problem(explain(error, url));
  }
}
