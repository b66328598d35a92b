import { workerdErrors } from "../../engines/workerd/errors.ts";
import type { Death, EnginePorts, ProgramKey, ProgramKind } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Blames } from "./blame.ts";
import type { Homes } from "./homes.ts";
import { limits } from "./limits.ts";
import { clip } from "./log-entry.ts";
import type { Logs } from "./logs.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import type { SettingsCache } from "./settings.ts";
import type { Callback, ProgramSource } from "./types.ts";
import type { UsageCounters } from "./usage.ts";

/** What the engine's questions and news are answered with. */
export interface PortParts {
  readonly homes: Homes;
  readonly settings: SettingsCache;
  readonly logs: Logs;
  readonly usage: UsageCounters;
  readonly blames: Blames;
  readonly metrics: RuntimeMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Requests the program lost with its process just now. */
  takeLost(
    appId: string,
    kind: ProgramKind,
  ): readonly { readonly requestId: string; readonly unit: string }[];
  sourceOf(kind: ProgramKind): ProgramSource | undefined;
  callback(): ((call: Callback) => void) | null;
  /** Before the first program starts. */
  onFirstStart(): void;
}

export function readKey(key: ProgramKey): { appId: string; kind: ProgramKind } {
  const slash = key.lastIndexOf("/");
  return { appId: key.slice(0, slash), kind: key.slice(slash + 1) as ProgramKind };
}

const DEATHS: Record<Death, string> = {
  crashed: "The process crashed.",
  unresponsive: "The process was stopped: its thread did not answer for a second, as in an endless loop.",
  memory: "The process was stopped: it took more memory than it may.",
  descriptors: "The process was stopped: it had too many files and sockets open.",
};

export function enginePorts(parts: PortParts): EnginePorts {
  const { homes, settings, logs, usage, blames, metrics, clock, log } = parts;
  let started = false;
  return {
    async load(key) {
      const { appId, kind } = readKey(key);
      const program = (await parts.sourceOf(kind)?.load(appId)) ?? null;
      if (program === null) return null;
      // Also when an alarm, not a request, wakes it: two nodes must not both run an instance.
      if (kind === "actors") await homes.claim(appId);
      await settings.load(appId);
      if (!started) parts.onFirstStart();
      started = true;
      return program;
    },
    callback(key, unit, request, response) {
      const handler = parts.callback();
      if (handler !== null) return handler({ ...readKey(key), unit, request, response });
      const body = JSON.stringify(workerdErrors.RUNTIME_UNAVAILABLE().toBody(""));
      response.writeHead(503, { "content-type": "application/json" }).end(body);
    },
    egress: (key) => settings.current(readKey(key).appId).egress,
    onTail(key, batch) {
      const { appId, kind } = readKey(key);
      for (const event of batch.events) logs.said(appId, kind, event);
    },
    onCpu(key, ms) {
      const { appId, kind } = readKey(key);
      usage.addCpu(appId, kind, ms);
    },
    onEgress(key, use) {
      const { appId, kind } = readKey(key);
      usage.addEgress(appId, kind, use);
    },
    onDeath(key, how, underWay, stderr) {
      // The JavaScript heap ends the process by itself when it is full.
      const death = how === "crashed" && /out of memory/i.test(stderr) ? "memory" : how;
      const { appId, kind } = readKey(key);
      const known = [...parts.takeLost(appId, kind), ...underWay];
      const inFlight = [...new Map(known.map((request) => [request.requestId, request])).values()];
      const atMs = clock();
      const units = [...new Set(inFlight.map(({ unit }) => unit))];
      blames.onDeath(appId, kind, units, death, atMs);
      metrics.death(kind, death);
      log.warn(
        { app: appId, kind, death, units, inFlight: inFlight.length },
        "a process of user code was lost",
      );
      const said = [
        inFlight.length === 0
          ? "No request was under way."
          : `${inFlight.length} requests were under way, the oldest first in: ${units.slice(0, 20).join(", ")}.`,
        ...(stderr.trim() === "" ? [] : [clip(stderr.trim().slice(-limits.stderrChars), limits.stderrChars)]),
      ];
      logs.program(appId, kind, {
        atMs,
        event: "process",
        outcome: death,
        error: { name: "ProcessLost", message: DEATHS[death], stack: null },
        lines: said.map((message) => ({ level: "error" as const, message, atMs })),
      });
    },
  };
}
