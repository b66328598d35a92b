import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { LookupFunction, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Agent } from "undici";
import type { EgressRules, EgressUse } from "../types.ts";
import { type Resolve, systemResolve } from "./checked-lookup.ts";
import { createDial, type Dial } from "./dial.ts";
import { forwardRequest } from "./forward-request.ts";
import { join, renderHead } from "./join.ts";
import { limits } from "./limits.ts";
import { createMeter, type Meter } from "./meter.ts";
import { answer, describe, endWith, judge, NOT_A_URL, type Refusal } from "./refusal.ts";
import { type Destination, readAbsolute, readAuthority } from "./rules.ts";
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

/**
 * The only way from user code to the network. It speaks TLS itself, calls public addresses only, follows no redirect
 * (user code does, and comes through here again), and counts.
 */
export function createEgressProxy(options: EgressOptions): EgressProxy {
  return new ForwardProxy(options);
}

class ForwardProxy implements EgressProxy {
  readonly #rules: () => EgressRules;
  readonly #allowPrivate: ReadonlySet<string>;
  readonly #dial: Dial;
  readonly #agent: Agent;
  readonly #meter: Meter;
  readonly #tunnels = new Set<Duplex>();
  #requests = 0;

  constructor(options: EgressOptions) {
    this.#rules = () => options.rules();
    this.#allowPrivate = new Set(options.allowPrivate.map((entry) => entry.toLowerCase()));
    const resolve = options.resolve ?? systemResolve();
    this.#dial = createDial(this.#allowPrivate, resolve, options.resolveAllowed);
    this.#meter = createMeter((use) => options.onUse(use));
    this.#agent = new Agent({
      connect: this.#dial.connector,
      allowH2: false,
      pipelining: 1,
      connections: limits.connectionsPerOrigin,
      keepAliveTimeout: limits.idleMs,
      headersTimeout: limits.headMs,
      bodyTimeout: limits.silenceMs,
      maxHeaderSize: limits.headBytes,
    });
  }

  handle(server: Server): void {
    // A request in absolute form names its host there; workerd sends no `Host` beside it.
    Object.assign(server, { requireHostHeader: false });
    server.on("connection", (socket) => this.#meter.track(socket));
    server.on("request", (request, response) => {
      this.#onRequest(request, response).catch(() => response.destroy());
    });
    server.on("upgrade", (request, client, head) => {
      this.#onTunnel(client, readAbsolute(request.url ?? ""), (other, destination) =>
        forwardUpgrade(destination, request, client, head, other),
      ).catch(() => client.destroy());
    });
    server.on("connect", (request, client, head) => {
      this.#onTunnel(client, readAuthority(request.url ?? ""), (other) => {
        client.write(renderHead(200, []));
        if (head.length > 0) other.write(head);
        join(client, other);
      }).catch(() => client.destroy());
    });
  }

  close(): void {
    for (const client of this.#tunnels) client.destroy();
    this.#agent.destroy().catch(() => {});
    this.#meter.close();
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const destination = readAbsolute(request.url ?? "");
    const refusal = this.#judge(destination, this.#requests >= limits.requests);
    if (refusal !== null || destination === null) return answer(request, response, refusal ?? NOT_A_URL);
    this.#requests += 1;
    try {
      await forwardRequest(this.#agent, destination, request, response);
    } catch (error) {
      answer(request, response, this.#count(describe(error, destination)));
    } finally {
      this.#requests -= 1;
    }
  }

  /** Connects for a client whose connection is its own from here on. */
  async #onTunnel(
    client: Duplex,
    destination: Destination | null,
    connected: (server: Socket, destination: Destination) => void,
  ): Promise<void> {
    client.on("error", () => client.destroy());
    const refusal = this.#judge(destination, this.#tunnels.size >= limits.tunnels);
    if (refusal !== null || destination === null) return endWith(client, refusal ?? NOT_A_URL);
    this.#tunnels.add(client);
    client.once("close", () => this.#tunnels.delete(client));
    try {
      const server = await this.#dial.open(destination);
      if (client.destroyed) server.destroy();
      else connected(server, destination);
    } catch (error) {
      endWith(client, this.#count(describe(error, destination)));
    }
  }

  #judge(destination: Destination | null, busy: boolean): Refusal | null {
    this.#meter.request();
    const refusal = judge(destination, this.#rules(), this.#allowPrivate, busy);
    return refusal === null ? null : this.#count(refusal);
  }

  #count(refusal: Refusal): Refusal {
    if (refusal.kind === "refused") this.#meter.refused();
    return refusal;
  }
}
