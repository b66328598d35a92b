import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { frame } from "../../features/realtime/frames.ts";
import type { RealtimeService } from "../../features/realtime/service.ts";
import { viewerOf } from "../../features/realtime/viewer.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { App } from "../../kernel/operation.ts";
import { addressOf } from "../http/client-address.ts";
import { originAllowed } from "../http/cors.ts";
import { toAmbitError } from "../http/errors.ts";
import { ClientSocket, type ClientSocketPorts, type Credential } from "./client-socket.ts";
import { Clients, type ClientsPorts } from "./clients.ts";
import { BEARER_PROTOCOL, isRealtimeUrl, type Request, readRequest } from "./handshake.ts";
import { handshakeLimits } from "./handshake-limits.ts";
import { limits } from "./limits.ts";
import { overLimit } from "./over-limit.ts";
import { RealtimeWebSocket } from "./realtime-web-socket.ts";
import { refuseUpgrade } from "./refusal.ts";
import { type Ending, endingFor } from "./standing.ts";
import type { UpgradeLane } from "./upgrades.ts";

export interface RealtimeDoorDeps extends Omit<ClientsPorts, "positionOf"> {
  readonly realtime: RealtimeService;
  readonly metrics: Metrics;
  readonly baseDomain: string;
  /** How many proxies in front may be believed about the caller's address. */
  readonly trustedProxies: number;
  publicUrl(): string;
  /** An app was paused, changed or deleted on this node. */
  onAppChanged(listener: (appId: string) => void): void;
  /** A key was revoked on this node. */
  onKeyRevoked(listener: () => void): void;
  /** An end user's session was ended on this node. */
  onSessionEnded(listener: (appId: string, sessionId: string) => void): void;
}

/** What every connection is called by its role. */
const ROLE_NAMES = {
  anon: "butterbase_anon",
  user: "butterbase_user",
  service: "butterbase_service",
} as const;

/** An upgrade that got through: who connects to what, and why it must end at once, if it must. */
interface Admission {
  readonly app: App;
  readonly credential: Credential;
  readonly ending: Ending | null;
}

/**
 * Serves `/v1/<app>/realtime`. A bad credential, an unknown app or a foreign page is refused with an HTTP status; what
 * may pass with time (a paused app) and a missing credential are told by a frame after the upgrade, as clients expect.
 */
export function createRealtimeLane(deps: RealtimeDoorDeps): UpgradeLane & { close(): Promise<void> } {
  const { realtime, metrics } = deps;
  const clients = new Clients({ ...deps, positionOf: (appId) => realtime.positionOf(appId) });
  const ports = portsOf(deps, clients);
  const handshakes = handshakeLimits(metrics);
  const sockets = new WebSocketServer<typeof RealtimeWebSocket>({
    noServer: true,
    WebSocket: RealtimeWebSocket,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.receivedBytes,
    handleProtocols: (offered) => (offered.has(BEARER_PROTOCOL) ? BEARER_PROTOCOL : false),
  });
  let closing = false;

  const handle: UpgradeLane["handle"] = (request, socket, head, url) => {
    const wanted = readRequest(url, request.headers);
    if (closing || wanted === null) {
      socket.destroy();
      return;
    }
    const admitted = handshakes.run(addressOf(request, deps.trustedProxies), () =>
      admit(wanted, request, deps),
    );
    admitted.then(
      (admission) => {
        if (closing) socket.destroy();
        else
          sockets.handleUpgrade(request, socket, head, (ws) =>
            begin(ws, socket, admission, { deps, clients, ports }),
          );
      },
      (error) => refuseUpgrade(socket, toAmbitError(error, deps.log, newUuid()), deps.publicUrl()),
    );
  };
  deps.onAppChanged((appId) => void clients.recheckApp(appId, "keys"));
  deps.onKeyRevoked(() => void clients.recheck("keys"));
  deps.onSessionEnded((_appId, sessionId) => clients.endSession(sessionId));
  realtime.onSessionEnded((sessionId) => clients.endSession(sessionId));
  realtime.onGap(() => void clients.recheck("all"));
  return {
    matches: isRealtimeUrl,
    handle,
    async close() {
      closing = true;
      await clients.close();
    },
  };
}

/** Decides over an upgrade request. Throws the error to refuse it with. */
async function admit(
  { appReference, authorization }: Request,
  request: IncomingMessage,
  deps: RealtimeDoorDeps,
): Promise<Admission> {
  const { headers } = request;
  const app = await deps.findApp(appReference);
  if (app === null) {
    throw errors.RESOURCE_NOT_FOUND({
      message: `There is no app ${appReference}.`,
      remediation: "Use the id or the subdomain of an app that exists.",
    });
  }
  if (headers.origin !== undefined && !originAllowed(headers.origin, app, deps.baseDomain)) {
    throw errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "Pages of this origin may not connect to the app.",
      remediation: "Add the origin to the app's allowed origins: PATCH /v1/<app_id>/config/cors.",
    });
  }
  const ip = addressOf(request, deps.trustedProxies);
  const principal = await deps.resolvePrincipal(authorization, app.id, ip);
  return {
    app,
    credential: { authorization, ip, principal },
    ending: endingFor(app, principal, deps.clock()),
  };
}

/** What the door's sockets share. */
function portsOf(deps: RealtimeDoorDeps, clients: Clients): ClientSocketPorts {
  return {
    clock: deps.clock,
    backlog: clients.backlog,
    async authenticate({ appId, credential: { ip } }, token) {
      const authorization = `Bearer ${token}`;
      const app = await deps.findApp(appId);
      const principal = await deps.resolvePrincipal(authorization, appId, ip);
      const refusal = endingFor(app, principal, deps.clock());
      if (refusal !== null) throw errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: refusal.message });
      return { authorization, ip, principal };
    },
    onClosed: (socket) => clients.remove(socket),
    onLimit: (limit) => deps.metrics.limitsHit.inc({ limit }),
  };
}

/** Begins the conversation. Nothing the client sent before is lost: it has not been read yet. */
function begin(
  ws: RealtimeWebSocket,
  raw: Duplex,
  { app, credential, ending }: Admission,
  { deps, clients, ports }: { deps: RealtimeDoorDeps; clients: Clients; ports: ClientSocketPorts },
): void {
  const client = new ClientSocket(ws, raw, app.id, credential, ports);
  const refusal = ending ?? overLimit(app.id, client, clients, ports.onLimit);
  if (refusal !== null) {
    client.end(refusal);
    return;
  }
  const viewer = viewerOf(credential.principal);
  clients.add(client);
  const connection = deps.realtime.connect(app.id, viewer, client);
  client.open(connection);
  const { clientId: client_id } = connection;
  const { epoch } = deps.realtime;
  const hello = {
    type: "connected",
    app_id: app.id,
    role: ROLE_NAMES[viewer.role],
    client_id,
    ...(epoch === "" ? {} : { epoch }),
  };
  client.send([frame(hello)]);
}
