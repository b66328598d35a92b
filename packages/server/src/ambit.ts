import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { type Credentials, ensureDataDirectory, masterKey } from "./data-directory.ts";
import { registerHealthRoutes } from "./doors/http/health-routes.ts";
import { registerOperationRoutes } from "./doors/http/operation-routes.ts";
import { createHttpServer } from "./doors/http/server.ts";
import type { Platform } from "./engines/platform.ts";
import { Database } from "./engines/postgres/database.ts";
import { composeFeatures } from "./features.ts";
import { prepareCredentials } from "./first-boot.ts";
import { systemClock } from "./kernel/clock.ts";
import { type Config, ConfigError } from "./kernel/config.ts";
import { limits } from "./kernel/limits.ts";
import { createLog } from "./kernel/log.ts";
import { Metrics } from "./kernel/metrics.ts";
import { createPipeline } from "./kernel/pipeline.ts";
import { Secrets } from "./kernel/secrets.ts";
import { migrateAll } from "./migrations.ts";
import { openPostgres } from "./postgres.ts";

/** A running Ambit. */
export interface Ambit {
  readonly apiUrl: string;
  readonly mcpUrl: string;
  readonly credentials: Credentials;
  /** True when this start made the first organisation and keys. */
  readonly firstBoot: boolean;
  /** Stops taking calls, finishes those under way, closes every engine. Further calls give the same promise. */
  stop(): Promise<void>;
}

/** Starts engines, features and doors, in that order; what was started is stopped again when a later step fails. */
export async function startAmbit(config: Config): Promise<Ambit> {
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    return await start(config, stops, stopAll);
  } catch (error) {
    await stopAll().catch(() => {});
    throw error;
  }
}

async function start(
  config: Config,
  stops: (() => Promise<void>)[],
  stopAll: () => Promise<void>,
): Promise<Ambit> {
  ensureDataDirectory(config.dataDir);
  const log = createLog(config.logLevel);
  const secrets = new Secrets(masterKey(config.dataDir, config.masterKey));
  const postgres = await openPostgres(config, log);
  stops.push(() => postgres.stop());
  const database = new Database(postgres.target, (appId) => secrets.derive("tenant-password", appId), log);
  stops.push(() => database.close());
  await migrateAll(database, postgres.admin, log);

  let url = config.publicUrl ?? "";
  const platform: Platform = {
    config,
    log,
    clock: systemClock,
    metrics: new Metrics(),
    secrets,
    database,
    publicUrl: () => url,
  };
  const composed = composeFeatures(platform);
  const pipeline = createPipeline({
    findApp: (reference) => composed.apps.find(reference),
    admit: composed.admit,
    record: (entry) => composed.audit.record(entry),
    observe: (operation, outcome, seconds) =>
      platform.metrics.operations.observe({ operation: operation.name, outcome }, seconds),
  });
  for (const feature of composed.features) {
    if (feature.stop) stops.push(() => feature.stop!());
    await feature.start?.();
  }

  const fastify = createHttpServer({
    log,
    baseDomain: config.baseDomain,
    trustedProxies: config.trustedProxies,
    publicUrl: () => url,
    findApp: (reference) => composed.apps.find(reference),
    lanes: () => composed.lanes,
  });
  let started = false;
  const resolvePrincipal = composed.resolvePrincipal;
  registerHealthRoutes(fastify, {
    metrics: platform.metrics,
    resolvePrincipal,
    clock: platform.clock,
    checks: {
      start: async () => (started ? null : "still starting"),
      database: async () => ((await database.query("select 1")) ? null : "no answer"),
      ...composed.checks,
    },
  });
  const operations = composed.features.flatMap((feature) => feature.operations);
  registerOperationRoutes(fastify, {
    operations,
    pipeline,
    resolvePrincipal,
    findApp: (reference) => composed.apps.find(reference),
    clock: platform.clock,
  });
  composed.registerDoors(fastify, pipeline);
  stops.push(() => closeServer(fastify));
  const listening = await listen(fastify, config);
  url = config.publicUrl ?? listening;
  // A transaction somebody left open on the server may hold the change stream up; the rest serves meanwhile.
  await Promise.race([composed.settled(), sleep(limits.settleMs, undefined, { ref: false })]);
  const { credentials, firstBoot } = await prepareCredentials(platform, composed.keys);
  started = true;
  let stopping: Promise<void> | undefined;
  return {
    apiUrl: url,
    mcpUrl: `${url}/mcp`,
    credentials,
    firstBoot,
    stop: () => (stopping ??= stopAll()),
  };
}

/** Lets requests under way finish for a while, then cuts what is left; a fresh, unused connection counts as busy. */
async function closeServer(fastify: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => fastify.server.closeAllConnections(), limits.drainMs);
  await fastify.close();
  clearTimeout(cut);
}

/** Binds the port; answers with the URL callers on this machine can use. */
async function listen(fastify: FastifyInstance, config: Config): Promise<string> {
  try {
    await fastify.listen({ host: config.host, port: config.port, backlog: limits.listenBacklog });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") {
      throw new ConfigError(
        "AMBIT_PORT",
        `${config.port} is taken by another program`,
        "Choose another port, or 0 for any free one.",
      );
    }
    if (code === "EACCES")
      throw new ConfigError(
        "AMBIT_PORT",
        `${config.port} may not be used by this user`,
        "Choose one from 1024 up.",
      );
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
      throw new ConfigError(
        "AMBIT_HOST",
        `${config.host} is not an address of this machine`,
        "Use 127.0.0.1, or 0.0.0.0 for every address.",
      );
    }
    throw error;
  }
  const { port } = fastify.server.address() as AddressInfo;
  const host = config.host === "0.0.0.0" || config.host === "::" ? "127.0.0.1" : config.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
