import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { gatewayErrors } from "./errors.ts";
import { createGatewayService, type GatewayDeps, type GatewayService } from "./service.ts";
import { createSweep } from "./sweep.ts";

/** The judge between agents and MCP servers. */
export function createGateway(
  platform: Platform,
  deps: GatewayDeps,
): { feature: Feature; service: GatewayService } {
  const { service, context } = createGatewayService(platform, deps);
  const sweep = createSweep(context);
  const feature: Feature = {
    name: "gateway",
    operations: [],
    errors: gatewayErrors.entries,
    start: async () => sweep.start(),
    stop: () => sweep.stop(),
  };
  return { feature, service };
}
