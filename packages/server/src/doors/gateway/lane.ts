import { newUuid } from "../../kernel/ids.ts";
import { addressOf } from "../http/client-address.ts";
import { createInFlight } from "../http/in-flight.ts";
import type { HttpLane } from "../http/lanes.ts";
import { HeldBytes } from "./body.ts";
import type { DoorContext } from "./context.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { ClientIds } from "./ids.ts";
import { limits } from "./limits.ts";
import { answersPage } from "./origin.ts";
import { servePost } from "./post.ts";
import { RepeatedArguments } from "./repeated-arguments.ts";
import { notAllowed, serveDelete, serveGet } from "./session.ts";
import { Streams } from "./streams.ts";
import type { GatewayDoorDeps } from "./types.ts";
import { Watch } from "./under-way.ts";
import { isGatewayUrl, readGatewayUrl } from "./url.ts";
import { sendAmbitError, type Visit } from "./visit.ts";

/** The proxy URLs of registered servers. */
export interface GatewayLane {
  readonly http: HttpLane;
  /** Takes nothing new, ends streams at once, and everything else within `limits.closeMs`. */
  close(): Promise<void>;
}

/**
 * Serves `/mcp/<server-uuid>/` and `/mcp/ambit/`: one JSON-RPC message to a POST in both eras of the protocol, and the
 * streams and ends of sessions with GET and DELETE. Nothing is passed on that has not been judged, and no answer leaves
 * before the decision is recorded.
 */
export function createGatewayLane(deps: GatewayDoorDeps): GatewayLane {
  const context: DoorContext = {
    ...deps,
    ids: new ClientIds(deps.secrets),
    watch: new Watch(deps.gateway, deps.clock, deps.log),
    held: new HeldBytes(deps.metrics),
    requests: createInFlight(limits.requestsPerGrant),
    streams: new Streams(deps.metrics),
    repeated: new RepeatedArguments(deps),
  };
  const newRequestId = deps.newRequestId ?? newUuid;
  let closing = false;
  return {
    http: {
      matches: isGatewayUrl,
      handle(request, response, url) {
        const requestId = newRequestId();
        const ip = addressOf(request, deps.trustedProxies);
        const visit: Visit = { request, response, requestId, target: { serverRef: "", verbs: false }, ip };
        serve(context, visit, url, closing).catch((error) => sendAmbitError(visit, error, context));
      },
    },
    async close() {
      closing = true;
      await context.watch.close();
    },
  };
}

async function serve(context: DoorContext, plain: Visit, url: string, closing: boolean): Promise<void> {
  if (closing) throw gatewayDoorErrors.GATEWAY_CLOSING({ headers: { connection: "close" } });
  const { request } = plain;
  const { origin } = request.headers;
  if (origin !== undefined && answersPage(context, plain, origin)) return;
  const visit: Visit = { ...plain, target: readGatewayUrl(url) };
  switch (request.method) {
    case "POST":
      return servePost(context, visit);
    case "GET":
      return serveGet(context, visit);
    case "DELETE":
      return serveDelete(context, visit);
    default:
      throw notAllowed();
  }
}
