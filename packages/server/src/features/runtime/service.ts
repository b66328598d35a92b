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

export { type CallEnd, endOfFailure, onAnswerEnd } from "./answer-end.ts";
export { fileOf, sourceProblem, startProblem } from "./code-problems.ts";
export {
  CALL_METHODS,
  dataOf,
  givenBody,
  givenHeaders,
  type HeldAnswer,
  readAnswer,
  showAnswer,
  shownAnswer,
} from "./held-call.ts";
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

/** What others gave: the engine once it is made, and who answers it. */
interface Given {
  engine: WorkerdEngine | null;
  /** Why there is no engine. */
  problem: unknown;
  answerCallback: ((call: Callback) => void) | null;
  readonly sources: Map<ProgramKind, ProgramSource>;
}

/** Everything this feature keeps, and the ports through which the engine asks and tells. */
function createParts({ database, clock, log, config, metrics: registry }: Platform, given: Given) {
  const metrics = runtimeMetrics(registry, () => given.engine?.list() ?? []);
  const blames = createBlames();
  const homes = createHomes(database, config.dataDir, clock);
  const settings = createSettings(database, clock);
  const usage = createUsage(database, clock, log, metrics);
  const sourceOf = (kind: ProgramKind) => given.sources.get(kind);
  const invocations = createInvocations(clock, (invocation, outcome) => {
    usage.add(invocation, outcome);
    if (settings.current(invocation.appId).logs) logs.answered(invocation, outcome);
  });
  const { isRunning, takeLost } = invocations;
  const logs = createLogs({ database, clock, log, metrics, isRunning, sourceOf });
  const onFirstStart = () => {
    for (const warning of given.engine?.sandbox.warnings ?? [])
      log.warn({ warning }, "the sandbox lacks a part");
  };
  const ports = enginePorts({
    ...{ homes, settings, logs, usage, blames, metrics, clock, log, sourceOf, takeLost, onFirstStart },
    callback: () => given.answerCallback,
  });
  const flush = async () => {
    await Promise.all([logs.flush(), usage.flush()]);
  };
  return { blames, homes, settings, usage, invocations, logs, ports, flush };
}

export function createRuntimeService(platform: Platform, makeEngine: MakeEngine): RunningRuntime {
  const given: Given = { engine: null, problem: null, answerCallback: null, sources: new Map() };
  const parts = createParts(platform, given);
  const { blames, homes, settings, usage, invocations, logs, flush } = parts;
  const { clock } = platform;
  return {
    get engine() {
      if (given.engine !== null) return given.engine;
      throw given.problem === null ? workerdErrors.RUNTIME_UNAVAILABLE() : unsupported(given.problem);
    },
    provide: (kind, source) => void given.sources.set(kind, source),
    onCallback(handler) {
      given.answerCallback = handler;
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
      await Promise.all(KINDS.map((kind) => given.engine?.swap(`${appId}/${kind}`)));
    },
    blamed: (appId, kind, unit) => blames.find(appId, kind, unit, clock()),
    pardon: (appId, kind, unit) => blames.pardon(appId, kind, unit),
    flush,
    async forget(appId) {
      for (const kind of KINDS) await given.engine?.remove(`${appId}/${kind}`, { destroy: true });
      for (const part of [homes, settings, blames, logs]) part.forget(appId);
    },
    start: () => start(platform, makeEngine, given, parts),
    stop: () => stop(platform, given, parts),
  };
}

type Parts = ReturnType<typeof createParts>;

async function start(platform: Platform, makeEngine: MakeEngine, given: Given, { logs, ports }: Parts) {
  const { log } = platform;
  logs.prune().catch((error) => log.warn({ error: String(error) }, "old log entries were not removed"));
  try {
    given.engine = await makeEngine(ports, platform);
  } catch (error) {
    // Tables, realtime and the rest work without it.
    given.problem = error;
    log.error({ error: String(error) }, "Durable Objects and functions can't run on this machine");
    return;
  }
  await given.engine.start();
}

async function stop({ log }: Platform, given: Given, { logs, flush }: Parts) {
  await given.engine?.close();
  // Doors hear of the last ends now, and count them.
  await new Promise((resolve) => setImmediate(resolve));
  await flush().catch((error) => log.error({ error: String(error) }, "the last usage and logs are lost"));
  logs.stop();
}

function unsupported(cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return workerdErrors.RUNTIME_UNSUPPORTED({ cause, details: { reason: why } });
}
