import type { SandboxReport } from "../types.ts";
import { createStarter, type Starter } from "./start.ts";
import type { ProcessOptions, WorkerdProcess } from "./types.ts";

export { StorageLockedError } from "./errors.ts";
export { programDir } from "./layout.ts";
export { listenIn } from "./listen.ts";
export type { ThreadTime } from "./proc.ts";
export { createStarter, type Starter } from "./start.ts";
export type { Exit, ProcessOptions, ProcessPaths, WorkerdProcess } from "./types.ts";

let starter: Starter | null = null;

function thisHost(): Starter {
  starter ??= createStarter();
  return starter;
}

/** Starts one workerd on this host; see `Starter.start`. */
export function startProcess(options: ProcessOptions): Promise<WorkerdProcess> {
  return thisHost().start(options);
}

/** What stands between user code and this host. Tried out once, at the first use. */
export function sandboxReport(): SandboxReport {
  return thisHost().report();
}

/** Gives back what this server holds for processes; call it when the last one has ended. */
export function closeProcesses(): void {
  starter?.close();
}
