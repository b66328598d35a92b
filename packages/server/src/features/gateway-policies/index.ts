import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { policyErrors } from "./errors.ts";
import { policyOperations } from "./operations.ts";
import { policyReadOperations } from "./read-operations.ts";
import { createPoliciesService, type GatewayPoliciesService, type PoliciesDeps } from "./service.ts";

/** Policies of the gateway: documents with versions, of which one holds. */
export function createGatewayPolicies(
  platform: Platform,
  deps: PoliciesDeps,
): { feature: Feature; service: GatewayPoliciesService } {
  const service = createPoliciesService(platform, deps);
  const feature: Feature = {
    name: "gateway-policies",
    operations: [...policyReadOperations(service), ...policyOperations(service)],
    errors: policyErrors.entries,
  };
  return { feature, service };
}
