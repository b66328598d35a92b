import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { grantErrors } from "./errors.ts";
import { grantOperations } from "./operations.ts";
import { grantReadOperations } from "./read-operations.ts";
import {
  createGrantsService,
  type GatewayGrantsService,
  type GrantsDeps,
  type GrantsOfServers,
} from "./service.ts";

/** Grants of the gateway: labelled tokens, each for one server under one policy. */
export function createGatewayGrants(
  platform: Platform,
  deps: GrantsDeps,
): { feature: Feature; service: GatewayGrantsService & GrantsOfServers } {
  const service = createGrantsService(platform, deps);
  const feature: Feature = {
    name: "gateway-grants",
    operations: [...grantReadOperations(platform, service), ...grantOperations(platform, service)],
    errors: grantErrors.entries,
    start: async () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
