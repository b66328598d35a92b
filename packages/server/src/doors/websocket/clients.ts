import { heartbeatFrame } from "../../features/realtime/frames.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AmbitError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { App } from "../../kernel/operation.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { ResolvePrincipal } from "../principal.ts";
import type { ClientSocket } from "./client-socket.ts";
import { limits } from "./limits.ts";
import { SocketsByApp } from "./sockets-by-app.ts";
import { type Ending, endingFor, signedOut } from "./standing.ts";

export interface ClientsPorts {
  findApp(reference: string): Promise<App | null>;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly clock: Clock;
  readonly log: Log;
}

/** The open connections of this node, by app: keeps them alive, and closes those that may not stand any more. */
export class Clients {
  readonly #ports: ClientsPorts;
  readonly #sockets = new SocketsByApp<ClientSocket>();
  readonly #timers: NodeJS.Timeout[];
  #checking = false;

  constructor(ports: ClientsPorts) {
    this.#ports = ports;
    this.#timers = [
      setInterval(() => this.#heartbeat(), limits.heartbeatMs).unref(),
      setInterval(() => this.#tick(), limits.recheckMs).unref(),
    ];
  }

  get count(): number {
    return this.#sockets.count;
  }

  countOf(appId: string): number {
    return this.#sockets.countOf(appId);
  }

  add(socket: ClientSocket): void {
    this.#sockets.add(socket);
  }

  remove(socket: ClientSocket): void {
    this.#sockets.remove(socket);
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
    if (this.#checking) return;
    this.#checking = true;
    void this.recheck("keys").finally(() => {
      this.#checking = false;
    });
  }

  #heartbeat(): void {
    const frame = heartbeatFrame(this.#ports.clock());
    for (const socket of this.#sockets.all()) socket.heartbeat(frame);
  }
}
