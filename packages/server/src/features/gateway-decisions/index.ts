import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { decisionErrors } from "./errors.ts";
import { judgingOperations } from "./judging-operations.ts";
import { decisionOperations } from "./operations.ts";
import { createDecisionsService, type DecisionsDeps, type GatewayDecisionsService } from "./service.ts";

/** The decision log of the gateway, and policies tried out on it. */
export function createGatewayDecisions(
  platform: Platform,
  deps: DecisionsDeps,
): { feature: Feature; service: GatewayDecisionsService } {
  const service = createDecisionsService(platform, deps);
  const feature: Feature = {
    name: "gateway-decisions",
    operations: [...decisionOperations(service), ...judgingOperations(service)],
    errors: decisionErrors.entries,
    start: async () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
