import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { LookupFunction, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Agent } from "undici";
import type { EgressRules, EgressUse } from "../types.ts";
import { RefusedError, type Resolve, systemResolve } from "./checked-lookup.ts";
import { createDial } from "./dial.ts";
import { forwardRequest } from "./forward-request.ts";
import { EGRESS_HEADER } from "./headers.ts";
import { endSoon, join, renderHead } from "./join.ts";
import { limits } from "./limits.ts";
import { createMeter } from "./meter.ts";
import { type Destination, readAbsolute, readAuthority, refusalOf } from "./rules.ts";
import { forwardUpgrade } from "./upgrade.ts";

export interface EgressOptions {
  /** Asked for every request. */
  rules(): EgressRules;
  /** `host:port` pairs that may be private. */
  readonly allowPrivate: readonly string[];
  /** At most once a second, only when there is something to say. */
  onUse(use: EgressUse): void;
  /** All addresses of a name; the name servers of the system by default. */
  readonly resolve?: Resolve;
  /** For the pairs of `allowPrivate`; the system's lookup by default. */
  readonly resolveAllowed?: LookupFunction;
}

export interface EgressProxy {
  /** Serves forward-proxy requests that arrive at `server`: absolute form, upgrades and CONNECT. */
  handle(server: Server): void;
  /** Cuts what is under way and reports the last use. */
  close(): void;
}

/** Why there is no answer of the other server: what user code is told instead. */
interface Refusal {
  readonly status: 400 | 403 | 429 | 502 | 504;
  readonly kind: "refused" | "limited" | "failed";
  readonly text: string;
}

/**
 * The only way from user code to the network. It speaks TLS itself, calls public addresses only, follows no redirect
 * (user code does, and comes through here again), and counts.
 */
export function createEgressProxy(options: EgressOptions): EgressProxy {
  const allowPrivate = new Set(options.allowPrivate.map((entry) => entry.toLowerCase()));
  const dial = createDial(allowPrivate, options.resolve ?? systemResolve(), options.resolveAllowed);
  const agent = new Agent({
    connect: dial.connector,
    allowH2: false,
    pipelining: 1,
    connections: limits.connectionsPerOrigin,
    keepAliveTimeout: limits.idleMs,
    headersTimeout: limits.headMs,
    bodyTimeout: limits.silenceMs,
    maxHeaderSize: limits.headBytes,
  });
  const meter = createMeter(options.onUse);
  const tunnels = new Set<Duplex>();
  let requests = 0;

  const judge = (destination: Destination | null, busy: boolean): Refusal | null => {
    meter.request();
    const refusal = judgeDestination(destination, options.rules(), allowPrivate, busy);
    if (refusal?.kind === "refused") meter.refused();
    return refusal;
  };
  const asRefusal = (error: unknown, destination: Destination): Refusal => {
    const refusal = describe(error, destination);
    if (refusal.kind === "refused") meter.refused();
    return refusal;
  };

  const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
    const destination = readAbsolute(request.url ?? "");
    const refusal = judge(destination, requests >= limits.requests);
    if (refusal !== null || destination === null) return answer(request, response, refusal ?? NOT_A_URL);
    requests += 1;
    try {
      await forwardRequest(agent, destination, request, response);
    } catch (error) {
      answer(request, response, asRefusal(error, destination));
    } finally {
      requests -= 1;
    }
  };

  const onTunnel = async (
    client: Duplex,
    destination: Destination | null,
    connected: (server: Socket, destination: Destination) => void,
  ) => {
    client.on("error", () => client.destroy());
    const refusal = judge(destination, tunnels.size >= limits.tunnels);
    if (refusal !== null || destination === null) return endWith(client, refusal ?? NOT_A_URL);
    tunnels.add(client);
    client.once("close", () => tunnels.delete(client));
    try {
      const server = await dial.open(destination);
      if (client.destroyed) server.destroy();
      else connected(server, destination);
    } catch (error) {
      endWith(client, asRefusal(error, destination));
    }
  };

  return {
    handle(server) {
      // A request in absolute form names its host there; workerd sends no `Host` beside it.
      Object.assign(server, { requireHostHeader: false });
      server.on("connection", (socket) => meter.track(socket));
      server.on("request", (request, response) => void onRequest(request, response));
      server.on("upgrade", (request, client, head) => {
        void onTunnel(client, readAbsolute(request.url ?? ""), (other, destination) =>
          forwardUpgrade(destination, request, client, head, other),
        );
      });
      server.on("connect", (request, client, head) => {
        void onTunnel(client, readAuthority(request.url ?? ""), (other) => {
          client.write(renderHead(200, []));
          if (head.length > 0) other.write(head);
          join(client, other);
        });
      });
    },
    close() {
      for (const client of tunnels) client.destroy();
      void agent.destroy();
      meter.close();
    },
  };
}

const NOT_A_URL: Refusal = {
  status: 400,
  kind: "refused",
  text: "Only http and https URLs without credentials, and host:port for sockets, can be reached.",
};

function judgeDestination(
  destination: Destination | null,
  rules: EgressRules,
  allowPrivate: ReadonlySet<string>,
  busy: boolean,
): Refusal | null {
  if (destination === null) return NOT_A_URL;
  const text = refusalOf(destination, rules, allowPrivate);
  if (text !== null) return { status: 403, kind: "refused", text };
  return busy
    ? { status: 429, kind: "limited", text: "The app has too many connections to the network open." }
    : null;
}

/** Names the host and no more: details of our network are not for user code. */
function describe(error: unknown, { host }: Destination): Refusal {
  if (error instanceof RefusedError) return { status: 403, kind: "refused", text: error.message };
  const code = String((error as { code?: unknown }).code);
  const late = code.startsWith("UND_ERR_") && code.endsWith("_TIMEOUT");
  return late
    ? { status: 504, kind: "failed", text: `${host} did not answer in time.` }
    : { status: 502, kind: "failed", text: `${host} could not be reached.` };
}

function answer(request: IncomingMessage, response: ServerResponse, { status, kind, text }: Refusal): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  // The rest of a body nobody reads would be taken for the next request.
  if (!request.complete) response.setHeader("connection", "close");
  response
    .writeHead(status, { "content-type": "text/plain; charset=utf-8", [EGRESS_HEADER]: kind })
    .end(`${text}\n`);
}

function endWith(client: Duplex, { status, kind, text }: Refusal): void {
  const body = `${text}\n`;
  const fields = ["content-type", "text/plain; charset=utf-8", EGRESS_HEADER, kind];
  fields.push("content-length", String(Buffer.byteLength(body)), "connection", "close");
  client.resume();
  client.write(renderHead(status, fields) + body);
  endSoon(client);
}
