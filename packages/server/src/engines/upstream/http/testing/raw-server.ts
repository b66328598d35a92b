import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A request as it came over the wire. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The how-manieth of its server, from 0. */
  readonly index: number;
}

/** An HTTP server that writes what it is told to, byte by byte, and checks nothing. */
export interface RawServer {
  readonly port: number;
  readonly requests: RawRequest[];
  /** How many connections came in. */
  connections(): number;
  /** What is done with each request; replaceable at any time. */
  onRequest: (socket: Socket, request: RawRequest) => unknown;
  stop(): Promise<void>;
}

export async function startRawServer(
  onRequest: RawServer["onRequest"],
  where: { readonly host?: string; readonly port?: number } = {},
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const listening = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let pending: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      for (let read = cut(pending); read !== null; read = cut(pending)) {
        pending = read.rest;
        const request = { ...read.request, index: server.requests.length };
        server.requests.push(request);
        void server.onRequest(socket, request);
      }
    });
  }).listen(where.port ?? 0, where.host ?? "127.0.0.1");
  await once(listening, "listening");
  const server: RawServer = {
    port: (listening.address() as AddressInfo).port,
    requests: [],
    connections: () => connections,
    onRequest,
    async stop() {
      for (const socket of sockets) socket.destroy();
      listening.close();
      await once(listening, "close");
    },
  };
  return server;
}

function cut(bytes: Buffer): { request: Omit<RawRequest, "index">; rest: Buffer } | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return null;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const from = end + 4;
  const to = from + Number(headers["content-length"] ?? 0);
  if (bytes.length < to) return null;
  const [method = "", path = ""] = first.split(" ");
  return {
    request: { method, path, headers, body: bytes.toString("utf8", from, to) },
    rest: bytes.subarray(to),
  };
}

/** A whole answer with a length. */
export function reply(status: number, type: string, body: string | Buffer, more = ""): Buffer {
  const bytes = Buffer.from(body);
  const typeLine = type === "" ? "" : `content-type: ${type}\r\n`;
  const head = `HTTP/1.1 ${status} Any\r\n${typeLine}content-length: ${bytes.length}\r\n${more}\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** The head of an event stream that ends with its connection. */
export const STREAM_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

export const event = (data: unknown, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

export const result = (id: unknown, value: unknown = {}) => ({ jsonrpc: "2.0", id, result: value });
