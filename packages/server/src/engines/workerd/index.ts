import { join } from "node:path";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";
import { Engine } from "./supervisor/engine.ts";
import type { EnginePorts, WorkerdEngine } from "./types.ts";

export { workerdErrors } from "./errors.ts";

export interface WorkerdEngineOptions {
  /** Ambit's data directory; programs keep theirs in `workerd/` below it. */
  readonly dataDir: string;
  readonly log: Log;
  readonly clock: Clock;
  /** `host:port` pairs user code may reach though they are private. */
  readonly allowPrivateFetch: readonly string[];
  readonly ports: EnginePorts;
  /** The API's own URL, named in error bodies. */
  readonly publicUrl?: () => string;
  /** For tests. */
  readonly idleMs?: number;
  readonly drainMs?: number;
}

/** Runs programs on workerd. Nothing is started before it is needed. */
export function createWorkerdEngine(options: WorkerdEngineOptions): WorkerdEngine {
  return new Engine({
    dataDir: join(options.dataDir, "workerd"),
    log: options.log,
    clock: options.clock,
    allowPrivateFetch: options.allowPrivateFetch,
    ports: options.ports,
    documentationBase: options.publicUrl ?? (() => ""),
    idleMs: options.idleMs ?? limits.idleMs,
    drainMs: options.drainMs ?? limits.drainMs,
  });
}
