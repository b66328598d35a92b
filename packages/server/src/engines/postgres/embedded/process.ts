import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

const linux = process.platform === "linux";

/** What tells the processes of one cluster from everybody else's. */
export interface ClusterMark {
  /** Absolute, without symbolic links: the working directory of every process of the cluster. */
  readonly dataDir: string;
  /** `cluster_name`, which every process of the cluster carries in its title. */
  readonly clusterName: string;
  /** The user they run as; nobody else's process is ever taken for one of them, whatever it calls itself. */
  readonly ownerUid: number;
}

/** Whether the process exists and is more than a zombie waiting for a parent that never reaps it. */
export function isRunning(pid: number): boolean {
  // Zero and below name groups of processes.
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const state = linux ? readStat(pid)?.state : undefined;
  return state !== "Z" && state !== "X";
}

/** When the process began, in a form that a later process with the same number does not share. */
export function startToken(pid: number): string | undefined {
  if (linux) {
    const startedAt = readStat(pid)?.startedAt;
    return startedAt === undefined ? undefined : `${startedAt}-${bootId()}`;
  }
  const startedAt = ps(["-o", "lstart=", "-p", String(pid)]).trim();
  return startedAt === "" ? undefined : startedAt.replaceAll(/[^a-zA-Z0-9]+/g, "-");
}

/** Whether a process is the very one that had this number and this start token. */
export function isSameProcess(pid: number, token: string): boolean {
  return isRunning(pid) && startToken(pid) === token;
}

/** Whether `pid` is a live PostgreSQL process working on this cluster; a reused number never is. */
export function belongsToCluster(pid: number, mark: ClusterMark): boolean {
  if (!isRunning(pid)) return false;
  if (!linux) return lineMatches(ps(["-o", "uid=,command=", "-p", String(pid)]), mark);
  try {
    if (statSync(`/proc/${pid}`).uid !== mark.ownerUid) return false;
    if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== "postgres") return false;
    return readlinkSync(`/proc/${pid}/cwd`) === mark.dataDir;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") return false;
    // Root without CAP_SYS_PTRACE (the default in containers) may not look into another user's process.
    return titleMatches(readText(`/proc/${pid}/cmdline`).replaceAll("\0", " "), mark);
  }
}

/** Every live process of the cluster: the postmaster, its workers, and backends that outlived it. */
export function processesOfCluster(mark: ClusterMark): number[] {
  if (linux) {
    const pids = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    return pids.filter((pid) => belongsToCluster(pid, mark));
  }
  const found: number[] = [];
  for (const line of ps(["-axo", "pid=,uid=,command="]).split("\n")) {
    const [, pid, rest] = /^\s*(\d+)(\s.*)$/.exec(line) ?? [];
    if (pid && rest && lineMatches(rest, mark)) found.push(Number(pid));
  }
  return found;
}

/** Sends a signal; a process that is already gone is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Reads a line of ps(1): the user's number, then the command. */
function lineMatches(line: string, mark: ClusterMark): boolean {
  const [, uid, title] = /^\s*(-?\d+)\s+(.*)$/m.exec(line) ?? [];
  return Number(uid) >>> 0 === mark.ownerUid && titleMatches(title ?? "", mark);
}

function titleMatches(title: string, mark: ClusterMark): boolean {
  return title.startsWith(`postgres: ${mark.clusterName}: `) || title.trim().endsWith(` -D ${mark.dataDir}`);
}

/** Fields 3 and 22 of /proc/<pid>/stat (proc_pid_stat(5)); the name before them may hold spaces and brackets. */
function readStat(pid: number): { state: string; startedAt: string } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startedAt] = [fields[0], fields[19]];
  return state && startedAt ? { state, startedAt } : undefined;
}

let knownBootId: string | undefined;

/** Start times count from the boot, so they may repeat after the next one. */
function bootId(): string {
  knownBootId ??= readText("/proc/sys/kernel/random/boot_id").slice(0, 8);
  return knownBootId;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function ps(args: string[]): string {
  return spawnSync("ps", args, { encoding: "utf8" }).stdout ?? "";
}
