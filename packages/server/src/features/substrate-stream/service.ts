import type { Platform } from "../../engines/platform.ts";
import { decideAccess } from "../../kernel/access.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { newSecret, sha256Hex } from "../../kernel/ids.ts";
import { createTicker } from "../../kernel/ticker.ts";
import type { KeysService } from "../keys/service.ts";
import { Holders, type RealtimeService } from "../realtime/service.ts";
import type { SubstrateLinksService } from "../substrate-links/service.ts";
import { streamErrors } from "./errors.ts";
import { type Peer, StreamHub } from "./hub.ts";
import { limits } from "./limits.ts";
import { streamMetrics } from "./metrics.ts";
import * as store from "./store.ts";
import { TABLES } from "./tables.ts";
import type { Standing, StreamHolder } from "./types.ts";

export type { Frame } from "./frames.ts";
export type { Peer, StreamViewer } from "./hub.ts";
export type { Standing, StreamHolder } from "./types.ts";

export interface SubstrateStreamService {
  /** A ticket that opens one stream within `expiresInS` seconds, at any node. Throws QUOTA_STREAM_TICKETS. */
  mintTicket(holder: StreamHolder, organizationId: string): Promise<{ ticket: string; expiresInS: number }>;
  /** Uses a ticket up; null when it is unknown, was used or has run out. Of many at once, one gets the holder. */
  redeemTicket(ticket: string): Promise<StreamHolder | null>;
  /** Whether a holder may have a stream now, and how much it shows; asked again every second of an open one. */
  standing(holder: StreamHolder, nowMs: number): Promise<Standing>;
  /** Resolves to true once every change committed from then on will be read; to false when that takes too long. */
  ready(): Promise<boolean>;
  /** Sends hello, what came after `cursor`, and every later change; see the guide for the frames. */
  join(peer: Peer, cursor: string | null): void;
  leave(peer: Peer): void;
  /** Takes over what a peer's holder may see now. */
  rescope(peer: Peer, scope: Peer["viewer"]["scope"]): void;
}

export interface StreamDeps {
  readonly realtime: Pick<RealtimeService, "follow" | "ready" | "hold">;
  readonly keys: Pick<KeysService, "byId">;
  readonly links: Pick<SubstrateLinksService, "readerOf" | "readerOfApp">;
}

/** What holds the substrate's tables for the log. */
const PUBLICATION = "ambit_substrate";

const TICKET = /^wst_[0-9a-f]{40}$/;

/** The service with what the feature starts and stops. */
export function createStreamService(platform: Platform, deps: StreamDeps) {
  const { database, clock, log } = platform;
  const metrics = streamMetrics(platform.metrics);
  const hub = new StreamHub({ limits, metrics, clock });
  deps.realtime.follow({
    publications: [PUBLICATION],
    prepare: () => store.ensurePublication(database, PUBLICATION, TABLES),
    onTransaction: (transaction) => hub.accept(transaction),
    onGap: () => hub.gap(),
  });
  const holders = new Holders(() => deps.realtime.hold());
  const sweeper = createTicker({
    name: "substrate stream",
    everyMs: limits.sweepMs,
    log,
    async run() {
      hub.expire();
      await store.deleteOldTickets(database);
    },
  });
  const service: SubstrateStreamService = {
    async mintTicket(holder, organizationId) {
      const ticket = newSecret("wst");
      const { ticketS, ticketsPerOrganization } = limits;
      const kept = await store.insertTicket(database, {
        ...{ hash: sha256Hex(ticket), organizationId, holder },
        ...{ lifeS: ticketS, most: ticketsPerOrganization },
      });
      if (!kept) {
        platform.metrics.limitsHit.inc({ limit: "substrate_stream_tickets" });
        throw streamErrors.QUOTA_STREAM_TICKETS({ headers: { "Retry-After": String(ticketS) } });
      }
      return { ticket, expiresInS: ticketS };
    },
    redeemTicket: async (ticket) =>
      TICKET.test(ticket) ? store.takeTicket(database, sha256Hex(ticket)) : null,
    standing: (holder, nowMs) => standingOf(deps, holder, nowMs),
    ready: () => readyWithin(deps.realtime.ready(), limits.readyMs),
    join(peer, cursor) {
      holders.add();
      metrics.connections.inc();
      hub.join(peer, cursor);
    },
    leave(peer) {
      holders.remove();
      metrics.connections.dec();
      hub.leave(peer);
    },
    rescope: (peer, scope) => hub.rescope(peer, scope),
  };
  return { service, start: async () => sweeper.start(), stop: () => sweeper.stop() };
}

/** Rejects only when it can't be told, e.g. while the database does not answer. */
async function standingOf(
  { keys, links }: StreamDeps,
  holder: StreamHolder,
  nowMs: number,
): Promise<Standing> {
  try {
    if (holder.kind === "app") return { viewer: await links.readerOfApp(holder.appId) };
    const key = await keys.byId(holder.keyId);
    if (key === null) return { refusal: errors.AUTH_INVALID_API_KEY() };
    const refusal = decideAccess({
      ...{ principal: key, right: "view", surface: "substrate", personOnly: false },
      ...{ app: null, organizationId: null, nowMs },
    });
    return refusal === null ? { viewer: await links.readerOf(key) } : { refusal };
  } catch (error) {
    if (error instanceof AmbitError && error.status < 500) return { refusal: error };
    throw error;
  }
}

async function readyWithin(ready: Promise<void>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  ready.then(
    () => resolve(true),
    () => resolve(false),
  );
  const answer = await promise;
  clearTimeout(timer);
  return answer;
}
