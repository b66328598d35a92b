import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const STATELESS = "2026-07-28";
const SESSIONS = "2025-11-25";

/** A message as it came to the server, in the order in which they came. */
export interface Arrival {
  readonly headers: IncomingHttpHeaders;
  /** The body, byte for byte. */
  readonly text: string;
  readonly message: any;
  readonly method: string | undefined;
  /** Of a tools/call. */
  readonly tool: string | undefined;
  readonly args: any;
  readonly atMs: number;
}

/** Answers one call of a tool, in whatever way. */
export type Answering = (arrival: Arrival, response: ServerResponse) => unknown;

/** An MCP server over HTTP that speaks both eras, counts what comes, and answers calls as a suite says. */
export interface Upstream {
  readonly url: string;
  readonly port: number;
  /** What tools/list lists. */
  tools: readonly object[];
  readonly arrivals: readonly Arrival[];
  /** The calls of tools that came; of one tool when it is named. */
  calls(tool?: string): Arrival[];
  /** How calls of a tool are answered; without, with a text that tells the arguments. */
  on(tool: string, answer: Answering): void;
  /** How anything but calls is answered; false leaves it to the server. */
  onOther: (arrival: Arrival, response: ServerResponse) => boolean;
  /** Streams that clients listen on (GET) at this moment. */
  readonly listening: ReadonlySet<ServerResponse>;
  close(): Promise<void>;
}

export const toolNamed = (name: string, properties: object = {}): object => ({
  name,
  description: `Does ${name}.`,
  inputSchema: { type: "object", properties },
});

/** The text of a result, as the era of the request wants it. */
export function resultOf({ message }: Arrival, result: object): string {
  const complete = isStateless(message) ? { resultType: "complete" } : {};
  return JSON.stringify({ jsonrpc: "2.0", id: message.id, result: { ...complete, ...result } });
}

const isStateless = (message: any): boolean =>
  message.params?._meta?.["io.modelcontextprotocol/protocolVersion"] === STATELESS;

export const textResult = (text: string) => ({ content: [{ type: "text", text }] });

/** One JSON body. */
export function sendJson(response: ServerResponse, text: string, status = 200, more: object = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...more }).end(text);
}

/** Ways in which a call can fail, or be answered late. */
export const answers = {
  status:
    (status: number): Answering =>
    (_arrival, response) =>
      response.writeHead(status, { "content-type": "text/plain" }).end("no"),
  rpcError:
    (code: number): Answering =>
    ({ message }, response) =>
      sendJson(response, JSON.stringify({ jsonrpc: "2.0", id: message.id, error: { code, message: "No." } })),
  toolError: (arrival, response) =>
    sendJson(response, resultOf(arrival, { ...textResult("went wrong"), isError: true })),
  /** The request was read, and then the connection ends. */
  cut: (_arrival, response) => response.destroy(),
  /** Nothing comes, ever. */
  silence: () => {},
} satisfies Record<string, Answering | ((code: number) => Answering)>;

/** Starts one on loopback; `port` 0 lets the system choose. */
export async function startUpstream(
  tools: readonly object[] = [toolNamed("echo")],
  port = 0,
): Promise<Upstream> {
  const arrivals: Arrival[] = [];
  const answering = new Map<string, Answering>();
  const listening = new Set<ServerResponse>();
  let sessions = 0;
  const http = createServer(async (request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
      listening.add(response);
      response.on("close", () => listening.delete(response));
      return;
    }
    if (request.method === "DELETE") return response.writeHead(200).end();
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch {
      return;
    }
    const text = Buffer.concat(pieces).toString("utf8");
    const message = JSON.parse(text);
    const { method, params } = message;
    const isCall = method === "tools/call";
    const arrival: Arrival = {
      ...{ headers: request.headers, text, message, method, atMs: Date.now() },
      ...{ tool: isCall ? params.name : undefined, args: isCall ? (params.arguments ?? {}) : undefined },
    };
    arrivals.push(arrival);
    if (isCall) {
      const answer = answering.get(params.name) ?? echo;
      return void answer(arrival, response);
    }
    if (!upstream.onOther(arrival, response)) other(arrival, response);
  });
  const echo: Answering = (arrival, response) =>
    sendJson(response, resultOf(arrival, textResult(JSON.stringify(arrival.args))));
  const other = (arrival: Arrival, response: ServerResponse) => {
    const { message, method } = arrival;
    const capabilities = { tools: {} };
    const serverInfo = { name: "counting", version: "1" };
    const cache = isStateless(message) ? { ttlMs: 0, cacheScope: "private" } : {};
    const reply = (result: object, more: object = {}) =>
      sendJson(response, resultOf(arrival, { ...cache, ...result }), 200, more);
    if (message.id === undefined || method === undefined) response.writeHead(202).end();
    else if (method === "initialize") {
      const session = `session-${++sessions}`;
      const result = { protocolVersion: SESSIONS, capabilities, serverInfo };
      reply(result, { "mcp-session-id": session });
    } else if (method === "server/discover") {
      reply({ supportedVersions: [STATELESS, SESSIONS], capabilities, serverInfo });
    } else if (method === "tools/list") reply({ tools: upstream.tools });
    else if (method === "ping") reply({});
    else answers.rpcError(-32_601)(arrival, response);
  };
  http.keepAliveTimeout = 60_000;
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  const address = http.address() as AddressInfo;
  const upstream: Upstream = {
    ...{ url: `http://127.0.0.1:${address.port}/mcp`, port: address.port, tools, arrivals, listening },
    calls: (tool) =>
      arrivals.filter(({ method, tool: named }) => method === "tools/call" && (tool ?? named) === named),
    on: (tool, answer) => void answering.set(tool, answer),
    onOther: () => false,
    async close() {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
  return upstream;
}
