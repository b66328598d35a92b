import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { quotaErrors } from "./errors.ts";
import { createQuotasService, type GatewayQuotasService } from "./service.ts";

/** Counters of the gateway's limits: exact, on any number of nodes. */
export function createGatewayQuotas(platform: Platform): {
  feature: Feature;
  service: GatewayQuotasService;
} {
  const service = createQuotasService(platform);
  const feature: Feature = {
    name: "gateway-quotas",
    operations: [],
    errors: quotaErrors.entries,
    start: async () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
