import type { Platform } from "../../engines/platform.ts";
import type { GatewayDecisionsService } from "../gateway-decisions/service.ts";
import type { GatewayGrantsService } from "../gateway-grants/service.ts";
import type { GatewayHoldsService } from "../gateway-holds/service.ts";
import type { GatewayPoliciesService } from "../gateway-policies/service.ts";
import type { GatewayQuotasService } from "../gateway-quotas/service.ts";
import type { GatewayServersService } from "../gateway-servers/service.ts";
import type { GatewayMetrics } from "./metrics.ts";

export interface GatewayDeps {
  readonly servers: GatewayServersService;
  readonly policies: GatewayPoliciesService;
  readonly grants: GatewayGrantsService;
  readonly quotas: GatewayQuotasService;
  readonly decisions: GatewayDecisionsService;
  readonly holds: GatewayHoldsService;
}

/** What the parts of the judge share. */
export interface GatewayContext extends GatewayDeps {
  readonly platform: Platform;
  readonly metrics: GatewayMetrics;
  /** Repeated calls that wait for one that is running. */
  waiters: number;
}
