import { setTimeout as sleep } from "node:timers/promises";
import type { HoldState } from "../gateway-holds/service.ts";
import type { Case } from "./case.ts";
import { gatewayErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { stillHolds } from "./still-holds.ts";

/** Waits for the same call, which is running: for so long, and so many at once. */
export function startWaiting({ context, admission }: Case): {
  /** False when it is time to stop waiting. Throws GATEWAY_GRANT_INVALID when the grant has gone meanwhile. */
  pause(state: HoldState): Promise<boolean>;
  end(): void;
} {
  const untilMs = performance.now() + limits.runningWaitMs;
  let counted = false;
  return {
    async pause(state) {
      if (performance.now() >= untilMs) return false;
      // Somebody else has just claimed it: how it stands now is known at once.
      if (state.kind !== "running") return true;
      if (!counted) {
        if (context.waiters >= limits.runningWaiters) {
          context.platform.metrics.limitsHit.inc({ limit: "gateway_running_waiters" });
          return false;
        }
        context.waiters += 1;
        counted = true;
      }
      await sleep(limits.runningPollMs);
      if (!(await stillHolds(context, admission))) throw gatewayErrors.GATEWAY_GRANT_INVALID();
      return true;
    },
    end() {
      if (counted) context.waiters -= 1;
    },
  };
}
