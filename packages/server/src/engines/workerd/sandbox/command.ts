import type { OsUser } from "./app-user.ts";
import type { Host } from "./host.ts";

/** How workerd is run on this host. */
export interface SandboxPlan {
  readonly host: Host;
  /** Whose user id user code runs under; `self` is Ambit's own. */
  readonly user: "per-app" | "nobody" | "self";
  readonly wrap: "bwrap" | "unshare" | "none";
  /** The filter as a BPF program; null where it can't be used. */
  readonly filter: Buffer | null;
  /** Whether root may bind directories that lie below a directory closed to others. */
  readonly mayBind: boolean;
  readonly noFile: number | null;
}

/** One process to be run. */
export interface Job {
  readonly user: OsUser | null;
  /** File that is locked as long as anything of the process lives; null for none. */
  readonly lock: string | null;
  readonly binary: string;
  readonly args: (inside: Inside) => readonly string[];
  readonly config: string;
  readonly storageDir: string;
  readonly socketsDir: string;
  /** Empty directories to bind storage and binary to, when the user can't reach them where they lie. */
  readonly stage: { readonly storageDir: string; readonly binary: string } | null;
}

/** Paths as workerd sees them. */
export interface Inside {
  readonly config: string;
  readonly storageDir: string;
  readonly socketsDir: string;
}

/** What `flock` exits with when somebody else holds the lock. Not a code of workerd's or of a shell's. */
export const LOCKED_EXIT_CODE = 75;
/** How long a start waits for the process before it to be gone. */
const LOCK_WAIT_SECONDS = 2;
/** File descriptors of the child: workerd reports here, bwrap reads the filter here. */
export const CONTROL_FD = 3;
export const FILTER_FD = 4;

const inBubble: Inside = { config: "/config.capnp", storageDir: "/storage", socketsDir: "/run/ambit" };

/** Where the process will find its files: fixed places under bwrap, else where they lie. */
export function insideOf(plan: SandboxPlan, job: Pick<Job, "config" | "storageDir" | "socketsDir">): Inside {
  return plan.wrap === "bwrap" ? inBubble : job;
}

/**
 * The whole command. Each part replaces itself by the next (only bwrap and unshare fork), so the lock and the death
 * signal reach down to workerd: `flock` first, as Ambit's user; then limits, bind mounts, the change of user, walls.
 */
export function sandboxCommand(plan: SandboxPlan, job: Job): string[] {
  const { tools } = plan.host;
  const command: string[] = [];
  // From the first moment on: a start that waits for the lock must not outlive Ambit and take it later. A change of
  // user clears the signal, so it is set again below.
  if (tools.setpriv) command.push(tools.setpriv, "--pdeathsig", "KILL");
  if (tools.flock && job.lock)
    command.push(tools.flock, "-w", `${LOCK_WAIT_SECONDS}`, "-E", `${LOCKED_EXIT_CODE}`, "-F", job.lock);
  if (tools.prlimit && plan.noFile !== null)
    command.push(tools.prlimit, `--nofile=${plan.noFile}:${plan.noFile}`, "--core=0");
  const staged = plan.mayBind && job.stage ? { ...job, ...job.stage } : job;
  if (staged !== job && tools.unshare) command.push(...bindFirst(tools.unshare, job, staged));
  if (plan.wrap === "unshare") command.push(...unshared(plan, job.user));
  else command.push(...asUser(plan, job.user));
  if (plan.wrap === "bwrap" && tools.bwrap) command.push(...bubble(tools.bwrap, plan, staged));
  const inside = plan.wrap === "bwrap" ? inBubble : staged;
  return [...command, plan.wrap === "bwrap" ? "/workerd" : staged.binary, ...job.args(inside)];
}

/** In a mount namespace that dies with the process; only root gets here. */
function bindFirst(unshare: string, from: Job, to: Job): string[] {
  const script =
    'mount --bind "$1" "$2" && mount --bind "$3" "$4" && mount -o remount,bind,ro "$4" && shift 4 && exec "$@"';
  const paths = [from.storageDir, to.storageDir, from.binary, to.binary];
  return [unshare, "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", ...paths];
}

function asUser(plan: SandboxPlan, user: OsUser | null): string[] {
  const { setpriv } = plan.host.tools;
  if (!setpriv) return [];
  const change = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"] : [];
  return [setpriv, ...change, "--no-new-privs", "--pdeathsig", "KILL"];
}

/** Without bwrap: no network and no sight of other processes, but the host's files. */
function unshared(plan: SandboxPlan, user: OsUser | null): string[] {
  const { unshare } = plan.host.tools;
  if (!unshare) return [];
  const mine = plan.host.uid === 0 ? [] : ["--user"];
  const walls = [...mine, "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"];
  return [unshare, ...walls, ...asUser(plan, user)];
}

function bubble(bwrap: string, plan: SandboxPlan, job: Job): string[] {
  const namespaces = ["user", "pid", "ipc", "uts", "net"].map((name) => `--unshare-${name}`);
  return [
    bwrap,
    ...namespaces,
    "--unshare-cgroup-try",
    ...["--cap-drop", "ALL", "--die-with-parent", "--clearenv", "--setenv", "TZ", "UTC"],
    ...plan.host.libraries,
    // workerd opens these two; nothing else of /dev, and no /proc, is there to be read.
    ...["--dev-bind", "/dev/null", "/dev/null", "--dev-bind", "/dev/urandom", "/dev/urandom"],
    ...["--ro-bind", job.binary, "/workerd", "--ro-bind", job.config, inBubble.config],
    ...["--bind", job.storageDir, inBubble.storageDir, "--bind", job.socketsDir, inBubble.socketsDir],
    ...["--remount-ro", "/", "--chdir", "/"],
    ...(plan.filter ? ["--seccomp", `${FILTER_FD}`] : []),
    "--",
  ];
}
