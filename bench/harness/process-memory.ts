import { readdirSync, readFileSync } from "node:fs";

/** The processes given and all that descend from them. Throws on systems other than Linux. */
export function withDescendants(roots: readonly number[]): number[] {
  if (process.platform !== "linux") throw new Error("proportional set sizes are known on Linux only");
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined;
    if (parent === undefined) continue;
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  }
  const found = new Set<number>();
  const visit = (pid: number) => {
    if (found.has(pid)) return;
    found.add(pid);
    childrenOf.get(pid)?.forEach(visit);
  };
  roots.forEach(visit);
  return [...found];
}

/**
 * The proportional set size of a process: its own memory and its share of what it has in common with others.
 * 0 for a process that has ended, as Postgres' short-lived workers do at any time.
 */
export function proportionalBytes(pid: number): number {
  const kib = /^Pss:\s+(\d+) kB$/m.exec(readIfAlive(`/proc/${pid}/smaps_rollup`))?.[1];
  return Number(kib ?? 0) * 1_024;
}

/** The parent of a process; undefined when it has ended. The name in brackets may hold any character (proc_pid_stat(5)). */
function parentOf(pid: number): number | undefined {
  const text = readIfAlive(`/proc/${pid}/stat`);
  return text === "" ? undefined : Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
}

function readIfAlive(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}
