import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Platform } from "../../../engines/platform.ts";
import { migrate } from "../../../engines/postgres/migrate.ts";
import { createData } from "../../../features/data/index.ts";
import { createDurableObjects } from "../../../features/durable-objects/index.ts";
import { createFunctions } from "../../../features/functions/index.ts";
import type { FunctionsService } from "../../../features/functions/service.ts";
import { createRuntime } from "../../../features/runtime/index.ts";
import type { RuntimeService } from "../../../features/runtime/service.ts";
import { createSchema } from "../../../features/schema/index.ts";
import { errors } from "../../../kernel/errors.ts";
import type { App, Feature } from "../../../kernel/operation.ts";
import { ANONYMOUS, type KeyPrincipal, type Principal } from "../../../kernel/principal.ts";
import { MIGRATIONS } from "../../../migrations.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createHttpServer } from "../../http/server.ts";
import type { ResolvePrincipal } from "../../principal.ts";
import { attachRuntimeDoor } from "../../runtime/index.ts";
import type { SubstrateDeps } from "../../runtime/substrate.ts";
import { createFunctionLanes } from "../index.ts";

const migrations = (feature: string) => ({
  feature,
  directory: new URL(`../../../features/${feature}/migrations/`, import.meta.url),
});

/** Everything functions need, for real: Postgres, workerd, the HTTP server with its lanes, and callbacks. */
export interface Stage extends Omit<TestPlatform, "stop"> {
  readonly functions: FunctionsService;
  readonly feature: Feature;
  readonly actors: Feature;
  readonly runtime: RuntimeService;
  readonly url: string;
  /** A key of the organisation; `make` changes what it may. */
  key(make?: Partial<KeyPrincipal>): { principal: KeyPrincipal; bearer: string };
  /** An access token of one of the app's users. */
  user(app: App, userId: string, claims?: Record<string, unknown>): string;
  call(path: string, init?: RequestInit): Promise<Response>;
  deploy(app: App, name: string, code: string, more?: Partial<DeployOrder>): Promise<void>;
  stop(): Promise<void>;
}

type DeployOrder = Parameters<FunctionsService["deploy"]>[1];

/** `substrateOf` makes what code reaches as the substrate; without it there is none. */
export async function functionsStage(
  substrateOf?: (world: TestPlatform, platform: Platform) => SubstrateDeps,
): Promise<Stage> {
  const world = await testPlatform();
  const known = new Set(MIGRATIONS.map(({ feature }) => feature));
  await migrate(
    world.platform.database,
    ["runtime", "durable-objects", "functions"].filter((feature) => !known.has(feature)).map(migrations),
  );
  const dataDir = mkdtempSync(join(tmpdir(), "ambit-functions-"));
  const config = { ...world.platform.config, dataDir };
  const platform = { ...world.platform, config, publicUrl: () => "http://localhost:4000" };
  const { apps } = world;
  const runtime = createRuntime(platform);
  const schema = createSchema(platform);
  const data = createData(platform, { schema: schema.service });
  const { service: functions, feature } = createFunctions(platform, { apps, runtime: runtime.service });
  const actors = createDurableObjects(platform, { apps, runtime: runtime.service });
  attachRuntimeDoor({
    runtime: runtime.service,
    functions,
    actors: actors.service,
    apps,
    data: data.service,
    clock: platform.clock,
    log: platform.log,
    publicUrl: platform.publicUrl,
    hostOf: (app) => `${app.subdomain}.localhost:4000`,
    ...(substrateOf === undefined ? {} : { substrate: substrateOf(world, platform) }),
  });
  const callers = new Map<string, Principal>();
  const resolvePrincipal: ResolvePrincipal = async (authorization) => {
    if (authorization === undefined) return ANONYMOUS;
    const found = callers.get(authorization);
    if (found === undefined) throw errors.AUTH_INVALID_TOKEN();
    return found;
  };
  const lanes = createFunctionLanes({
    functions,
    runtime: runtime.service,
    resolvePrincipal,
    clock: platform.clock,
    log: platform.log,
    baseDomain: "localhost",
    trustedProxies: 0,
    publicUrl: platform.publicUrl,
  });
  const server = createHttpServer({
    log: platform.log,
    baseDomain: "localhost",
    trustedProxies: 0,
    publicUrl: platform.publicUrl,
    findApp: (reference) => apps.find(reference),
    lanes: () => lanes.lanes,
  });
  await runtime.feature.start?.();
  await server.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  let made = 0;
  return {
    ...world,
    platform,
    functions,
    feature,
    actors: actors.feature,
    runtime: runtime.service,
    url,
    key(make = {}) {
      const bearer = `Bearer bb_sk_${++made}`;
      const principal: KeyPrincipal = {
        kind: "key",
        keyId: `key-${made}`,
        keyKind: "agent",
        accountId: "account",
        organizationId: world.organizationId,
        role: "developer",
        scopes: ["*"],
        expiresAtMs: null,
        ...make,
      };
      callers.set(bearer, principal);
      return { principal, bearer };
    },
    user(app, userId, claims = {}) {
      const token = `Bearer a.b.${++made}`;
      callers.set(token, {
        kind: "user",
        appId: app.id,
        userId,
        claims: { sub: userId, app_id: app.id, role: "user", ...claims },
        expiresAtMs: Date.now() + 3_600_000,
      });
      return token;
    },
    call: (path, init) => fetch(`${url}${path}`, init),
    async deploy(app, name, code, more = {}) {
      await functions.deploy(app, { name, code, by: null, ...more });
    },
    async stop() {
      lanes.close();
      server.server.closeAllConnections();
      await server.close();
      await functions.stop();
      await runtime.feature.stop?.();
      await world.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
