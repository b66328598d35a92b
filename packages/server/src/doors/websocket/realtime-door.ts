import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
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
import { ClientSocket, type Credential } from "./client-socket.ts";
import { Clients, type ClientsPorts } from "./clients.ts";
import { BEARER_PROTOCOL, isRealtimeUrl, type Request, readRequest } from "./handshake.ts";
import { limits } from "./limits.ts";
import { refuseUpgrade } from "./refusal.ts";
import { type Ending, endingFor, tooMany } from "./standing.ts";
import type { UpgradeLane } from "./upgrades.ts";

export interface RealtimeDoorDeps extends ClientsPorts {
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
  const clients = new Clients(deps);
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.messageBytes,
    handleProtocols: (offered) => (offered.has(BEARER_PROTOCOL) ? BEARER_PROTOCOL : false),
  });
  let closing = false;

  const handle: UpgradeLane["handle"] = (request, socket, head, url) => {
    const wanted = readRequest(url, request.headers);
    if (closing || wanted === null) {
      socket.destroy();
      return;
    }
    admit(wanted, request, deps, clients).then(
      (admission) => {
        if (closing) socket.destroy();
        else
          sockets.handleUpgrade(request, socket, head, (ws) => begin(ws, socket, admission, deps, clients));
      },
      (error) => refuseUpgrade(socket, toAmbitError(error, deps.log, newUuid()), deps.publicUrl()),
    );
  };
  deps.onAppChanged((appId) => void clients.recheckApp(appId, "keys"));
  deps.onKeyRevoked(() => void clients.recheck("keys"));
  deps.onSessionEnded((_appId, sessionId) => clients.endSession(sessionId));
  deps.realtime.onSessionEnded((sessionId) => clients.endSession(sessionId));
  deps.realtime.onGap(() => void clients.recheck("all"));
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
  clients: Clients,
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
  const ending = endingFor(app, principal, deps.clock()) ?? overLimit(app, deps, clients);
  return { app, credential: { authorization, ip, principal }, ending };
}

function overLimit(app: App, { metrics }: RealtimeDoorDeps, clients: Clients): Ending | null {
  if (clients.count >= limits.connections) {
    metrics.limitsHit.inc({ limit: "realtime_connections" });
    return tooMany(
      `Realtime connection limit reached for this server (${limits.connections}). Try again later.`,
    );
  }
  if (clients.countOf(app.id) >= limits.connectionsPerApp) {
    metrics.limitsHit.inc({ limit: "realtime_connections_per_app" });
    return tooMany(
      `Realtime listener limit reached for this app (${limits.connectionsPerApp}). Try again later.`,
    );
  }
  return null;
}

/** Begins the conversation. Nothing the client sent before is lost: it has not been read yet. */
function begin(
  ws: WebSocket,
  raw: Duplex,
  { app, credential, ending }: Admission,
  deps: RealtimeDoorDeps,
  clients: Clients,
): void {
  const { realtime, metrics } = deps;
  const client = new ClientSocket(ws, raw, {
    appId: app.id,
    credential,
    clock: deps.clock,
    async authenticate(token) {
      const authorization = `Bearer ${token}`;
      const principal = await deps.resolvePrincipal(authorization, app.id, credential.ip);
      const refusal = endingFor(app, principal, deps.clock());
      if (refusal !== null) throw errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: refusal.message });
      return { authorization, ip: credential.ip, principal };
    },
    onClosed: (socket) => clients.remove(socket),
    onLimit: (limit) => metrics.limitsHit.inc({ limit }),
  });
  if (ending !== null) {
    client.end(ending);
    return;
  }
  const viewer = viewerOf(credential.principal);
  clients.add(client);
  client.open(realtime.connect(app.id, viewer, client));
  client.send([frame({ type: "connected", app_id: app.id, role: ROLE_NAMES[viewer.role] })]);
}
