import type { SandboxReport } from "../types.ts";
import type { SandboxPlan } from "./command.ts";

/** Three for each active instance: with fewer an app of 5,000 would notice. */
const ENOUGH_FILES = 16_384;

/** Says what a plan gives and, in one line each, what the host lacks and how to mend it. */
export function reportOf(plan: SandboxPlan): SandboxReport {
  return {
    unprivileged: plan.user !== "self",
    namespaces: plan.wrap !== "none",
    networkOff: plan.wrap !== "none",
    seccomp: plan.filter !== null && plan.wrap === "bwrap",
    diesWithParent: plan.host.tools.setpriv !== null || plan.wrap === "bwrap",
    memory: "watchdog",
    warnings: warningsOf(plan),
  };
}

function warningsOf(plan: SandboxPlan): string[] {
  const { host } = plan;
  if (host.platform !== "linux")
    return [`User code runs without a sandbox on ${host.platform}: use Linux for anything but development.`];
  return [...utilLinux(plan), ...users(plan), ...walls(plan), ...limits(plan)];
}

function utilLinux({ host: { tools } }: SandboxPlan): string[] {
  const missing = (["flock", "prlimit", "setpriv", "unshare"] as const).filter((name) => !tools[name]);
  if (missing.length === 0) return [];
  return [
    `${missing.join(", ")} not found: programs may outlive Ambit, or run twice on one storage. Mend: apt-get install util-linux.`,
  ];
}

function users({ host, user }: SandboxPlan): string[] {
  if (user === "per-app") return [];
  if (user === "nobody")
    return [
      "All apps run as the user nobody: this host has no user ids from 2000000000 on. Run Ambit outside of a user namespace to give each app its own.",
    ];
  if (host.uid === 0)
    return [
      "User code runs as root: changing the user is not possible here. Give the container CAP_SETUID and CAP_SETGID, or run Ambit as an ordinary user.",
    ];
  return [
    `User code runs as Ambit's own user (uid ${host.uid}): only root can give each app a user of its own.`,
  ];
}

function walls({ host, wrap, filter }: SandboxPlan): string[] {
  const left =
    wrap === "unshare" ? "user code sees the host's files" : "user code shares the host's network and files";
  if (!host.tools.bwrap)
    return [`bubblewrap is not installed: ${left}. Mend: apt-get install bubblewrap (or dnf, apk).`];
  if (wrap !== "bwrap")
    return [
      `bubblewrap is installed but can't make user namespaces: ${left}. Mend: sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), sysctl kernel.unprivileged_userns_clone=1 (Debian), or docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined.`,
    ];
  if (!filter)
    return [
      "Dangerous system calls are not filtered: this kernel or machine has no seccomp filters for workerd.",
    ];
  return [];
}

function limits({ noFile }: SandboxPlan): string[] {
  if (noFile === null || noFile >= ENOUGH_FILES) return [];
  return [
    `A program may open ${noFile} files only, about ${Math.floor(noFile / 3)} active instances. Mend: LimitNOFILE=65536 (systemd), --ulimit nofile=65536:65536 (Docker), or ulimit -n 65536.`,
  ];
}
