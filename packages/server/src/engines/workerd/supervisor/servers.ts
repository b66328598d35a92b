import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Log } from "../../../kernel/log.ts";
import { type ProcessTokens, SOCKETS } from "../config/index.ts";
import { createEgressProxy } from "../egress/index.ts";
import { UNIT_HEADER } from "../headers.ts";
import { limits } from "../limits.ts";
import { listenIn } from "../process/index.ts";
import { readTailBatch } from "../tail/index.ts";
import type { EnginePorts, ProgramKey } from "../types.ts";

export interface ServersOptions {
  readonly key: ProgramKey;
  readonly socketsDir: string;
  readonly tokens: ProcessTokens;
  readonly ports: EnginePorts;
  readonly allowPrivateFetch: readonly string[];
  readonly log: Log;
}

/** What listens for one process: callbacks, logs, and its only way to the network. */
export interface ProcessServers {
  close(): void;
}

export async function openServers(options: ServersOptions): Promise<ProcessServers> {
  const { key, ports } = options;
  const proxy = createEgressProxy({
    rules: () => ports.egress(key),
    allowPrivate: options.allowPrivateFetch,
    onUse: (use) => ports.onEgress(key, use),
  });
  const egress = patient();
  proxy.handle(egress);
  const servers = [
    { name: SOCKETS.ambit, server: patient(callbacks(options)) },
    { name: SOCKETS.tail, server: patient(tails(options)) },
    { name: SOCKETS.egress, server: egress },
  ];
  const close = () => {
    for (const { server } of servers) {
      server.close();
      server.closeAllConnections();
    }
    proxy.close();
  };
  try {
    await Promise.all(servers.map(({ name, server }) => listen(server, options, name)));
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}

/** The other end keeps connections for as long as it likes: closing an idle one could meet a request on its way. */
function patient(listener?: RequestListener): Server {
  const server = createServer(
    { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, connectionsCheckingInterval: 2 ** 30 },
    listener,
  );
  server.on("clientError", (_error, socket) => socket.destroy());
  return server;
}

function listen(server: Server, options: ServersOptions, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(listenIn(options, name), () => {
      server.off("error", reject);
      server.on("error", (error) =>
        options.log.warn({ err: error, program: options.key, name }, "runtime socket"),
      );
      resolve();
    });
  });
}

/** Finds out which class vouches for itself, and keeps its token from whoever answers. */
function callbacks({ key, ports, tokens, log }: ServersOptions): RequestListener {
  const unitOf = new Map(Object.entries(tokens.units).map(([unit, token]) => [token, unit]));
  return (request, response) => {
    const token = request.headers[UNIT_HEADER];
    const unit = typeof token === "string" ? (unitOf.get(token) ?? null) : null;
    withoutHeader(request, UNIT_HEADER);
    try {
      ports.callback(key, unit, request, response);
    } catch (error) {
      log.error({ err: error, program: key }, "callback failed");
      response.destroy();
    }
  };
}

function withoutHeader(request: IncomingMessage, name: string): void {
  delete request.headers[name];
  const raw = request.rawHeaders;
  for (let at = raw.length - 2; at >= 0; at -= 2) {
    if (raw[at]!.toLowerCase() === name) raw.splice(at, 2);
  }
}

/** Takes batches as they come, a few at a time: user code can make its process send as many as it likes. */
function tails(options: ServersOptions): RequestListener {
  let reading = 0;
  let complainedMs = Number.NEGATIVE_INFINITY;
  // User code can send as much nonsense as it likes; the operator's log is not its to fill.
  const complain = (error: unknown) => {
    if (performance.now() - complainedMs < limits.tailComplaintMs) return;
    complainedMs = performance.now();
    options.log.warn({ err: error, program: options.key }, "logs of user code were lost");
  };
  return (request, response) => {
    if (reading >= limits.tailBatches) {
      response.writeHead(429, { connection: "close" }).end();
      return;
    }
    reading += 1;
    void takeTail(options, request, response, complain).finally(() => {
      reading -= 1;
    });
  };
}

async function takeTail(
  { key, ports }: ServersOptions,
  request: IncomingMessage,
  response: ServerResponse,
  complain: (error: unknown) => void,
): Promise<void> {
  try {
    const body = await readBody(request, limits.tailBytes);
    ports.onTail(key, readTailBatch(body));
    response.writeHead(204).end();
  } catch (error) {
    complain(error);
    response.writeHead(400, { connection: "close" }).end();
  }
}

async function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error("The body is too large.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
