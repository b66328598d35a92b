import type { Transaction } from "../../engines/postgres/database.ts";
import type { JsonObject } from "../ledger/service.ts";

/** Something to tell whoever registered a webhook for it. */
export interface OutboxEvent {
  readonly organizationId: string;
  /** A capability's name, `approval.requested` or `approval.decided`: what targets are registered for. */
  readonly capability: string;
  /** The action or approval it is about. */
  readonly subject: string;
  readonly sourceAppId: string | null;
  /** The body, sent exactly as given. */
  readonly body: JsonObject;
}

export interface OutboxService {
  /**
   * Queues the event for every matching target, as part of `tx`; nothing when there is none. Returns the ids of what
   * was queued. Delivered at least once, with back-off, until it is delivered, dead or cancelled.
   */
  enqueue(tx: Transaction, event: OutboxEvent, nowMs: number): Promise<string[]>;
}
