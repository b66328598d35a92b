import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appUser, nobody, type OsUser } from "./app-user.ts";
import { FILTER_FD, type Job, type SandboxPlan, sandboxCommand } from "./command.ts";
import type { Host } from "./host.ts";
import { seccompFilter } from "./seccomp.ts";
import { syscallsOf } from "./syscalls.ts";

/** Open files a program should be allowed: three per active instance, and running out takes the whole process down. */
const WANTED_NO_FILE = 65_536;
const PROBE_TIMEOUT_MS = 5_000;

/** Whose id `appId` runs under by this plan; null for Ambit's own. */
export function userOf(plan: Pick<SandboxPlan, "user">, appId: string): OsUser | null {
  return plan.user === "per-app" ? appUser(appId) : plan.user === "nobody" ? nobody : null;
}

/** Finds the strongest sandbox this host really runs, by running `true` in it. Takes some tens of milliseconds. */
export function probeSandbox(host: Host): SandboxPlan {
  const bare: SandboxPlan = {
    host,
    user: "self",
    wrap: "none",
    filter: null,
    mayBind: false,
    noFile: host.tools.prlimit ? Math.min(WANTED_NO_FILE, host.noFileHard) : null,
  };
  if (host.platform !== "linux" || !host.tools.true) return bare;
  const table = syscallsOf(host.arch);
  const filter = table && seccompFilter(table);
  const works = (change: Partial<SandboxPlan>, base: SandboxPlan) => {
    const plan = { ...base, ...change };
    return tryOut(plan) ? plan : null;
  };
  const limited = works({ noFile: host.tools.prlimit ? WANTED_NO_FILE : null }, bare) ?? bare;
  const user =
    (host.uid === 0 && host.tools.setpriv
      ? (works({ user: "per-app" }, limited) ?? works({ user: "nobody" }, limited))
      : null) ?? limited;
  const bindable =
    (host.uid === 0 && user.user !== "self" && host.tools.unshare ? works({ mayBind: true }, user) : null) ??
    user;
  return (
    (host.tools.bwrap
      ? ((filter && works({ wrap: "bwrap", filter }, bindable)) ?? works({ wrap: "bwrap" }, bindable))
      : null) ??
    (host.tools.unshare ? works({ wrap: "unshare" }, bindable) : null) ??
    bindable
  );
}

function tryOut(plan: SandboxPlan): boolean {
  const dir = mkdtempSync(join(tmpdir(), "ambit-probe-"));
  try {
    const [program, ...args] = sandboxCommand(plan, trialJob(plan, dir));
    if (!program) return false;
    const stdio: ("ignore" | number)[] = ["ignore", "ignore", "ignore", "ignore"];
    if (plan.filter) writeFileSync(join(dir, "filter"), plan.filter);
    const filter = plan.filter ? openSync(join(dir, "filter"), "r") : null;
    if (filter !== null) stdio[FILTER_FD] = filter;
    const run = spawnSync(program, args, { stdio, env: {}, cwd: "/", timeout: PROBE_TIMEOUT_MS });
    if (filter !== null) closeSync(filter);
    return run.status === 0;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function trialJob(plan: SandboxPlan, dir: string): Job {
  const at = (name: string) => join(dir, name);
  for (const name of ["storage", "sockets", "staged"]) mkdirSync(at(name), { mode: 0o755 });
  for (const name of ["config", "binary"]) writeFileSync(at(name), "");
  // mkdtemp makes it private; the other user has to get through.
  chmodSync(dir, 0o711);
  return {
    user: userOf(plan, "probe"),
    lock: null,
    binary: plan.host.tools.true ?? "/bin/true",
    args: () => [],
    config: at("config"),
    storageDir: at("storage"),
    socketsDir: at("sockets"),
    stage: { storageDir: at("staged"), binary: at("binary") },
  };
}
