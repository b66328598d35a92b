import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { gatewayHoldErrors } from "./errors.ts";
import { createLifeSigns, createTidying } from "./housekeeping.ts";
import { createGatewayHoldsService, type GatewayHoldsDeps, type GatewayHoldsService } from "./service.ts";

/** Calls of tools that wait for a person, and their one execution. */
export function createGatewayHolds(
  platform: Platform,
  deps: GatewayHoldsDeps,
): { feature: Feature; service: GatewayHoldsService } {
  const { service, context } = createGatewayHoldsService(platform, deps);
  const tidying = createTidying(context);
  const lifeSigns = createLifeSigns(context);
  const feature: Feature = {
    name: "gateway-holds",
    operations: [],
    errors: gatewayHoldErrors.entries,
    async start() {
      tidying.start();
      lifeSigns.start();
    },
    async stop() {
      await Promise.all([tidying.stop(), lifeSigns.stop()]);
    },
  };
  return { feature, service };
}
