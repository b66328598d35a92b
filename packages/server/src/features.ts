import type { FastifyInstance } from "fastify";
import { registerDataRoutes } from "./doors/http/data-routes.ts";
import type { Checks } from "./doors/http/health-routes.ts";
import { mcpErrors, registerMcpRoutes } from "./doors/mcp/index.ts";
import { createPrincipalResolver, type ResolvePrincipal } from "./doors/principal.ts";
import { attachUpgrades, createRealtimeLane } from "./doors/websocket/index.ts";
import type { Platform } from "./engines/platform.ts";
import { createApps } from "./features/apps/index.ts";
import type { AppsService } from "./features/apps/service.ts";
import { createAudit } from "./features/audit/index.ts";
import type { AuditService } from "./features/audit/service.ts";
import { createAuth } from "./features/auth/index.ts";
import { createData } from "./features/data/index.ts";
import { createDocs } from "./features/docs/index.ts";
import { createKeys } from "./features/keys/index.ts";
import { createKeysService, type KeysService } from "./features/keys/service.ts";
import { createMail } from "./features/mail/index.ts";
import { createOrganizations } from "./features/organizations/index.ts";
import { createRealtime } from "./features/realtime/index.ts";
import { createRls } from "./features/rls/index.ts";
import { createSchema } from "./features/schema/index.ts";
import { VERSION } from "./kernel/config.ts";
import { errors } from "./kernel/errors.ts";
import { createGuardedFetch } from "./kernel/guarded-fetch.ts";
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
  /** Resolves once everything that starts in the background has started. */
  settled(): Promise<void>;
  registerDoors(fastify: FastifyInstance, pipeline: Pipeline): void;
}

/** Makes all features in the order in which one may use another. */
export function composeFeatures(platform: Platform): Composition {
  const fetch = createGuardedFetch({ allowPrivate: [...platform.config.allowPrivateFetch] });
  const keysService = createKeysService(platform);
  const audit = createAudit(platform);
  const apps = createApps(platform);
  const organizations = createOrganizations(platform, keysService);
  const keys = createKeys(
    platform,
    keysService,
    async (appId) => (await apps.service.find(appId))?.organizationId ?? null,
  );
  const schema = createSchema(platform);
  const rls = createRls(platform, { schema: schema.service, apps: apps.service });
  const data = createData(platform, { schema: schema.service });
  const mail = createMail(platform);
  const auth = createAuth(platform, { apps: apps.service, mail: mail.service, fetch });
  const realtime = createRealtime(platform);
  const docs = createDocs(platform, {
    operations: () => features.flatMap((feature) => feature.operations),
    paths: () => Object.assign({}, ...features.map((feature) => feature.paths)),
    errors: () =>
      Object.assign({}, errors.entries, mcpErrors.entries, ...features.map((feature) => feature.errors)),
  });
  const features: Feature[] = [
    organizations.feature,
    keys,
    apps.feature,
    schema.feature,
    rls.feature,
    data.feature,
    realtime.feature,
    auth.feature,
    mail.feature,
    audit.feature,
    docs.feature,
  ];
  const resolvePrincipal = createPrincipalResolver({
    resolveKey: (token) => keysService.resolve(token),
    verifyAccessToken: (appId, token) => auth.service.verifyAccessToken(appId, token),
    badKeys: createRateLimit(BAD_KEYS, platform.metrics),
  });
  return {
    features,
    apps: apps.service,
    audit: audit.service,
    keys: keysService,
    resolvePrincipal,
    checks: {
      realtime: async () => (realtime.service.streaming ? null : "the change stream is not connected"),
    },
    settled: () => realtime.service.ready(),
    registerDoors(fastify, pipeline) {
      const { clock, log, publicUrl } = platform;
      registerDataRoutes(fastify, { data: data.service, apps: apps.service, resolvePrincipal, clock });
      registerMcpRoutes(fastify, {
        operations: features.flatMap((feature) => feature.operations),
        tools: features.flatMap((feature) => feature.tools ?? []),
        pipeline,
        resolvePrincipal,
        log,
        clock,
        version: VERSION,
        publicUrl,
      });
      const realtimeLane = createRealtimeLane({
        realtime: realtime.service,
        metrics: platform.metrics,
        baseDomain: platform.config.baseDomain,
        trustedProxies: platform.config.trustedProxies,
        resolvePrincipal,
        clock,
        log,
        publicUrl,
        findApp: (reference) => apps.service.find(reference),
        onAppChanged: (listener) => apps.service.onChange(listener),
        onKeyRevoked: (listener) => keysService.onRevoked(listener),
        onSessionEnded: (listener) => auth.service.onSessionRevoked(listener),
      });
      const upgrades = attachUpgrades(fastify.server, {
        lanes: [realtimeLane],
        baseDomain: platform.config.baseDomain,
        publicUrl,
      });
      fastify.addHook("preClose", async () => {
        upgrades.close();
        await realtimeLane.close();
      });
    },
  };
}
