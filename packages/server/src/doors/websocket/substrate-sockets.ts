import type { SubstrateStreamService } from "../../features/substrate-stream/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { createTicker, type Ticker } from "../../kernel/ticker.ts";
import { limits } from "./substrate-limits.ts";
import { CLOSE, type SubstrateSocket } from "./substrate-socket.ts";

export interface SubstrateSocketsPorts {
  readonly stream: Pick<SubstrateStreamService, "standing" | "rescope">;
  readonly clock: Clock;
  readonly log: Log;
}

/** The open streams of this node: keeps them alive, and closes those whose holder may have none any more. */
export class SubstrateSockets {
  readonly #ports: SubstrateSocketsPorts;
  readonly #all = new Set<SubstrateSocket>();
  readonly #perHolder = new Map<string, Set<SubstrateSocket>>();
  readonly #perOrganization = new Map<string, number>();
  readonly #pinging: Ticker;
  readonly #checking: Ticker;

  constructor(ports: SubstrateSocketsPorts) {
    this.#ports = ports;
    const { log } = ports;
    this.#pinging = createTicker({
      ...{ name: "pings of substrate streams", everyMs: limits.pingMs, log },
      run: async () => {
        for (const socket of this.#all) socket.ping();
      },
    });
    this.#checking = createTicker({
      ...{ name: "check of substrate streams", everyMs: limits.recheckMs, log },
      run: () => this.#recheck(),
    });
    this.#pinging.start();
    this.#checking.start();
  }

  /** The name of the limit that one more stream would break; null for none. */
  limitFor({ holderId, viewer }: Pick<SubstrateSocket, "holderId" | "viewer">): string | null {
    if (this.#all.size >= limits.sockets) return "substrate_stream_sockets";
    if ((this.#perOrganization.get(viewer.organizationId) ?? 0) >= limits.socketsPerOrganization)
      return "substrate_stream_sockets_per_organization";
    if ((this.#perHolder.get(holderId)?.size ?? 0) >= limits.socketsPerHolder)
      return "substrate_stream_sockets_per_holder";
    return null;
  }

  add(socket: SubstrateSocket): void {
    this.#all.add(socket);
    const ofHolder = this.#perHolder.get(socket.holderId) ?? new Set();
    this.#perHolder.set(socket.holderId, ofHolder.add(socket));
    const { organizationId } = socket.viewer;
    this.#perOrganization.set(organizationId, (this.#perOrganization.get(organizationId) ?? 0) + 1);
  }

  /** False if it was not among them. */
  remove(socket: SubstrateSocket): boolean {
    if (!this.#all.delete(socket)) return false;
    const ofHolder = this.#perHolder.get(socket.holderId);
    ofHolder?.delete(socket);
    if (ofHolder?.size === 0) this.#perHolder.delete(socket.holderId);
    const { organizationId } = socket.viewer;
    const left = (this.#perOrganization.get(organizationId) ?? 1) - 1;
    if (left === 0) this.#perOrganization.delete(organizationId);
    else this.#perOrganization.set(organizationId, left);
    return true;
  }

  /** Something changed that may end streams: looks at once. */
  recheckSoon(): void {
    this.#checking.wake();
  }

  /** Closes every stream because the server stops. */
  async close(): Promise<void> {
    await Promise.all([this.#pinging.stop(), this.#checking.stop()]);
    for (const socket of this.#all) socket.end(CLOSE.goingAway, "Server shutting down");
    const giveUpAt = performance.now() + limits.stopMs;
    while (this.#all.size > 0 && performance.now() < giveUpAt)
      await new Promise((resolve) => setTimeout(resolve, 10));
    for (const socket of this.#all) socket.terminate();
  }

  async #recheck(): Promise<void> {
    const holders = [...this.#perHolder.values()];
    for (let from = 0; from < holders.length; from += limits.rechecksAtOnce) {
      const some = holders.slice(from, from + limits.rechecksAtOnce);
      await Promise.all(some.map((sockets) => this.#recheckHolder([...sockets])));
    }
  }

  async #recheckHolder(sockets: readonly SubstrateSocket[]): Promise<void> {
    const { stream, clock, log } = this.#ports;
    const [first] = sockets;
    if (first === undefined) return;
    try {
      const standing = await stream.standing(first.holder, clock());
      for (const socket of sockets) {
        if ("refusal" in standing) socket.end(CLOSE.notAllowed, standing.refusal.message);
        else if (standing.viewer.organizationId !== socket.viewer.organizationId)
          socket.end(CLOSE.notAllowed, "The app belongs to another organisation now");
        else stream.rescope(socket, standing.viewer.scope);
      }
    } catch (error) {
      // The database's trouble is not the client's: what stood stands until it can be asked again.
      log.warn({ err: error }, "whether a substrate stream may stand could not be asked");
    }
  }
}
