import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";
import { explainSpawnError, spawnAs } from "./command.ts";
import { explainOutput, failures, firstReason } from "./errors.ts";
import { limits } from "./limits.ts";
import { openServerLog, readServerLog } from "./log.ts";
import { readPidFile, removeStalePidFile } from "./pid-file.ts";
import { belongsToCluster, isRunning, processesOfCluster, sendSignal } from "./process.ts";
import { type Address, answers } from "./readiness.ts";
import { waitFor } from "./wait.ts";

/** A server that answers. */
export interface Server extends Address {
  readonly pid: number;
  /** True if it was running before. */
  readonly adopted: boolean;
  /** The process, if it is our child. */
  readonly child: ChildProcess | undefined;
}

/**
 * Gives the cluster's server: the running one if it answers, else a new one. Cleans up after a dead one, waits for
 * one that is starting, replaces one that is deaf. Call under the start lock.
 */
export async function ensureServer(cluster: Cluster, signal?: AbortSignal): Promise<Server> {
  const adopted = await adoptServer(cluster, signal);
  if (adopted) return adopted;
  await clearOrphans(cluster, signal);
  return await startServer(cluster, signal);
}

type StopStep = readonly [signal: "SIGINT" | "SIGQUIT" | "SIGKILL", patienceMs: number];

const gently: readonly StopStep[] = [
  ["SIGINT", limits.fastShutdownMs],
  ["SIGQUIT", limits.immediateShutdownMs],
  ["SIGKILL", limits.killMs],
];

/** For a server that has not served anyone yet; what it wrote is recovered by the next start. */
const atOnce: readonly StopStep[] = [["SIGKILL", limits.killMs]];

/**
 * Ends the server, by default fast, then immediate, then by force. Bounded; nothing of it is left, its pid file
 * included.
 */
export async function stopServer(cluster: Cluster, pid: number, steps = gently): Promise<void> {
  const left = readPidFile(cluster.dataDir);
  for (const [name, patienceMs] of steps) {
    if (!isRunning(pid)) break;
    if (name === "SIGKILL") for (const other of processesOfCluster(cluster)) sendSignal(other, name);
    sendSignal(pid, name);
    await waitFor(() => !isRunning(pid), patienceMs, limits.stopPollMs);
  }
  if (left?.pid === pid) removeStalePidFile(cluster.dataDir, left);
}

async function adoptServer(cluster: Cluster, signal?: AbortSignal): Promise<Server | undefined> {
  const noted = readPidFile(cluster.dataDir);
  if (!noted) return undefined;
  const { pid } = noted;
  if (belongsToCluster(pid, cluster)) {
    const address = await waitForAdoption(cluster, pid, signal);
    if (address) return { ...address, pid, adopted: true, child: undefined };
    await stopServer(cluster, pid);
  }
  removeStalePidFile(cluster.dataDir, noted);
  return undefined;
}

/** Waits while the server starts or recovers; undefined if it ends, or cannot be brought to answer. */
async function waitForAdoption(
  cluster: Cluster,
  pid: number,
  signal?: AbortSignal,
): Promise<Address | undefined> {
  let deafSinceMs: number | undefined;
  const check = async (): Promise<Address | "lost" | undefined> => {
    if (!isRunning(pid)) return "lost";
    const address = await readyAddress(cluster, pid);
    if (address) return address;
    const starting = ["", "starting"].includes(readPidFile(cluster.dataDir)?.status ?? "");
    deafSinceMs = starting ? undefined : (deafSinceMs ?? performance.now());
    const deaf = deafSinceMs !== undefined && performance.now() - deafSinceMs > limits.deafServerMs;
    return deaf ? "lost" : undefined;
  };
  const found = await waitFor(check, limits.readyMs, limits.readyPollMs, signal);
  return found === "lost" ? undefined : found;
}

async function startServer(cluster: Cluster, signal?: AbortSignal): Promise<Server> {
  const { logFile } = cluster;
  const log = openServerLog(logFile, cluster.stateDir);
  const logOffsetBytes = fstatSync(log).size;
  const child = await spawnServer(cluster, log).finally(() => closeSync(log));
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const check = async (): Promise<Address | "exited" | undefined> =>
    hasExited() ? "exited" : await readyAddress(cluster, child.pid);
  try {
    const found = await waitFor(check, limits.readyMs, limits.readyPollMs, signal);
    if (typeof found === "object") return { ...found, pid: child.pid, adopted: false, child };
  } catch (error) {
    await stopServer(cluster, child.pid, atOnce);
    throw error;
  }
  await stopServer(cluster, child.pid);
  const output = readServerLog(logFile, logOffsetBytes);
  throw (
    explainOutput(output, { path: cluster.dataDir, uid: cluster.identity.uid }) ??
    failures.startFailed(firstReason(output), logFile)
  );
}

/** Spawns the server in a session of its own, so that signals to Ambit's terminal or group do not reach it. */
async function spawnServer(cluster: Cluster, log: number): Promise<ChildProcess & { pid: number }> {
  const { dataDir, identity, binaries } = cluster;
  const program = join(binaries.binDir, "postgres");
  try {
    const child = spawn(program, ["-D", dataDir], {
      ...spawnAs(identity),
      detached: true,
      stdio: ["ignore", log, log],
    });
    await once(child, "spawn");
    child.unref();
    return child as ChildProcess & { pid: number };
  } catch (error) {
    throw explainSpawnError(error as Error, program, identity);
  }
}

/** The address the postmaster noted down, once it says that it is ready and indeed answers. */
async function readyAddress(cluster: Cluster, pid: number): Promise<Address | undefined> {
  const noted = readPidFile(cluster.dataDir);
  if (noted?.pid !== pid || !isReady(noted.status) || !noted.socketDir || !noted.port) return undefined;
  const address = { host: noted.socketDir, port: noted.port };
  return (await answers(address)) ? address : undefined;
}

function isReady(status: string | undefined): boolean {
  return status === "ready" || status === "standby";
}

/**
 * PostgreSQL refuses to start while a backend of a killed postmaster holds the shared memory. They notice and
 * leave by themselves; one that is busy is told to quit, then killed.
 */
async function clearOrphans(cluster: Cluster, signal?: AbortSignal): Promise<void> {
  const gone = (): boolean => processesOfCluster(cluster).length === 0;
  if (await waitFor(gone, limits.orphanMs, limits.orphanPollMs, signal)) return;
  for (const name of ["SIGQUIT", "SIGKILL"] as const) {
    for (const pid of processesOfCluster(cluster)) sendSignal(pid, name);
    if (await waitFor(gone, limits.orphanQuitMs, limits.orphanPollMs, signal)) return;
  }
}
