import type { ToolDefinition } from "@ambit/policy";
import type { FastifyInstance } from "fastify";
import { createActorLanes } from "./doors/actors/index.ts";
import { approveErrors, registerApprovePage } from "./doors/approve/index.ts";
import { createFunctionLanes } from "./doors/functions/index.ts";
import { createBuiltinUpstream, createGatewayLane, gatewayDoorErrors } from "./doors/gateway/index.ts";
import { registerDataRoutes } from "./doors/http/data-routes.ts";
import type { Checks } from "./doors/http/health-routes.ts";
import type { HttpLane } from "./doors/http/lanes.ts";
import {
  type BuiltinServers,
  buildCatalogue,
  type Catalogue,
  createBuiltinServers,
  mcpErrors,
  registerMcpRoutes,
} from "./doors/mcp/index.ts";
import { createPrincipalResolver, type ResolvePrincipal } from "./doors/principal.ts";
import { attachRuntimeDoor } from "./doors/runtime/index.ts";
import { attachUpgrades, createRealtimeLane, createSubstrateLane } from "./doors/websocket/index.ts";
import { namesOf, type Platform } from "./engines/platform.ts";
import { createApps } from "./features/apps/index.ts";
import type { AppsService } from "./features/apps/service.ts";
import { createAudit } from "./features/audit/index.ts";
import type { AuditService } from "./features/audit/service.ts";
import { createAuth } from "./features/auth/index.ts";
import { createData } from "./features/data/index.ts";
import { createDocs } from "./features/docs/index.ts";
import { createDurableObjects } from "./features/durable-objects/index.ts";
import { createFunctions } from "./features/functions/index.ts";
import { createKeys } from "./features/keys/index.ts";
import { createKeysService, type KeysService } from "./features/keys/service.ts";
import { createLedger } from "./features/ledger/index.ts";
import { createMail } from "./features/mail/index.ts";
import { createOrganizations } from "./features/organizations/index.ts";
import { createRealtime } from "./features/realtime/index.ts";
import { createRls } from "./features/rls/index.ts";
import { createRuntime } from "./features/runtime/index.ts";
import { createSchema } from "./features/schema/index.ts";
import { createSubstrateLinks } from "./features/substrate-links/index.ts";
import { composeGateway } from "./gateway-features.ts";
import { hostOf } from "./kernel/app-host.ts";
import { VERSION } from "./kernel/config.ts";
import { errors } from "./kernel/errors.ts";
import { createGuardedFetch } from "./kernel/guarded-fetch.ts";
import type { Feature } from "./kernel/operation.ts";
import type { Pipeline, PipelinePorts } from "./kernel/pipeline.ts";
import { createRateLimit } from "./kernel/rate-limit.ts";
import { composeSubstrate } from "./substrate-features.ts";

/** Wrong keys one address may try per minute. */
const BAD_KEYS = { name: "bad_keys", points: 100, windowS: 60 };

/** Every feature, wired to those it uses. */
export interface Composition {
  readonly features: readonly Feature[];
  readonly apps: AppsService;
  readonly audit: AuditService;
  readonly keys: KeysService;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly admit: NonNullable<PipelinePorts["admit"]>;
  readonly checks: Checks;
  /** Resolves once everything that starts in the background has started. */
  settled(): Promise<void>;
  /** Doors that come before the router. */
  readonly lanes: readonly HttpLane[];
  registerDoors(fastify: FastifyInstance, pipeline: Pipeline): void;
}

