import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { workerdErrors } from "../errors.ts";
import {
  CONTROL_FD,
  FILTER_FD,
  type Host,
  insideOf,
  type OsUser,
  probeSandbox,
  readHost,
  reportOf,
  type SandboxPlan,
  sandboxCommand,
  userOf,
} from "../sandbox/index.ts";
import type { SandboxReport } from "../types.ts";
import { locateWorkerd } from "./binary.ts";
import { StorageLockedError } from "./errors.ts";
import { isHidden, type Layout, makeLayout, writeConfig } from "./layout.ts";
import { endOrphans } from "./orphans.ts";
import { findWorkerd, handleOf, wasLocked, watchChain } from "./running.ts";
import { closeRuntimeDir, openRuntimeDir } from "./runtime-dir.ts";
import type { ProcessOptions, WorkerdProcess } from "./types.ts";

/** Starts processes in the strongest sandbox a host has. */
export interface Starter {
  /**
   * Starts workerd. Rejects with StorageLockedError while anything holds the storage, with RUNTIME_UNSUPPORTED where
   * it can't run at all. A program that fails to start rejects `ready` instead.
   */
  start(options: ProcessOptions): Promise<WorkerdProcess>;
  report(): SandboxReport;
  /** Gives back the directory for sockets; every process must have ended. Starting is possible again. */
  close(): void;
}

/** The host is tried out once, at the first use. */
export function createStarter(host: Host = readHost(), runtimeBases?: string[]): Starter {
  let plan: SandboxPlan | null = null;
  let runtimeDir: string | null = null;
  let started = 0;
  const planned = () => {
    plan ??= probeSandbox(host);
    return plan;
  };
  return {
    report: () => reportOf(planned()),
    close: () => {
      if (runtimeDir) closeRuntimeDir(runtimeDir);
      runtimeDir = null;
    },
    start: async (options) => {
      const binary = locateWorkerd(host.platform, host.arch);
      const user = userOf(planned(), appOf(options));
      // Cleaners of temporary directories may have taken it away.
      if (!runtimeDir || !existsSync(runtimeDir)) runtimeDir = openRuntimeDir(runtimeBases);
      started += 1;
      const layout = makeLayout(runtimeDir, started, options, user);
      try {
        return await launch(planned(), { options, binary, user, layout, runtimeDir });
      } catch (error) {
        removeRunDir(layout);
        throw error;
      }
    },
  };
}

interface Launch {
  readonly options: ProcessOptions;
  readonly binary: string;
  readonly user: OsUser | null;
  readonly layout: Layout;
  readonly runtimeDir: string;
}

async function launch(plan: SandboxPlan, at: Launch): Promise<WorkerdProcess> {
  const { options, layout, user } = at;
  const job = {
    user,
    lock: layout.lock,
    binary: at.binary,
    args: ({ config }: { config: string }) => ["serve", config, `--control-fd=${CONTROL_FD}`],
    config: layout.configPath,
    storageDir: layout.storageDir,
    socketsDir: layout.socketsDir,
    stage: stageOf(plan, at),
  };
  const inside = insideOf(plan, job);
  writeConfig(layout, options.configText(inside), user);
  const command = sandboxCommand(plan, job);
  const sockets = options.sockets ?? ["main"];
  const first = await run(command, plan, at, sockets);
  const second =
    first ?? (layout.lock && endOrphans(layout.lock) > 0 ? await run(command, plan, at, sockets) : null);
  if (!second) throw new StorageLockedError(layout.lock ?? "");
  void second.exited.then(() => removeRunDir(layout));
  // It holds the app's variables and is read once.
  void second.ready.then(
    () => rmSync(layout.configPath, { force: true }),
    () => {},
  );
  return second;
}

/** Null when somebody else holds the lock. */
async function run(
  command: readonly string[],
  plan: SandboxPlan,
  { layout, runtimeDir }: Launch,
  sockets: readonly string[],
): Promise<WorkerdProcess | null> {
  const child = spawnChain(command, plan, runtimeDir);
  // Before anything is awaited: the streams must not end unheard.
  const chain = watchChain(child);
  const pid = await spawned(child);
  yieldMemoryFirst(pid);
  const workerd = await findWorkerd(child, pid, chain);
  const exit = chain.ended();
  if (exit && wasLocked(exit)) return null;
  return handleOf(child, chain, workerd ?? pid, layout.socketsDir, sockets);
}

/** Root may bring what lies in a closed place to where the app's user can reach it. */
function stageOf(plan: SandboxPlan, { binary, layout, user }: Launch): Layout["stage"] | null {
  const hidden = user ? [binary, layout.storageDir].find(isHidden) : undefined;
  if (hidden === undefined) return null;
  if (plan.mayBind) return layout.stage;
  throw workerdErrors.RUNTIME_UNSUPPORTED({
    message: `User code can't be run apart from Ambit: ${hidden} lies in a directory closed to other users.`,
    remediation:
      "Keep Ambit and its data directory where every user may pass (/opt, /var/lib; not /root), or run Ambit as an ordinary user.",
  });
}

function spawnChain(command: readonly string[], plan: SandboxPlan, runtimeDir: string): ChildProcess {
  const [program = "", ...args] = command;
  const filter = plan.filter && plan.wrap === "bwrap" ? openFilter(plan.filter, runtimeDir) : null;
  const stdio: ("ignore" | "pipe" | number)[] = ["ignore", "ignore", "pipe"];
  stdio[CONTROL_FD] = "pipe";
  if (filter !== null) stdio[FILTER_FD] = filter;
  try {
    // A group of its own: Ctrl-C in Ambit's terminal must reach Ambit only, which then ends its programs in order.
    return spawn(program, args, { stdio, env: { TZ: "UTC" }, cwd: "/", detached: true });
  } finally {
    if (filter !== null) closeSync(filter);
  }
}

/** bwrap reads it to its end, so every process needs an open file of its own. */
function openFilter(filter: Buffer, runtimeDir: string): number {
  const path = join(runtimeDir, "filter");
  try {
    return openSync(path, "r");
  } catch {
    writeFileSync(path, filter, { mode: 0o600 });
    return openSync(path, "r");
  }
}

function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => resolve(child.pid ?? 0));
  });
}

/** When the host runs out of memory, an app's process goes before Ambit and its database do. */
function yieldMemoryFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "500");
  } catch {
    // Only a precaution.
  }
}

function removeRunDir(layout: Layout): void {
  rmSync(layout.runDir, { recursive: true, force: true });
}

function appOf(options: ProcessOptions): string {
  return options.key.slice(0, options.key.lastIndexOf("/"));
}
