import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { BridgeUpstream } from "./bridge-upstream.ts";
import type { Connection } from "./connection.ts";
import { limits } from "./limits.ts";
import { explain } from "./problem.ts";

/**
 * Carries MCP messages between standard input and output and an HTTP endpoint, unchanged and in either protocol era, until
 * standard input ends or `stop` is aborted. Where the server keeps sessions, it has one: with the server's own stream, its
 * requests to the client, and an end; a session that is lost is begun anew. What the server can't be asked is answered
 * with a JSON-RPC error; `report` is told one line of it.
 */
export async function bridge(
  connection: Connection,
  report: (line: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const stdio = new StdioServerTransport(process.stdin, process.stdout, {
    maxBufferSize: limits.bridgeMessageBytes,
  });
  const say = (error: unknown) => report(explain(error, connection.url));
  let over = false;
  const toClient = (message: JSONRPCMessage) => {
    if (!over) stdio.send(message).catch(say);
  };
  const upstream = new BridgeUpstream(connection, toClient, report);
  const closed = new Promise<void>((resolve) => {
    stdio.onclose = resolve;
  });
  stdio.onerror = say;
  stdio.onmessage = (message) => upstream.take(message);
  stop.addEventListener("abort", () => void stdio.close(), { once: true });
  await upstream.start();
  await stdio.start();
  if (stop.aborted) await stdio.close();
  await closed;
  over = true;
  await upstream.close();
}