/** Makes all features in the order in which one may use another. */
export function composeFeatures(platform: Platform): Composition {
  const fetch = createGuardedFetch({ allowPrivate: [...platform.config.allowPrivateFetch] });
  const keysService = createKeysService(platform);
  const ledger = createLedger(platform);
  const audit = createAudit(platform, { ledger: ledger.service });
  const apps = createApps(platform, (appIds) => links.service.ofApps(appIds));
  const links = createSubstrateLinks(platform);
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
  const runtime = createRuntime(platform);
  const durableObjects = createDurableObjects(platform, { apps: apps.service, runtime: runtime.service });
  const functions = createFunctions(platform, {
    apps: apps.service,
    runtime: runtime.service,
    auth: auth.service,
  });
  const realtime = createRealtime(platform, {
    onEvent: functions.service.onRealtimeEvent,
    enums: (appId) => schema.service.enums(appId),
    onChanged: (appId) => schema.service.forget(appId),
  });
  const substrate = composeSubstrate(platform, {
    ...{ links, apps: apps.service, auth: auth.service, fetch, keys: keysService, ledger: ledger.service },
    ...{ mail: mail.service, organizations: organizations.service, realtime: realtime.service },
  });
  const gateway = composeGateway(platform, {
    ...{ approvals: substrate.approvals, fetch, ledger: ledger.service },
    builtinTools: (face) => catalogue()[face].listed as unknown as readonly ToolDefinition[],
  });
  apps.service.onDelete((appId) => runtime.service.forget(appId));
  const docs = createDocs(platform, {
    operations: () => features.flatMap((feature) => feature.operations),
    paths: () => Object.assign({}, ...features.map((feature) => feature.paths)),
    errors: () =>
      Object.assign(
        {},
        errors.entries,
        mcpErrors.entries,
        approveErrors.entries,
        gatewayDoorErrors.entries,
        ...features.map((feature) => feature.errors),
      ),
  });
  const features: Feature[] = [
    ledger.feature,
    organizations.feature,
    keys,
    runtime.feature,
    apps.feature,
    schema.feature,
    rls.feature,
    data.feature,
    ...substrate.features,
    ...gateway.features,
    realtime.feature,
    durableObjects.feature,
    functions.feature,
    auth.feature,
    mail.feature,
    audit.feature,
    docs.feature,
  ];
  // Every operation's schemas: computed with the first need of it, once.
  let built: Catalogue | undefined;
  const catalogue = () =>
    (built ??= buildCatalogue(
      features.flatMap((feature) => feature.operations),
      features.flatMap((feature) => feature.tools ?? []),
    ));
  const resolvePrincipal = createPrincipalResolver({
    resolveKey: (token) => keysService.resolve(token),
    verifyAccessToken: (appId, token) => auth.service.verifyAccessToken(appId, token),
    badKeys: createRateLimit(BAD_KEYS, platform.metrics),
  });
  const { clock, log, metrics, publicUrl } = platform;
  const { baseDomain, trustedProxies } = platform.config;
  const functionLanes = createFunctionLanes({
    ...{ functions: functions.service, runtime: runtime.service, resolvePrincipal },
    ...{ clock, log, baseDomain, trustedProxies, publicUrl },
  });
  const actorLanes = createActorLanes({
    ...{ actors: durableObjects.service, runtime: runtime.service, resolvePrincipal },
    ...{ clock, log, metrics, baseDomain, trustedProxies, publicUrl },
    findApp: (reference) => apps.service.find(reference),
    onAppChanged: (listener) => apps.service.onChange(listener),
    onKeyRevoked: (listener) => keysService.onRevoked(listener),
    onSessionEnded(listener) {
      auth.service.onSessionRevoked((_appId, sessionId) => listener(sessionId));
      realtime.service.onSessionEnded(listener);
    },
    hold: () => realtime.service.hold(),
    onGap: (listener) => realtime.service.onGap(listener),
  });
  let builtin: BuiltinServers;
  const gatewayLane = createGatewayLane({
    ...{ gateway: gateway.gateway, servers: gateway.servers, secrets: platform.secrets },
    ...{ clock, log, metrics, trustedProxies, publicUrl },
    builtin: createBuiltinUpstream(() => builtin, { clock, log }),
  });
  attachRuntimeDoor({
    ...{ apps: apps.service, data: data.service, runtime: runtime.service },
    ...{ functions: functions.service, actors: durableObjects.service, clock, log, publicUrl },
    hostOf: (app) => hostOf(namesOf(platform), app),
    substrate: {
      ...{ links: links.service, substrate: substrate.substrate, stream: substrate.stream },
      operations: () => features.flatMap((feature) => feature.operations),
    },
  });
  return {
    features,
    lanes: [gatewayLane.http, actorLanes.http, ...functionLanes.lanes],
    apps: apps.service,
    audit: audit.service,
    keys: keysService,
    resolvePrincipal,
    // Where no app is named, a key bound to one reaches the substrate through that app's link.
    async admit({ surface, scope }, { principal }) {
      if (surface !== "substrate" || scope !== "platform" || principal.kind !== "key") return;
      await links.service.readerOf(principal);
    },
    checks: {
      realtime: async () => (realtime.service.readable ? null : "the change stream is not connected"),
    },
    settled: () => realtime.service.ready(),
    registerDoors(fastify, pipeline) {
      const operations = features.flatMap((feature) => feature.operations);
      registerDataRoutes(fastify, { data: data.service, apps: apps.service, resolvePrincipal, clock });
      registerApprovePage(fastify, {
        ...{ approvals: substrate.approvals, keys: keysService, resolvePrincipal },
        ...{ secrets: platform.secrets, clock, log, publicUrl },
      });
      const mcpDeps = {
        ...{ operations, tools: features.flatMap((feature) => feature.tools ?? []) },
        ...{ pipeline, resolvePrincipal, log, clock, version: VERSION, publicUrl },
      };
      registerMcpRoutes(fastify, mcpDeps, catalogue());
      builtin = createBuiltinServers(mcpDeps, catalogue());
      const realtimeLane = createRealtimeLane({
        realtime: realtime.service,
        metrics,
        baseDomain,
        trustedProxies,
        resolvePrincipal,
        clock,
        log,
        publicUrl,
        findApp: (reference) => apps.service.find(reference),
        onAppChanged: (listener) => apps.service.onChange(listener),
        onKeyRevoked: (listener) => keysService.onRevoked(listener),
        onSessionEnded: (listener) => auth.service.onSessionRevoked(listener),
      });
      const substrateLane = createSubstrateLane({
        ...{ stream: substrate.stream, resolvePrincipal, metrics, clock, log, trustedProxies },
        onKeyRevoked: (listener) => keysService.onRevoked(listener),
      });
      const upgrades = attachUpgrades(fastify.server, {
        lanes: [realtimeLane, substrateLane, actorLanes.upgrade],
        baseDomain,
        publicUrl,
      });
      fastify.addHook("preClose", async () => {
        upgrades.close();
        functionLanes.close();
        await Promise.all([
          ...[realtimeLane.close(), substrateLane.close(), actorLanes.close()],
          ...[gatewayLane.close(), builtin.close()],
        ]);
      });
    },
  };
}
