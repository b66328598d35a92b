import { workerdErrors } from "../../engines/workerd/errors.ts";
import type { ActorClass } from "../../features/durable-objects/service.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import type { App } from "../../kernel/operation.ts";
import type { Principal } from "../../kernel/principal.ts";
import { SocketsByApp } from "../websocket/sockets-by-app.ts";
import { type ActorDoorDeps, standing } from "./admission.ts";
import { limits } from "./limits.ts";

/** An open connection to an instance, and for whom it was opened. */
export interface ActorSocket {
  readonly appId: string;
  readonly className: string;
  readonly principal: Principal;
  readonly authorization: string | undefined;
  readonly ip: string;
  /** Ends it because it may not stand any more. */
  end(reason: AmbitError): void;
}

/** The open sockets of this node by app; ends those whose app, class, key, token or session does not hold any more. */
export class ActorSockets {
  readonly #deps: ActorDoorDeps;
  readonly #sockets = new SocketsByApp<ActorSocket>();
  readonly #timer: NodeJS.Timeout;
  #checking = false;
  #release: (() => void) | null = null;

  constructor(deps: ActorDoorDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.#tick(), limits.recheckMs).unref();
    deps.onAppChanged((appId) => void this.recheckApp(appId, "keys"));
    deps.actors.onChange((appId) => void this.recheckApp(appId, "keys"));
    deps.onKeyRevoked(() => void this.recheck("keys"));
    deps.onSessionEnded((sessionId) => this.endSession(sessionId));
    deps.onGap(() => void this.recheck("all"));
  }

  get count(): number {
    return this.#sockets.count;
  }

  countOf(appId: string): number {
    return this.#sockets.countOf(appId);
  }

  add(socket: ActorSocket): void {
    this.#sockets.add(socket);
    this.#release ??= this.#deps.hold();
  }

  remove(socket: ActorSocket): void {
    this.#sockets.remove(socket);
    if (this.#sockets.count > 0) return;
    this.#release?.();
    this.#release = null;
  }

  endSession(sessionId: string): void {
    for (const socket of this.#sockets.all()) {
      const { principal } = socket;
      if (principal.kind === "user" && principal.claims.sid === sessionId) socket.end(signedOut());
    }
  }

  /** Keys are looked up again; end users' sessions only with `all`, since their end is told by itself. */
  async recheck(whose: "keys" | "all"): Promise<void> {
    for (const appId of this.#sockets.apps()) await this.recheckApp(appId, whose);
  }

  /** Asks of each of the app's sockets whether it may stand. */
  async recheckApp(appId: string, whose: "keys" | "all"): Promise<void> {
    const sockets = this.#sockets.of(appId);
    if (sockets.length === 0) return;
    let app: App | null;
    try {
      app = await this.#deps.findApp(appId);
    } catch (error) {
      // An app that is being deleted says so; anything else is the database's trouble and not the client's.
      if (!(error instanceof AmbitError) || error.status !== 410) return;
      app = null;
    }
    // Many sockets, few classes and keys: each is asked about once.
    const classes = new Map<string, Promise<ActorClass | null | undefined>>();
    const credentials = new Map<string, Promise<AmbitError | null>>();
    for (const socket of sockets) {
      const found = app === null ? null : await once(classes, socket.className, () => this.#find(socket));
      if (found === undefined) continue;
      const refusal =
        standing(app, found, socket.principal, this.#deps.clock()) ??
        (isAsked(socket.principal, whose)
          ? await once(credentials, socket.authorization ?? "", () => this.#credentialProblem(socket))
          : null);
      if (refusal !== null) socket.end(refusal);
    }
  }

  /** Resolves when all are ended, at the latest when they have been cut. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets.all()) socket.end(goingAway());
    await this.#sockets.emptied(limits.endMs);
  }

  /** undefined: it can't be told right now. */
  async #find(socket: ActorSocket): Promise<ActorClass | null | undefined> {
    try {
      return await this.#deps.actors.find(socket.appId, socket.className);
    } catch {
      return undefined;
    }
  }

  async #credentialProblem({ authorization, appId, ip }: ActorSocket): Promise<AmbitError | null> {
    try {
      await this.#deps.resolvePrincipal(authorization, appId, ip);
      return null;
    } catch (error) {
      return error instanceof AmbitError && (error.status === 401 || error.status === 403) ? error : null;
    }
  }

  #tick(): void {
    if (this.#checking) return;
    this.#checking = true;
    void this.recheck("keys").finally(() => {
      this.#checking = false;
    });
  }
}

const isAsked = ({ kind }: Principal, whose: "keys" | "all"): boolean =>
  kind === "key" || (kind === "user" && whose === "all");

function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const answer = known.get(key) ?? ask();
  known.set(key, answer);
  return answer;
}

const signedOut = () => errors.AUTH_INVALID_TOKEN({ message: "The session was ended. Sign in again." });

const goingAway = () => workerdErrors.RUNTIME_UNAVAILABLE({ message: "The server is stopping." });
