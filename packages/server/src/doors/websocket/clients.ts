import { heartbeatFrame } from "../../features/realtime/frames.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AmbitError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { App } from "../../kernel/operation.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { ResolvePrincipal } from "../principal.ts";
import { Backlog } from "./backlog.ts";
import type { ClientSocket } from "./client-socket.ts";
import { Heartbeats } from "./heartbeats.ts";
import { type Holder, HolderCounts } from "./holders.ts";
import { limits } from "./limits.ts";
import { SocketsByApp } from "./sockets-by-app.ts";
import { type Ending, endingFor, signedOut } from "./standing.ts";

export interface ClientsPorts {
  findApp(reference: string): Promise<App | null>;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly clock: Clock;
  readonly log: Log;
  /** Everything of an app up to this place has been sent; null while that is not known. */
  positionOf(appId: string): string | null;
}

/** A ping without content (RFC 6455 §5.5.2), whose pong tells that the client lives. */
const PING = Buffer.from([0x89, 0]);

/** The open connections of this node, by app: keeps them alive, and closes those that may not stand any more. */
export class Clients {
  readonly #ports: ClientsPorts;
  readonly #sockets = new SocketsByApp<ClientSocket>();
  readonly #holders = new HolderCounts();
  readonly #heartbeats = new Heartbeats<ClientSocket>(limits.heartbeatMs, limits.heartbeatSlots);
  readonly #timers: NodeJS.Timeout[];
  #checking = false;
  /** What waits for those that read slowly. */
  readonly backlog = new Backlog<ClientSocket>(limits.queuedBytesAll);

  constructor(ports: ClientsPorts) {
    this.#ports = ports;
    this.#timers = [
      setInterval(() => this.#heartbeat(), limits.heartbeatMs / limits.heartbeatSlots).unref(),
      setInterval(() => this.#tick(), limits.recheckMs).unref(),
    ];
  }

  get count(): number {
    return this.#sockets.count;
  }

  countOf(appId: string): number {
    return this.#sockets.countOf(appId);
  }

  /** How many one user, key or anonymous address has. */
  countOfHolder(appId: string, holder: Holder): number {
    return this.#holders.countOf(appId, holder);
  }

  add(socket: ClientSocket): void {
    this.#sockets.add(socket);
    this.#holders.add(socket.appId, socket);
    this.#heartbeats.add(socket, performance.now());
  }

  remove(socket: ClientSocket): void {
    if (!this.#sockets.remove(socket)) return;
    this.#holders.remove(socket.appId, socket);
    this.#heartbeats.remove(socket);
  }

  /** Closes the connections of an end user's session. */
  endSession(sessionId: string): void {
    for (const socket of this.#sockets.all()) {
      const { principal } = socket.credential;
      if (principal.kind === "user" && principal.claims.sid === sessionId) socket.end(signedOut);
    }
  }

  /**
   * Asks of every connection whether it may stand. Keys are looked up again; end users' sessions only with `all`,
   * since their end is told by itself.
   */
  async recheck(whose: "keys" | "all"): Promise<void> {
    for (const appId of this.#sockets.apps()) await this.recheckApp(appId, whose);
  }

  async recheckApp(appId: string, whose: "keys" | "all"): Promise<void> {
    let app: App | null;
    try {
      app = await this.#ports.findApp(appId);
    } catch (error) {
      // An app that is being deleted says so; anything else is the database's trouble and not the client's.
      if (!(error instanceof AmbitError) || error.status !== 410) return;
      app = null;
    }
    for (const socket of this.#sockets.of(appId)) {
      const ending = endingFor(app, socket.credential.principal, this.#ports.clock());
      if (ending !== null) socket.end(ending);
    }
    for (const socket of this.#sockets.of(appId)) {
      const { kind } = socket.credential.principal;
      if (kind === "key" || (kind === "user" && whose === "all")) await this.#reauthenticate(socket, app);
    }
  }

  /** Closes every connection because the server stops. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets.all()) socket.goAway();
    await this.#sockets.emptied(limits.stopMs);
    for (const socket of this.#sockets.all()) socket.terminate();
  }

  async #reauthenticate(socket: ClientSocket, app: App | null): Promise<void> {
    const { credential } = socket;
    let ending: Ending | null;
    try {
      const principal: Principal = await this.#ports.resolvePrincipal(
        credential.authorization,
        socket.appId,
        credential.ip,
      );
      ending = endingFor(app, principal, this.#ports.clock());
    } catch (error) {
      if (!(error instanceof AmbitError) || (error.status !== 401 && error.status !== 403)) return;
      ending = { ...signedOut, message: `Authentication failed: ${error.message}` };
    }
    if (ending !== null) socket.end(ending);
  }

  #tick(): void {
    this.backlog.refresh();
    if (this.#checking) return;
    this.#checking = true;
    void this.recheck("keys").finally(() => {
      this.#checking = false;
    });
  }

  /**
   * To those whose turn it is: one writing each, of bytes made once per app. Whom something is still missing gets no
   * place to come back to.
   */
  #heartbeat(): void {
    if (this.#heartbeats.count === 0) return;
    const byApp = new Map<string, Buffer>();
    for (const socket of this.#heartbeats.due(performance.now())) {
      const { appId, unsettled } = socket;
      const kind = unsettled ? "" : appId;
      let bytes = byApp.get(kind);
      if (bytes === undefined) {
        const position = unsettled ? null : this.#ports.positionOf(appId);
        bytes = Buffer.concat([heartbeatFrame(this.#ports.clock(), position), PING]);
        byApp.set(kind, bytes);
      }
      socket.heartbeat(bytes);
    }
  }
}
