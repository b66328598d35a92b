import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const KIB = 1024;

/** The processes a process started; empty when it is gone. */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const task of list(`/proc/${pid}/task`)) {
    const text = read(`/proc/${pid}/task/${task}/children`);
    if (text === null) return childrenByParent(pid);
    for (const child of text.split(" ")) if (child) children.push(Number(child));
  }
  return children;
}

/** For kernels without the list of children. */
function childrenByParent(pid: number): number[] {
  return processIds().filter((one) => statOf(one)?.parent === pid);
}

/** All processes in sight. */
export function processIds(): number[] {
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** False also for one that has ended and is only waited for: an init that reaps nobody keeps those for ever. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== "Z" && stat.state !== "X";
}

/** The process that began the session it belongs to; 0 if that is outside of our pid namespace. */
export function sessionOf(pid: number): number | null {
  return statOf(pid)?.session ?? null;
}

/** The process that a process belongs to now. */
export function parentOf(pid: number): number | null {
  return statOf(pid)?.parent ?? null;
}

/** Boot and pid namespace: a pid written down in another one means nothing here. */
export function pidWorld(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return "unknown";
  }
}

export function commandOf(pid: number): string | null {
  return read(`/proc/${pid}/comm`)?.trim() ?? null;
}

/** When it was started, in clock ticks since the boot; with the pid it names a process for good. */
export function startTicksOf(pid: number): number | null {
  return statOf(pid)?.startTicks ?? null;
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  readonly startTicks: number;
}

function statOf(pid: number): Stat | null {
  // The name, in brackets, may hold anything; the fields after it are numbers.
  const fields = read(`/proc/${pid}/stat`)?.replace(/^.*\)/s, "").trim().split(" ");
  if (!fields) return null;
  return {
    state: fields[0] ?? "",
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

export function rssBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1] ?? 0) * KIB;
}

/** CPU time of the threads alive now. */
export function threadsCpuMsOf(pid: number): number {
  let ns = 0;
  for (const task of list(`/proc/${pid}/task`))
    ns += Number(read(`/proc/${pid}/task/${task}/schedstat`)?.split(" ")[0] ?? 0);
  return ns / 1e6;
}

/** What the thread that runs all user code has done so far. */
export interface ThreadTime {
  readonly ranMs: number;
  /** Ready to run, with no processor for it. */
  readonly waitedMs: number;
  /** Times it went to sleep by itself, as for its disk. */
  readonly sleeps: number;
}

export function mainThreadOf(pid: number): ThreadTime {
  const task = `/proc/${pid}/task/${pid}`;
  const [ranNs = 0, waitedNs = 0] = (read(`${task}/schedstat`) ?? "").split(" ").map(Number);
  const sleeps = Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`${task}/status`) ?? "")?.[1] ?? 0);
  return { ranMs: ranNs / 1e6, waitedMs: waitedNs / 1e6, sleeps };
}

export function descriptorsOf(pid: number): number {
  return list(`/proc/${pid}/fd`).length;
}

/** Links to what it has open. */
export function descriptorPathsOf(pid: number): string[] {
  return list(`/proc/${pid}/fd`).map((name) => `/proc/${pid}/fd/${name}`);
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
