import type { ToolDefinition } from "@ambit/policy";
import type { Platform } from "./engines/platform.ts";
import type { ApprovalsService } from "./features/approvals/service.ts";
import { createGateway } from "./features/gateway/index.ts";
import { createGatewayCredentials } from "./features/gateway-credentials/index.ts";
import { createGatewayDecisions } from "./features/gateway-decisions/index.ts";
import { createGatewayGrants } from "./features/gateway-grants/index.ts";
import { createGatewayHolds } from "./features/gateway-holds/index.ts";
import { createGatewayPolicies } from "./features/gateway-policies/index.ts";
import { createGatewayQuotas } from "./features/gateway-quotas/index.ts";
import { createGatewayServers } from "./features/gateway-servers/index.ts";
import type { BuiltinFace } from "./features/gateway-servers/service.ts";
import type { LedgerService } from "./features/ledger/service.ts";
import type { GuardedFetch } from "./kernel/guarded-fetch.ts";

/** What the features of the gateway use of the others. */
interface Surroundings {
  readonly approvals: ApprovalsService;
  readonly fetch: GuardedFetch;
  readonly ledger: LedgerService;
  /** Ambit's own tools, as each of its built-in servers lists them. */
  builtinTools(face: BuiltinFace): readonly ToolDefinition[];
}

/** The features of the policy gateway, wired to each other; those that others use come first. */
export function composeGateway(platform: Platform, { approvals, fetch, ledger, builtinTools }: Surroundings) {
  // Servers ask for credentials only once there are servers.
  const servers = createGatewayServers(platform, {
    ...{ ledger, builtinTools },
    credentials: {
      headersOf: (server) => credentials.service.headersOf(server),
      renew: (server) => credentials.service.renew(server),
    },
  });
  const credentials = createGatewayCredentials(platform, { fetch, servers: servers.service });
  const policies = createGatewayPolicies(platform, { servers: servers.service, ledger });
  const quotas = createGatewayQuotas(platform);
  const grants = createGatewayGrants(platform, {
    ...{ servers: servers.service, policies: policies.service, quotas: quotas.service },
  });
  const decisions = createGatewayDecisions(platform, {
    ...{ ledger, policies: policies.service, servers: servers.service, grants: grants.service },
  });
  const holds = createGatewayHolds(platform, { approvals, ledger, quotas: quotas.service });
  const gateway = createGateway(platform, {
    ...{ servers: servers.service, policies: policies.service, grants: grants.service },
    ...{ quotas: quotas.service, decisions: decisions.service, holds: holds.service },
  });
  return {
    gateway: gateway.service,
    servers: servers.service,
    features: [
      servers.feature,
      credentials.feature,
      policies.feature,
      quotas.feature,
      grants.feature,
      decisions.feature,
      holds.feature,
      gateway.feature,
    ],
  };
}
