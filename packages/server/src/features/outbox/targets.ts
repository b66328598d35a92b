import type { Platform } from "../../engines/platform.ts";
import { errors } from "../../kernel/errors.ts";
import { createAddressCheck } from "../../kernel/guarded-fetch.ts";
import { newUuid } from "../../kernel/ids.ts";
import { outboxErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { sealSecret } from "./secret.ts";
import { cancelWaiting } from "./store.ts";
import * as targets from "./target-store.ts";

/** Who is told. */
export interface TargetManagement {
  targets(organizationId: string): Promise<targets.TargetRow[]>;
  /**
   * Sets a target in place of the one there was. Throws EXTERNAL_ADDRESS_REFUSED for an address that must not be called,
   * OUTBOX_SECRET_INVALID, QUOTA_OUTBOX_TARGETS, RESOURCE_NOT_FOUND for an app that is not the organisation's.
   */
  setTarget(
    key: targets.TargetKey,
    to: { webhookUrl: string; signingSecret: string },
    nowMs: number,
  ): Promise<targets.TargetRow>;
  /** Removes a target and cancels what waits for it; how much that was. Throws RESOURCE_NOT_FOUND. */
  removeTarget(key: targets.TargetKey, nowMs: number): Promise<number>;
}

export function createTargets({ database, secrets, config, metrics }: Platform): TargetManagement {
  const checkAddress = createAddressCheck({ allowPrivate: config.allowPrivateFetch });
  return {
    targets: (organizationId) => targets.selectTargets(database, organizationId),
    async setTarget(key, { webhookUrl, signingSecret }, nowMs) {
      await checkAddress(webhookUrl);
      const sealed_secret = sealSecret(secrets, key, signingSecret);
      return database.transaction(async (tx) => {
        await targets.lockTargets(tx, key.organization_id);
        const present = await targets.selectTargets(tx, key.organization_id);
        const same = (each: targets.TargetRow) =>
          each.capability === key.capability && each.source_app_id === key.source_app_id;
        if (present.length >= limits.targets && !present.some(same)) {
          metrics.limitsHit.inc({ limit: "outbox_targets" });
          throw outboxErrors.QUOTA_OUTBOX_TARGETS();
        }
        const target = { ...key, id: newUuid(), webhook_url: webhookUrl, sealed_secret };
        const row = await targets.putTarget(tx, target, new Date(nowMs));
        if (row === null) {
          throw errors.RESOURCE_NOT_FOUND({ message: "There is no such app in this organisation." });
        }
        return row;
      });
    },
    removeTarget: (key, nowMs) =>
      database.transaction(async (tx) => {
        const target = await targets.deleteTarget(tx, key);
        if (target === null) {
          throw errors.RESOURCE_NOT_FOUND({
            message: "There is no such target.",
            remediation:
              "List them (GET /v1/me/substrate/outbox-targets); one that has source_app_id is deleted by naming it.",
          });
        }
        return cancelWaiting(tx, target.id, new Date(nowMs));
      }),
  };
}
