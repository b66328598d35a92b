import { timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Admission } from "../../features/gateway/service.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import { limits } from "./limits.ts";

const SESSION = "gateway-session";
const EVENT = "gateway-event";

/**
 * The upstream's ids as clients get them. They work on every node, and only for the grant they were made for: an upstream
 * knows its callers by our one credential, so that it could not tell one grant's session from another's.
 */
export class ClientIds {
  readonly #secrets: Secrets;
  readonly #opened = new LRUCache<string, string>({ max: limits.openedSessions });

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** A session id for a client. */
  seal(admission: Admission, upstreamSession: string): string {
    return this.#secrets.seal(SESSION, upstreamSession, contextOf(admission));
  }

  /** The upstream's session behind a client's id; null for another grant's, or a forged one. */
  open(admission: Admission, sealed: string): string | null {
    if (sealed.length > limits.sealedIdChars) return null;
    const context = contextOf(admission);
    const key = `${context} ${sealed}`;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    let opened: string;
    try {
      opened = this.#secrets.open(SESSION, sealed, context);
    } catch {
      return null;
    }
    this.#opened.set(key, opened);
    return opened;
  }

  /** An event id for a client, good for resuming in this session. */
  eventId(admission: Admission, upstreamSession: string, upstreamEvent: string): string {
    const text = Buffer.from(upstreamEvent, "utf8").toString("base64url");
    return `${this.#mark(admission, upstreamSession, upstreamEvent)}.${text}`;
  }

  /** The upstream's event behind a client's id; null for another session's, or a forged one. */
  openEvent(admission: Admission, upstreamSession: string, id: string): string | null {
    const dot = id.indexOf(".");
    if (dot === -1 || id.length > limits.sealedIdChars) return null;
    const event = Buffer.from(id.slice(dot + 1), "base64url").toString("utf8");
    const given = Buffer.from(id.slice(0, dot));
    const expected = Buffer.from(this.#mark(admission, upstreamSession, event));
    return given.length === expected.length && timingSafeEqual(given, expected) ? event : null;
  }

  #mark(admission: Admission, upstreamSession: string, event: string): string {
    return this.#secrets.derive(EVENT, JSON.stringify([contextOf(admission), upstreamSession, event]));
  }
}

const contextOf = ({ grant, server }: Admission) => `${server.id} ${grant.id}`;
