import type { Log } from "../../../kernel/log.ts";
import type { ProgramKey } from "../types.ts";
import type { ThreadTime } from "./proc.ts";

/** What one process of workerd is started from. */
export interface ProcessOptions {
  readonly key: ProgramKey;
  /** The configuration; called once, with the paths as the process will see them. */
  configText(paths: ProcessPaths): string;
  /** `<dataDir>/workerd`: holds `<app>/<kind>/storage` and `lock`. */
  readonly dataDir: string;
  /** `own`: the program's storage, one process at a time. `empty`: a directory that goes away with the process. */
  readonly storage: "own" | "empty";
  /** For the caller's watchdog; see `SandboxReport.memory`. */
  readonly memoryBytes: number;
  readonly log: Log;
  /** Names of the sockets in the configuration that must listen before it counts as ready; `main` if absent. */
  readonly sockets?: readonly string[];
}

/** Directories as seen inside the sandbox. */
export interface ProcessPaths {
  readonly storageDir: string;
  readonly socketsDir: string;
}

/** How a process ended. `stderr` is the last of what it wrote. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

/** A running workerd. */
export interface WorkerdProcess {
  /** Of workerd itself, not of the programs around it. */
  readonly pid: number;
  /** As Ambit sees it. Goes away with the process. Ambit's own sockets in it are opened with `listenIn`. */
  readonly socketsDir: string;
  /** Never rejects. Once it resolves, nothing of the process lives and its storage is free. */
  readonly exited: Promise<Exit>;
  /** All sockets listen. Rejects with CanaryError when it does not start within 5 s; the process is then ended. */
  readonly ready: Promise<void>;
  /** Asks it to finish what it does; with open WebSockets it may never end on its own. */
  terminate(): void;
  kill(): void;
  /** 0 once it has ended. */
  rssBytes(): number;
  /** CPU time of all its threads since it began; never falls, and stays at its last value once it has ended. */
  cpuMs(): number;
  /** What its main thread, which runs all user code, has done so far; null once it has ended. */
  mainThread(): ThreadTime | null;
  /** 0 once it has ended. */
  descriptors(): number;
}
