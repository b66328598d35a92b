import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";
import { type Stage, stage } from "../../../features/durable-objects/testing/stage.ts";
import { errors } from "../../../kernel/errors.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { ANONYMOUS, type Principal } from "../../../kernel/principal.ts";
import { createLaneServer } from "../../http/lanes.ts";
import { rewriteUrl } from "../../http/subdomain.ts";
import { attachUpgrades } from "../../websocket/upgrades.ts";
import { createActorLanes } from "../index.ts";

export const KEY = "bb_sk_owner";

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** The door on a real HTTP server, engine and database; only keys and access tokens are made up. */
export interface DoorStage {
  readonly on: Stage;
  readonly port: number;
  userToken(appId: string, sub: string, expiresAtMs?: number): string;
  revoke(key: string): void;
  endSession(sessionId: string): void;
  http(
    path: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string },
  ): Promise<Reply>;
  socket(path: string, options?: { protocols?: string[]; headers?: Record<string, string> }): Socket;
  stop(): Promise<void>;
}

/** A WebSocket client that keeps what it heard. */
export class Socket {
  readonly ws: WebSocket;
  readonly heard: string[] = [];
  readonly closed: Promise<number>;
  /** The HTTP status of a refusal. */
  readonly refused: Promise<number>;
  readonly #opened: Promise<null>;

  constructor(url: string, protocols: string[], headers: Record<string, string>) {
    this.ws = new WebSocket(url, protocols, { headers });
    this.ws.on("message", (data) => this.heard.push(data.toString()));
    this.ws.on("error", () => {});
    this.#opened = new Promise((resolve) => this.ws.once("open", () => resolve(null)));
    this.closed = new Promise((resolve) => this.ws.on("close", (code) => resolve(code)));
    this.refused = new Promise((resolve) =>
      this.ws.on("unexpected-response", (_request, response) => {
        resolve(response.statusCode ?? 0);
        response.resume();
        this.ws.terminate();
      }),
    );
  }

  async open(): Promise<this> {
    const status = await Promise.race([this.#opened, this.refused]);
    if (status !== null) throw new Error(`refused with ${status}`);
    return this;
  }
}

export async function doorStage(): Promise<DoorStage> {
  const on = await stage();
  const keys = new Set([KEY]);
  const ended = new Set<string>();
  const revokedListeners: (() => void)[] = [];
  const sessionListeners: ((sessionId: string) => void)[] = [];
  const resolve = async (authorization: string | undefined, appId: string | null): Promise<Principal> => {
    if (authorization === undefined) return ANONYMOUS;
    const token = authorization.replace(/^Bearer /, "");
    if (token.startsWith("bb_sk_")) {
      if (!keys.has(token)) throw errors.AUTH_INVALID_API_KEY();
      return { ...on.owner, keyId: "key-1" };
    }
    const payload = /^u\.(.+)\.s$/.exec(token)?.[1];
    if (payload === undefined) throw errors.AUTH_INVALID_TOKEN();
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    if (claims.app !== appId || ended.has(claims.sid)) throw errors.AUTH_INVALID_END_USER_JWT();
    if (claims.expiresAtMs <= Date.now()) throw errors.AUTH_END_USER_JWT_EXPIRED();
    return { kind: "user", appId: claims.app, userId: claims.sub, claims, expiresAtMs: claims.expiresAtMs };
  };
  let port = 0;
  const { platform } = on;
  const publicUrl = () => `http://127.0.0.1:${port}`;
  const lanes = createActorLanes({
    actors: on.actors,
    runtime: on.runtime,
    resolvePrincipal: resolve,
    baseDomain: "localhost",
    trustedProxies: 0,
    metrics: new Metrics(),
    clock: platform.clock,
    log: platform.log,
    publicUrl,
    findApp: (reference) => on.apps.find(reference),
    onAppChanged: (listener) => on.apps.onChange(listener),
    onKeyRevoked: (listener) => void revokedListeners.push(listener),
    hold: () => () => {},
    onSessionEnded: (listener) => void sessionListeners.push(listener),
    onGap: () => {},
  });
  const server = createLaneServer(
    {
      lanes: () => [lanes.http],
      canonicalUrl: ({ url, headers }) => rewriteUrl(url ?? "/", headers.host, "localhost"),
      requestTimeoutMs: 60_000,
    },
    (_request, response) => response.writeHead(404).end("elsewhere"),
  );
  attachUpgrades(server, { lanes: [lanes.upgrade], baseDomain: "localhost", publicUrl });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  port = (server.address() as AddressInfo).port;
  const sockets: Socket[] = [];
  return {
    on,
    port,
    userToken: (app, sub, expiresAtMs = Date.now() + 3_600_000) =>
      `u.${Buffer.from(JSON.stringify({ app, sub, sid: `session-${sub}`, expiresAtMs })).toString("base64url")}.s`,
    revoke(key) {
      keys.delete(key);
      for (const listener of revokedListeners) listener();
    },
    endSession(sessionId) {
      ended.add(sessionId);
      for (const listener of sessionListeners) listener(sessionId);
    },
    http: (path, { method = "GET", headers = {}, body } = {}) =>
      new Promise((done, fail) => {
        const sent = request({ port, path, method, headers, agent: false }, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk) => chunks.push(chunk));
          response.on("error", fail);
          response.on("end", () =>
            done({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(chunks).toString(),
            }),
          );
        });
        sent.on("error", fail);
        sent.end(body);
      }),
    socket(path, { protocols = [], headers = {} } = {}) {
      const socket = new Socket(`ws://127.0.0.1:${port}${path}`, protocols, headers);
      sockets.push(socket);
      return socket;
    },
    async stop() {
      for (const { ws } of sockets) ws.terminate();
      await lanes.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await on.stop();
    },
  };
}

/** Tells what it was asked, over HTTP and over a WebSocket; `/page` is an answer that would act for its origin. */
export const MIRROR = `
export class Mirror {
  state: any;
  constructor(state: any) { this.state = state; }
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const seen = { url: request.url, method: request.method, headers: Object.fromEntries(request.headers), name: this.state.id.name };
    if (request.headers.get("upgrade") === "websocket") {
      const { 0: client, 1: server } = new WebSocketPair();
      this.state.acceptWebSocket(server);
      server.send(JSON.stringify(seen));
      const offered = request.headers.get("sec-websocket-protocol");
      const headers: Record<string, string> = offered?.includes("chat") ? { "sec-websocket-protocol": "chat" } : {};
      return new Response(null, { status: 101, webSocket: client, headers });
    }
    if (url.pathname.endsWith("/page")) {
      return new Response("<script>1</script>", { headers: {
        "content-type": "text/html", "set-cookie": "a=b", "clear-site-data": '"*"', "access-control-allow-origin": "*",
      } });
    }
    if (url.pathname.endsWith("/stream")) return new Response(request.body);
    return Response.json({ ...seen, body: await request.text() });
  }
  webSocketMessage(ws: WebSocket, message: string) { ws.send("echo " + message); }
  webSocketClose(ws: WebSocket, code: number) { ws.close(code); }
}
`;
