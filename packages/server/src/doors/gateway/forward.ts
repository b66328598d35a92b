import type { Message, UpstreamFailure } from "../../engines/upstream/types.ts";
import type { Admission, AskedFor, Verdict } from "../../features/gateway/service.ts";
import type { DoorContext } from "./context.ts";
import { Exchange } from "./exchange.ts";
import { forwardedHeaders } from "./headers.ts";
import { limits } from "./limits.ts";
import type { Incoming } from "./message.ts";
import { withoutOwnState } from "./tool-call.ts";
import type { Visit } from "./visit.ts";

/** Passes a judged message on, and its answer down. Resolves when both sides have ended. */
export function forward(
  context: DoorContext,
  visit: Visit,
  admission: Admission,
  incoming: Incoming,
  { method, sessionId }: AskedFor,
  { recorded, call }: Extract<Verdict, { kind: "forward" }>,
): Promise<void> {
  return new Promise((resolve) => {
    const id = incoming.kind === "request" ? incoming.id : null;
    const { era } = incoming;
    const what = { visit, admission, era, id, method, sessionId, recorded, call };
    const exchange = new Exchange(context, what, () => {
      context.watch.remove(exchange);
      resolve();
    });
    context.watch.add(exchange);
    send(context, visit, admission, incoming, sessionId, exchange);
  });
}

function send(
  context: DoorContext,
  visit: Visit,
  admission: Admission,
  incoming: Incoming,
  sessionId: string | null,
  exchange: Exchange,
): void {
  const { era } = incoming;
  const { request, response } = visit;
  const { signal } = exchange;
  const message = asForwarded(incoming);
  const failed = (error: unknown, failure: UpstreamFailure) => {
    context.log.warn({ err: error, requestId: visit.requestId }, "a message could not be passed on");
    exchange.onFailure(failure);
  };
  if (response.destroyed) exchange.onFailure(NOT_SENT);
  else if (admission.server.transport === "builtin") {
    try {
      const verbs = admission.server.face === "verbs";
      const judged = builtinRequest(visit, incoming, message, signal, verbs);
      context.builtin.send(admission.grant, judged, exchange);
    } catch (error) {
      failed(error, LOST);
    }
  } else {
    context.servers
      .upstream(admission.server)
      .then(
        (upstream) => {
          if (signal.aborted) return exchange.onFailure(NOT_SENT);
          const headers = forwardedHeaders(request.headers, era);
          upstream.send({ message, era, sessionId, headers, signal }, exchange);
        },
        (error) => failed(error, NOT_SENT),
      )
      .catch((error) => failed(error, LOST));
  }
}

const NOT_SENT: UpstreamFailure = { kind: "connect", status: null, ran: "no", message: "" };
const LOST: UpstreamFailure = { kind: "broken", status: null, ran: "maybe", message: "" };

/** The message that was judged, without what is for the gateway alone. */
function asForwarded(incoming: Incoming): Message {
  const own = incoming.kind === "request" && incoming.call !== null && incoming.call.ownState !== null;
  return own ? withoutOwnState(incoming.message) : incoming.message;
}

function builtinRequest(
  { request, requestId, ip }: Visit,
  incoming: Incoming,
  message: Message,
  signal: AbortSignal,
  verbs: boolean,
) {
  const headers = forwardedHeaders(request.headers, incoming.era);
  for (const name of ["mcp-method", "mcp-name"]) {
    const value = request.headers[name];
    if (incoming.era === "stateless" && typeof value === "string") headers[name] = value;
  }
  headers["content-type"] = "application/json";
  headers.accept = "application/json, text/event-stream";
  const userAgent = (request.headers["user-agent"] ?? "").slice(0, limits.userAgentChars);
  return { message, headers, userAgent, ip, requestId, signal, verbs };
}
