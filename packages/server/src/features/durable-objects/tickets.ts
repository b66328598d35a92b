import type { Platform } from "../../engines/platform.ts";
import { newToken, sha256Hex } from "../../kernel/ids.ts";
import { createRateLimit } from "../../kernel/rate-limit.ts";
import { actorErrors } from "./errors.ts";
import * as store from "./instance-store.ts";
import { limits } from "./limits.ts";

/** What a ticket opens: all classes of an app, one of them, or one instance. */
export interface TicketScope {
  readonly className: string | null;
  readonly instance: string | null;
}

/** Tickets stand for an access token once, for half a minute: so that no token need be in a URL. */
export interface Tickets {
  /** Throws QUOTA_RATE_LIMIT for a user who asks for more than anyone connects. */
  create(
    appId: string,
    userId: string,
    token: string,
    scope: TicketScope,
  ): Promise<{ ticket: string; expiresAtMs: number }>;
  /** The access token behind it; throws DURABLE_OBJECT_TICKET_INVALID. A ticket shown once is spent. */
  redeem(appId: string, ticket: string, target: { className: string; instance: string }): Promise<string>;
}

const PURPOSE = "durable-object-ticket";

/** What one user may ask for: a ticket per connection, and some to spare. */
const RATE = { name: "actor_tickets", points: 120, windowS: 60 };

export function createTickets({ database, secrets, clock, metrics }: Platform): Tickets {
  const rate = createRateLimit(RATE, metrics);
  return {
    async create(appId, userId, token, { className, instance }) {
      await rate.consume(`${appId}/${userId}`);
      const ticket = newToken();
      const expiresAtMs = clock() + limits.ticketMs;
      await store.insertTicket(database, sha256Hex(ticket), {
        app_id: appId,
        credential: secrets.seal(PURPOSE, token, appId),
        class_name: className,
        instance,
        expires_at: new Date(expiresAtMs),
      });
      return { ticket, expiresAtMs };
    },
    async redeem(appId, ticket, target) {
      const row = await store.takeTicket(database, sha256Hex(ticket));
      const fits =
        row !== null &&
        row.app_id === appId &&
        row.expires_at.getTime() > clock() &&
        (row.class_name === null || row.class_name === target.className) &&
        (row.instance === null || row.instance === target.instance);
      if (!fits) throw actorErrors.DURABLE_OBJECT_TICKET_INVALID();
      return secrets.open(PURPOSE, row.credential, appId);
    },
  };
}
