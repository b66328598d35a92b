import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  type JSONRPCMessage,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import type { Connection } from "./connection.ts";
import { explain, parse, textOf } from "./problem.ts";

/** JSON-RPC's first code for errors of a server's own. */
const SERVER_ERROR = -32_000;

type RequestId = string | number;

/**
 * Carries MCP messages between standard input and output and the server's HTTP endpoint, unchanged and in either
 * protocol era, until standard input ends. What the server can't be asked is answered with a JSON-RPC error;
 * `report` is told one line of it.
 */
export async function bridge(connection: Connection, report: (line: string) => void): Promise<void> {
  const stdio = new StdioServerTransport();
  const http = new StreamableHTTPClientTransport(new URL(connection.url), {
    requestInit: { headers: { Authorization: `Bearer ${connection.key}` } },
  });
  const underWay = new Map<RequestId, AbortController>();
  const answer = (message: JSONRPCMessage) => {
    if ("id" in message && message.id !== undefined && !("method" in message)) underWay.delete(message.id);
    stdio.send(message).catch((error) => report(explain(error, connection.url)));
  };
  const fail = (id: RequestId, line: string) => {
    if (underWay.has(id)) answer({ jsonrpc: "2.0", id, error: { code: SERVER_ERROR, message: line } });
  };
  const giveUp = (id: RequestId) => {
    underWay.get(id)?.abort();
    underWay.delete(id);
  };
  http.onmessage = answer;

  const ask = async (message: JSONRPCMessage & { id: RequestId }) => {
    const controller = new AbortController();
    underWay.set(message.id, controller);
    try {
      await http.send(message, {
        requestSignal: controller.signal,
        onRequestStreamEnd: () => fail(message.id, "The server ended the stream without an answer."),
      });
    } catch (error) {
      const refusal = refusalIn(error);
      if (controller.signal.aborted) return;
      if (refusal !== null) answer({ ...refusal, id: message.id });
      else {
        const line = explain(error, connection.url);
        report(line);
        fail(message.id, line);
      }
    }
  };

  const closed = new Promise<void>((resolve) => {
    stdio.onclose = resolve;
  });
  stdio.onerror = (error) => report(explain(error, connection.url));
  stdio.onmessage = (message) => {
    if (isJSONRPCRequest(message)) return void ask(message);
    const cancelled = cancelledRequest(message);
    // The server keeps no sessions: a request is cancelled by ending its HTTP exchange.
    if (cancelled !== undefined) return giveUp(cancelled);
    http.send(message).catch((error) => report(explain(error, connection.url)));
  };
  await http.start();
  await stdio.start();
  await closed;
  for (const controller of underWay.values()) controller.abort();
  await http.close();
}

/** The JSON-RPC error an HTTP error carried, e.g. an unknown method's. */
function refusalIn(error: unknown) {
  if (!(error instanceof SdkHttpError)) return null;
  const body = parse(textOf(error));
  const message = typeof body === "object" && body !== null ? { ...body, id: 0 } : null;
  return isJSONRPCErrorResponse(message) ? message : null;
}

function cancelledRequest(message: JSONRPCMessage): RequestId | undefined {
  if (!isJSONRPCNotification(message) || message.method !== "notifications/cancelled") return undefined;
  return message.params?.requestId as RequestId | undefined;
}
