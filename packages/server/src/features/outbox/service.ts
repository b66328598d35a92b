import type { Platform } from "../../engines/platform.ts";
import type { Queryable, Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import { newSortableId, newUuid } from "../../kernel/ids.ts";
import type { JsonObject } from "../ledger/service.ts";
import { createDeliverer, type DelivererDeps } from "./deliverer.ts";
import { outboxErrors } from "./errors.ts";
import * as store from "./store.ts";
import { cancelRow, holdRow, insertRow, type OutboxRow, restartRow, type State } from "./store.ts";
import * as targets from "./target-store.ts";
import { createTargets, type TargetManagement } from "./targets.ts";

export type { OutboxRow, State } from "./store.ts";
export type { TargetKey, TargetRow } from "./target-store.ts";

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
  /**
   * Removes events about these subjects with what they say, delivered or not; how many there were. What is being sent
   * right now is not stopped.
   */
  erase(tx: Transaction, organizationId: string, subjects: readonly string[]): Promise<number>;
}

/** Which rows a caller may see: those of its organisation, or only what these apps caused. */
export interface OutboxReach {
  readonly organizationId: string;
  readonly apps: readonly string[] | null;
}

/** What the feature's own operations do. */
export interface OutboxManagement extends TargetManagement {
  list(
    reach: OutboxReach,
    filter: { state: State | null; capability: string | null; before: string | null; limit: number },
  ): Promise<OutboxRow[]>;
  /**
   * Starts a delivery anew that failed, is dead or was cancelled. Throws RESOURCE_NOT_FOUND, wrong_status,
   * OUTBOX_TARGET_GONE.
   */
  retry(reach: OutboxReach, id: string, nowMs: number): Promise<OutboxRow>;
  /** Ends a delivery that waits. Throws RESOURCE_NOT_FOUND, wrong_status. */
  cancel(reach: OutboxReach, id: string, nowMs: number): Promise<OutboxRow>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createOutboxService(
  platform: Platform,
  deps: DelivererDeps,
): OutboxService & OutboxManagement {
  const { database } = platform;
  const deliverer = createDeliverer(platform, deps);

  /** One row the caller may act on; held until the transaction ends. */
  const held = async (
    tx: Queryable,
    reach: OutboxReach,
    id: string,
    may: readonly State[],
    nowMs: number,
  ) => {
    const row = await holdRow(tx, reach.organizationId, id);
    if (row === null || (reach.apps !== null && !reach.apps.includes(row.source_app_id ?? ""))) {
      throw errors.RESOURCE_NOT_FOUND({
        message: `There is no ${id.slice(0, 80)} in the outbox.`,
        remediation: "List the outbox first: GET /v1/me/substrate/outbox.",
      });
    }
    const underWay = row.leased_until !== null && row.leased_until.getTime() > nowMs;
    if (underWay || !may.includes(row.state)) {
      const message = underWay ? `${row.id} is being delivered right now.` : `${row.id} is ${row.state}.`;
      throw outboxErrors.wrong_status({ message, details: { state: row.state, under_way: underWay } });
    }
    return row;
  };

  return {
    async enqueue(tx, event, nowMs) {
      const matching = await targets.holdMatching(tx, event);
      const ids: string[] = [];
      for (const target of matching) {
        const id = newSortableId("ob", nowMs);
        await insertRow(tx, rowFor(id, event, target), new Date(nowMs));
        ids.push(id);
      }
      return ids;
    },
    erase: (tx, organizationId, subjects) => store.deleteAbout(tx, organizationId, subjects),
    list: ({ organizationId, apps }, filter) =>
      store.selectRows(database, organizationId, { ...filter, apps }),
    async retry(reach, id, nowMs) {
      const row = await database.transaction(async (tx) => {
        const before = await held(tx, reach, id, ["failed", "dead", "cancelled"], nowMs);
        const target = await targets.holdTarget(tx, { ...before, source_app_id: before.target_app_id });
        if (target === null) throw outboxErrors.OUTBOX_TARGET_GONE();
        return restartRow(tx, id, { id: target.id, url: target.webhook_url }, new Date(nowMs));
      });
      deliverer.wake();
      return row;
    },
    cancel: (reach, id, nowMs) =>
      database.transaction(async (tx) => {
        await held(tx, reach, id, ["pending", "failed"], nowMs);
        return cancelRow(tx, id, new Date(nowMs));
      }),
    ...createTargets(platform),
    start: async () => deliverer.start(),
    stop: () => deliverer.stop(),
  };
}

const rowFor = (id: string, event: OutboxEvent, target: targets.TargetRow) => ({
  id,
  organization_id: event.organizationId,
  target_id: target.id,
  target_app_id: target.source_app_id,
  target_url: target.webhook_url,
  capability: event.capability,
  subject: event.subject,
  source_app_id: event.sourceAppId,
  delivery_id: newUuid(),
  body: JSON.stringify(event.body),
});
