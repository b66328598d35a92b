import type { Platform } from "../../engines/platform.ts";
import { workerdErrors } from "../../engines/workerd/errors.ts";
import type { EnginePorts, ProgramKind, WorkerdEngine } from "../../engines/workerd/types.ts";
import { createBlames } from "./blame.ts";
import { createHomes } from "./homes.ts";
import { readHosts } from "./hosts.ts";
import { createInvocations } from "./invocations.ts";
import { createLogs } from "./logs.ts";
import { runtimeMetrics } from "./metrics.ts";
import { enginePorts } from "./ports.ts";
import { createSettings } from "./settings.ts";
import type { Callback, ProgramSource, RuntimeService } from "./types.ts";
import { createUsage } from "./usage.ts";

export type {
  Blame,
  Callback,
  Invocation,
  Invocations,
  LogEntry,
  LogError,
  LogQuery,
  ProgramSource,
  RuntimeService,
  UnitCounters,
  UnitUsage,
  Usage,
} from "./types.ts";

/** Makes the engine; `main` has no say in it, tests may. */
export type MakeEngine = (ports: EnginePorts, platform: Platform) => Promise<WorkerdEngine>;

const KINDS: readonly ProgramKind[] = ["actors", "functions"];

export interface RunningRuntime extends RuntimeService {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createRuntimeService(platform: Platform, makeEngine: MakeEngine): RunningRuntime {
  const { database, clock, log, config } = platform;
  const sources = new Map<ProgramKind, ProgramSource>();
  let engine: WorkerdEngine | null = null;
  let problem: unknown = null;
  let answerCallback: ((call: Callback) => void) | null = null;

  const metrics = runtimeMetrics(platform.metrics, () => engine?.list() ?? []);
  const blames = createBlames();
  const homes = createHomes(database, config.dataDir, clock);
  const settings = createSettings(database, clock);
  const usage = createUsage(database, clock, log, metrics);
  const sourceOf = (kind: ProgramKind) => sources.get(kind);
  const invocations = createInvocations(clock, (invocation, outcome) => {
    usage.add(invocation, outcome);
    if (settings.current(invocation.appId).logs) logs.answered(invocation, outcome);
  });
  const { isRunning, takeLost } = invocations;
  const logs = createLogs({ database, clock, log, metrics, isRunning, sourceOf });
  const warn = () => {
    for (const warning of engine?.sandbox.warnings ?? []) log.warn({ warning }, "the sandbox lacks a part");
  };
  const ports = enginePorts({
    ...{ homes, settings, logs, usage, blames, metrics, clock, log, sourceOf, takeLost },
    callback: () => answerCallback,
    onFirstStart: warn,
  });
  const flush = async () => {
    await Promise.all([logs.flush(), usage.flush()]);
  };
  return {
    get engine() {
      if (engine !== null) return engine;
      throw problem === null ? workerdErrors.RUNTIME_UNAVAILABLE() : unsupported(problem);
    },
    provide: (kind, source) => void sources.set(kind, source),
    onCallback(handler) {
      answerCallback = handler;
    },
    invocations,
    claimHome: (appId) => homes.claim(appId),
    logs: (query) => logs.read(query),
    onLog: (listener) => logs.listen(listener),
    usage: (appId, kind) => usage.usage(appId, kind),
    counters: (appId, kind) => usage.counters(appId, kind),
    egressUse: (appId) => usage.egressUse(appId),
    getEgress: async (appId) => (await settings.load(appId)).egress,
    async setEgress(appId, { allow }) {
      await settings.save(appId, { egress_allow: allow === null ? null : readHosts(allow) });
    },
    logsEnabled: async (appId) => (await settings.load(appId)).logs,
    async setLogsEnabled(appId, enabled) {
      if ((await settings.load(appId)).logs === enabled) return;
      await settings.save(appId, { logs: enabled });
      await Promise.all(KINDS.map((kind) => engine?.swap(`${appId}/${kind}`)));
    },
    blamed: (appId, kind, unit) => blames.find(appId, kind, unit, clock()),
    pardon: (appId, kind, unit) => blames.pardon(appId, kind, unit),
    flush,
    async forget(appId) {
      for (const kind of KINDS) await engine?.remove(`${appId}/${kind}`, { destroy: true });
      homes.forget(appId);
      settings.forget(appId);
      blames.forget(appId);
      logs.forget(appId);
    },
    async start() {
      try {
        const made = await makeEngine(ports, platform);
        engine = made;
        await made.start();
      } catch (error) {
        // Tables, realtime and the rest work without it.
        problem = error;
        log.error({ error: String(error) }, "Durable Objects and functions can't run on this machine");
      }
    },
    async stop() {
      const running = engine;
      await running?.close();
      await flush().catch((error) => log.error({ error: String(error) }, "the last usage and logs are lost"));
      logs.stop();
    },
  };
}

function unsupported(cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return workerdErrors.RUNTIME_UNSUPPORTED({ cause, details: { reason: why } });
}
