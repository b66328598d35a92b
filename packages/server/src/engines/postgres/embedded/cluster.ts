import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { runCommand } from "./command.ts";
import { writeAccessRules, writeConfiguration } from "./configuration.ts";
import { explainOutput, failures, firstReason } from "./errors.ts";
import type { OsIdentity, Owner } from "./identity.ts";
import { limits } from "./limits.ts";
import type { ClusterMark } from "./process.ts";

/** One cluster and everything needed to run it. */
export interface Cluster extends ClusterMark {
  readonly stateDir: string;
  readonly socketDir: string;
  readonly logFile: string;
  readonly identity: OsIdentity;
  readonly binaries: Binaries;
}

/** The data directory of a state directory; it may be a symbolic link to another disk. */
export function dataDirOf(stateDir: string): string {
  const path = join(stateDir, "postgres");
  return existsSync(path) ? realpathSync(path) : path;
}

/** Whose data these are; nobody's if there are none, for an empty directory is replaced. */
export function dataOwner(dataDir: string): Owner | undefined {
  const stats = statSync(dataDir, { throwIfNoEntry: false });
  if (stats && !stats.isDirectory()) throw failures.dataNotACluster(dataDir);
  const mayLook = process.getuid?.() === 0 || stats?.uid === process.getuid?.();
  if (!stats || (mayLook && readdirSync(dataDir).length === 0)) return undefined;
  return { uid: stats.uid, gid: stats.gid };
}

/** Whether the data directory holds a cluster that `major` can run; throws if it holds anything else. */
export function hasCluster(dataDir: string, major: number): boolean {
  if (!statSync(dataDir, { throwIfNoEntry: false })) return false;
  if (!readdirSync(dataDir).includes("PG_VERSION")) {
    if (readdirSync(dataDir).length === 0) return false;
    throw failures.dataNotACluster(dataDir);
  }
  const version = readFileSync(join(dataDir, "PG_VERSION"), "utf8").trim();
  if (version !== String(major)) throw failures.dataVersionMismatch(dataDir, version, major);
  return true;
}

/**
 * Creates the cluster under another name and renames it into place once it is complete and on disk, so that there
 * never is half a cluster. Sorting is that of the builtin C.UTF-8: the same on every machine, whatever its C
 * library. Call under the start lock.
 */
export async function createCluster(cluster: Cluster, configuration: string): Promise<void> {
  const { dataDir, identity, binaries } = cluster;
  removeLeftovers(dataDir);
  const fresh = mkdtempSync(`${dataDir}.init-`);
  try {
    if (identity.switched) chownSync(fresh, identity.uid, identity.gid);
    // initdb's own syncing stays on: it costs about a tenth of a second, and there is no other moment for it.
    const options = [
      "--locale-provider=builtin",
      "--locale=C.UTF-8",
      "--encoding=UTF8",
      "-U",
      "postgres",
      "-A",
      "trust",
    ];
    const program = join(binaries.binDir, "initdb");
    const { ok, output } = await runCommand(program, [...options, "-D", fresh], identity, limits.initdbMs);
    if (!ok) {
      throw (
        explainOutput(output, { path: dataDir, uid: identity.uid }) ??
        failures.initdbFailed(firstReason(output))
      );
    }
    writeAccessRules(fresh, identity);
    writeConfiguration(fresh, configuration, identity);
    syncDirectory(fresh);
    renameSync(fresh, dataDir);
    syncDirectory(dirname(dataDir));
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
}

/** What an interrupted creation left. Its initdb may still be writing there, hence names that never repeat. */
function removeLeftovers(dataDir: string): void {
  const parent = dirname(dataDir);
  for (const name of readdirSync(parent).filter((name) => name.startsWith(`${basename(dataDir)}.init-`))) {
    rmSync(join(parent, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
