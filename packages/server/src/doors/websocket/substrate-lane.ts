import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type {
  StreamHolder,
  StreamViewer,
  SubstrateStreamService,
} from "../../features/substrate-stream/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { createRateLimit, type RateLimit } from "../../kernel/rate-limit.ts";
import { addressOf } from "../http/client-address.ts";
import { toAmbitError } from "../http/errors.ts";
import type { ResolvePrincipal } from "../principal.ts";
import { limits } from "./substrate-limits.ts";
import { closeReason, isStreamUrl, readStreamRequest, type StreamRequest } from "./substrate-request.ts";
import { CLOSE, SubstrateSocket } from "./substrate-socket.ts";
import { SubstrateSockets } from "./substrate-sockets.ts";
import type { UpgradeLane } from "./upgrades.ts";

export interface SubstrateLaneDeps {
  readonly stream: SubstrateStreamService;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  /** How many proxies in front may be believed about the caller's address. */
  readonly trustedProxies: number;
  /** A key was revoked on this node. */
  onKeyRevoked(listener: () => void): void;
}

/** What became of an upgrade request: a stream of somebody, or a close frame. */
type Admission =
  | { readonly holder: StreamHolder; readonly viewer: StreamViewer }
  | { readonly code: number; readonly reason: string };

/**
 * Serves `/v1/me/substrate/stream`. Browsers are told nothing of a refused upgrade: so every request is taken, and who
 * may not listen gets a close frame with the reason.
 */
export function createSubstrateLane(deps: SubstrateLaneDeps): UpgradeLane & { close(): Promise<void> } {
  const { clock, metrics } = deps;
  const sockets = new SubstrateSockets(deps);
  const badTickets = createRateLimit(
    { name: "bad_stream_tickets", points: limits.badTicketsPerMinute, windowS: 60 },
    metrics,
  );
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.messageBytes,
  });
  const onLimit = (limit: string) => metrics.limitsHit.inc({ limit });
  let closing = false;
  deps.onKeyRevoked(() => sockets.recheckSoon());

  const begin = (ws: WebSocket, raw: Duplex, admission: Admission, cursor: string | null) => {
    if ("code" in admission) return refuse(ws, admission.code, admission.reason);
    const socket = new SubstrateSocket(ws, raw, {
      ...admission,
      clock,
      onLimit,
      onClosed(closed) {
        if (sockets.remove(closed)) deps.stream.leave(closed);
      },
    });
    const limit = sockets.limitFor(socket);
    if (limit !== null) {
      onLimit(limit);
      return socket.end(CLOSE.tryAgainLater, `Too many streams are open (${limit})`);
    }
    sockets.add(socket);
    deps.stream.join(socket, cursor);
  };

  return {
    matches: isStreamUrl,
    handle(request, socket, head, url) {
      const wanted = readStreamRequest(url, request.headers);
      admit(wanted, request, deps, badTickets).then(
        (admission) => {
          if (closing) socket.destroy();
          else
            server.handleUpgrade(request, socket, head, (ws) => begin(ws, socket, admission, wanted.cursor));
        },
        () => socket.destroy(),
      );
    },
    async close() {
      closing = true;
      await sockets.close();
    },
  };
}

/** Decides over an upgrade request; never rejects. */
async function admit(
  wanted: StreamRequest,
  request: IncomingMessage,
  deps: SubstrateLaneDeps,
  badTickets: RateLimit,
): Promise<Admission> {
  try {
    const holder = await holderOf(wanted, addressOf(request, deps.trustedProxies), deps, badTickets);
    const standing = await deps.stream.standing(holder, deps.clock());
    if ("refusal" in standing) return { code: CLOSE.notAllowed, reason: standing.refusal.message };
    if (await deps.stream.ready()) return { holder, viewer: standing.viewer };
    return { code: CLOSE.tryAgainLater, reason: "Changes can't be read at the moment" };
  } catch (error) {
    const { status, message } = toAmbitError(error, deps.log, newUuid());
    return {
      code: status === 401 || status === 403 ? CLOSE.notAllowed : CLOSE.tryAgainLater,
      reason: message,
    };
  }
}

/** On whose behalf the request is made. Throws AUTH_* for nobody's. */
async function holderOf(
  { credential }: StreamRequest,
  ip: string,
  deps: SubstrateLaneDeps,
  badTickets: RateLimit,
): Promise<StreamHolder> {
  if (credential === null)
    throw errors.AUTH_REQUIRED({ message: "Connect with ?ticket=, ?token= or an Authorization header" });
  if (credential.kind === "ticket") {
    const holder = await deps.stream.redeemTicket(credential.ticket);
    if (holder !== null) return holder;
    await badTickets.consume(ip);
    throw errors.AUTH_INVALID_TOKEN({ message: "The ticket is unknown, was used, or has run out" });
  }
  const principal = await deps.resolvePrincipal(credential.value, null, ip);
  if (principal.kind === "key") return { kind: "key", keyId: principal.keyId };
  throw errors.AUTH_INVALID_TOKEN({ message: "The stream takes a key or a ticket" });
}

/** Closes a socket that never was a stream. */
function refuse(ws: WebSocket, code: number, reason: string): void {
  ws.on("error", () => {});
  ws.close(code, closeReason(reason));
  setTimeout(() => ws.terminate(), limits.closeMs).unref();
}
