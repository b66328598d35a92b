import { describe, expect, it } from "vitest";
import { appUser } from "./app-user.ts";
import { type SandboxPlan, sandboxCommand } from "./command.ts";
import type { Host, Tools } from "./host.ts";
import { probeSandbox } from "./probe.ts";
import { reportOf } from "./report.ts";

const tools: Tools = {
  flock: "/bin/flock",
  prlimit: "/bin/prlimit",
  setpriv: "/bin/setpriv",
  bwrap: "/bin/bwrap",
  unshare: "/bin/unshare",
  true: "/bin/true",
};
const host: Host = {
  platform: "linux",
  arch: "x64",
  uid: 0,
  gid: 0,
  tools,
  noFileHard: 1_000_000,
  libraries: [],
};
const full: SandboxPlan = {
  host,
  user: "per-app",
  wrap: "bwrap",
  filter: Buffer.alloc(8),
  mayBind: true,
  noFile: 65_536,
};
const job = {
  user: { uid: 7, gid: 8 },
  lock: "/data/lock",
  binary: "/opt/workerd",
  args: ({ config }: { config: string }) => ["serve", config],
  config: "/run/c",
  storageDir: "/data/storage",
  socketsDir: "/run/s",
  stage: null,
};
const noTools: Tools = { flock: null, prlimit: null, setpriv: null, bwrap: null, unshare: null, true: null };

describe("the command", () => {
  it("locks first, then limits, then changes the user, then builds the walls", () => {
    const words = sandboxCommand(full, job);
    const order = ["/bin/flock", "/bin/prlimit", "--reuid=7", "/bin/bwrap", "/workerd"].map((word) =>
      words.indexOf(word),
    );
    expect(order.every((at, index) => at > (order[index - 1] ?? -1))).toBe(true);
    expect(words.slice(-3)).toEqual(["/workerd", "serve", "/config.capnp"]);
  });

  it("is workerd alone where there is nothing else", () => {
    const plan: SandboxPlan = { ...full, host: { ...host, tools: noTools }, wrap: "none", filter: null };
    expect(sandboxCommand(plan, job)).toEqual(["/opt/workerd", "serve", "/run/c"]);
  });

  it("binds what the user can't reach before it gives up root", () => {
    const stage = { storageDir: "/run/stage", binary: "/run/workerd" };
    const words = sandboxCommand(full, { ...job, stage });
    expect(words.indexOf("--mount")).toBeLessThan(words.indexOf("--reuid=7"));
    expect(words.join(" ")).toContain("--bind /run/stage /storage");
  });
});

describe("the report", () => {
  it("has nothing to say about a host that has everything", () => {
    expect(reportOf(full)).toEqual({
      unprivileged: true,
      namespaces: true,
      networkOff: true,
      seccomp: true,
      diesWithParent: true,
      memory: "watchdog",
      warnings: [],
    });
  });

  it.each([
    ["bubblewrap is not installed", { wrap: "unshare", host: { ...host, tools: { ...tools, bwrap: null } } }],
    ["can't make user namespaces", { wrap: "none" }],
    ["system calls are not filtered", { filter: null }],
    ["All apps run as the user nobody", { user: "nobody" }],
    ["User code runs as root", { user: "self" }],
    ["Ambit's own user (uid 5)", { user: "self", host: { ...host, uid: 5 } }],
    ["may open 300 files", { noFile: 300 }],
    ["setpriv not found", { host: { ...host, tools: { ...tools, setpriv: null } } }],
    ["without a sandbox on darwin", { wrap: "none", host: { ...host, platform: "darwin" } }],
  ] as [string, Partial<SandboxPlan>][])("warns: %s", (words, change) => {
    const { warnings } = reportOf({ ...full, ...change });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(words);
  });
});

describe("planning", () => {
  it("tries nothing out on a host it doesn't know", () => {
    const plan = probeSandbox({ ...host, platform: "darwin", tools: noTools });
    expect(plan).toMatchObject({ user: "self", wrap: "none", filter: null });
  });

  it("takes nothing that does not run", () => {
    const broken = { ...tools, bwrap: "/bin/false", unshare: "/bin/false", setpriv: "/bin/false" };
    expect(probeSandbox({ ...host, tools: broken })).toMatchObject({
      wrap: "none",
      user: "self",
      mayBind: false,
    });
  });
});

describe("an app's user", () => {
  it("is far from everybody else's, and its own", () => {
    const uids = Array.from({ length: 1_000 }, (_, index) => appUser(`app_${index}`).uid);
    expect(new Set(uids).size).toBe(1_000);
    expect(Math.min(...uids)).toBeGreaterThanOrEqual(2_000_000_000);
    expect(Math.max(...uids)).toBeLessThan(2 ** 31);
  });
});
