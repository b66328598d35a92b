import type { FastifyInstance } from "fastify";
import type { Checks } from "./doors/http/health-routes.ts";
import { createPrincipalResolver, type ResolvePrincipal } from "./doors/principal.ts";
import type { Platform } from "./engines/platform.ts";
import { createApps } from "./features/apps/index.ts";
import type { AppsService } from "./features/apps/service.ts";
import { createAudit } from "./features/audit/index.ts";
import type { AuditService } from "./features/audit/service.ts";
import { createKeys } from "./features/keys/index.ts";
import { createKeysService, type KeysService } from "./features/keys/service.ts";
import { createOrganizations } from "./features/organizations/index.ts";
import { errors } from "./kernel/errors.ts";
import type { Feature } from "./kernel/operation.ts";
import type { Pipeline } from "./kernel/pipeline.ts";
import { createRateLimit } from "./kernel/rate-limit.ts";

/** Wrong keys one address may try per minute. */
const BAD_KEYS = { name: "bad_keys", points: 100, windowS: 60 };

/** Every feature, wired to those it uses. */
export interface Composition {
  readonly features: readonly Feature[];
  readonly apps: AppsService;
  readonly audit: AuditService;
  readonly keys: KeysService;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly checks: Checks;
  registerDoors(fastify: FastifyInstance, pipeline: Pipeline): void;
}

/** Makes all features in the order in which one may use another. */
export function composeFeatures(platform: Platform): Composition {
  const keysService = createKeysService(platform);
  const audit = createAudit(platform);
  const apps = createApps(platform);
  const organizations = createOrganizations(platform, keysService);
  const keys = createKeys(
    platform,
    keysService,
    async (appId) => (await apps.service.find(appId))?.organizationId ?? null,
  );
  const resolvePrincipal = createPrincipalResolver({
    resolveKey: (token) => keysService.resolve(token),
    verifyAccessToken: () => Promise.reject(errors.AUTH_INVALID_TOKEN()),
    badKeys: createRateLimit(BAD_KEYS, platform.metrics),
  });
  return {
    features: [organizations.feature, keys, apps.feature, audit.feature],
    apps: apps.service,
    audit: audit.service,
    keys: keysService,
    resolvePrincipal,
    checks: {},
    registerDoors() {},
  };
}
