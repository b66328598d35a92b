import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Host, readHost } from "../sandbox/index.ts";
import type { SandboxReport } from "../types.ts";
import { createStarter, type Starter, StorageLockedError, type WorkerdProcess } from "./index.ts";
import { isAlive } from "./proc.ts";
import { configOf, ended, fetchText, optionsOf, scratch, serverOn, until } from "./testing.ts";

const place = scratch();
const isRoot = process.getuid?.() === 0;
const here = readHost();
let loopback: Server;
let code: string;

beforeAll(async () => {
  loopback = createServer((_request, response) => response.end("the host's loopback"));
  await new Promise<void>((resolve) => loopback.listen(0, "127.0.0.1", resolve));
  const { port } = loopback.address() as AddressInfo;
  code = `export default { async fetch() {
    try { return await fetch("http://127.0.0.1:${port}/"); } catch { return new Response("no network"); }
  } };`;
});
afterAll(() => {
  loopback.close();
  for (const starter of starters) starter.close();
  place.cleanUp();
});

const starters: Starter[] = [];
function starterOn(host: Host): Starter {
  const starter = createStarter(host);
  starters.push(starter);
  return starter;
}

/** This host, with these helper programs only. */
function hostWith(...names: (keyof Host["tools"])[]): Host {
  const dir = join(place.dir, `path-${names.join("-")}`);
  mkdirSync(dir);
  for (const name of ["true", ...names] as const)
    symlinkSync(here.tools[name] ?? "/nowhere", join(dir, name));
  return readHost(dir);
}

interface Seen {
  readonly program: WorkerdProcess;
  readonly report: SandboxReport;
  readonly answer: string;
  readonly status: Record<string, string>;
  readonly root: string[];
  /** Whether it shares Ambit's network. The filter alone would keep it off, so this looks at the namespace. */
  readonly sharesNetwork: boolean;
}

/** Starts a program whose configuration allows every address, and looks at it from outside. */
async function look(
  host: Host,
  key: "app_a/functions" | "app_b/functions" = "app_a/functions",
): Promise<Seen> {
  const starter = starterOn(host);
  const program = await starter.start(optionsOf(place.dir, { key, configText: configOf(code) }));
  await program.ready;
  const lines = readFileSync(`/proc/${program.pid}/status`, "utf8").split("\n");
  const status = Object.fromEntries(lines.map((line) => line.split(":\t")));
  const answer = await fetchText(program.socketsDir);
  const network = (pid: number | "self") => readlinkSync(`/proc/${pid}/ns/net`);
  const sharesNetwork = network(program.pid) === network("self");
  return { program, report: starter.report(), answer, status, root: rootOf(program.pid), sharesNetwork };
}

function rootOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/root/`).sort();
}

async function end(program: WorkerdProcess): Promise<void> {
  program.kill();
  await program.exited;
  expect(isAlive(program.pid)).toBe(false);
}

describe.skipIf(!here.tools.bwrap)("the whole sandbox", () => {
  it("leaves no network, no privileges, no host files and few system calls", async () => {
    const seen = await look(here);
    expect(seen.report).toMatchObject({
      namespaces: true,
      networkOff: true,
      seccomp: true,
      diesWithParent: true,
    });
    expect(seen.answer).not.toContain("loopback");
    expect(seen.sharesNetwork).toBe(false);
    expect(seen.status.CapEff).toBe("0000000000000000");
    expect(seen.status.NoNewPrivs).toBe("1");
    expect(seen.status.Seccomp).toBe("2");
    expect(seen.root).not.toContain("home");
    expect(seen.root).not.toContain("proc");
    expect(seen.root).toContain("storage");
    expect(readdirSync(`/proc/${seen.program.pid}/root/dev`).sort()).toEqual(["null", "urandom"]);
    await end(seen.program);
  });

  it.skipIf(!isRoot)("gives each app a user of its own, the same every time", async () => {
    const a = await look(here);
    const b = await look(here, "app_b/functions");
    const uid = ({ status }: Seen) => status.Uid?.split("\t")[0];
    expect(Number(uid(a))).toBeGreaterThanOrEqual(2_000_000_000);
    expect(uid(a)).not.toBe(uid(b));
    expect(a.status.Groups?.trim()).toBe("");
    await end(a.program);
    await end(b.program);
    const again = await look(here);
    expect(uid(again)).toBe(uid(a));
    await end(again.program);
  });

  it.skipIf(!isRoot)("reaches data that lie below a directory of root's alone", async () => {
    const closed = join(place.dir, "closed");
    mkdirSync(closed);
    chmodSync(closed, 0o700);
    const program = await starterOn(here).start(optionsOf(join(closed, "data")));
    await program.ready;
    expect(await fetchText(program.socketsDir)).toBe("hello");
    expect(readFileSync(`/proc/${program.pid}/status`, "utf8")).toMatch(/^Uid:\s+2\d{9}\s/m);
    await end(program);
  });
});

describe("a poorer host", () => {
  it.skipIf(!here.tools.unshare)("without bwrap still turns the network off", async () => {
    const seen = await look(hostWith("flock", "prlimit", "setpriv", "unshare"));
    expect(seen.report).toMatchObject({ namespaces: true, networkOff: true, seccomp: false });
    expect(seen.report.warnings.join("\n")).toContain("apt-get install bubblewrap");
    expect(seen.answer).not.toContain("loopback");
    expect(seen.sharesNetwork).toBe(false);
    expect(seen.status.NoNewPrivs).toBe("1");
    expect(Number(seen.status.CapEff)).toBe(0);
    await end(seen.program);
  });

  it("without namespaces says that the network is shared", async () => {
    const seen = await look(hostWith("flock", "prlimit", "setpriv"));
    expect(seen.report).toMatchObject({ namespaces: false, networkOff: false, seccomp: false });
    expect(seen.report.diesWithParent).toBe(true);
    expect(seen.answer).toBe("the host's loopback");
    expect(seen.sharesNetwork).toBe(true);
    expect(Number(seen.status.CapEff)).toBe(0);
    await end(seen.program);
  });

  it("without any helper runs, and says what is missing", async () => {
    const seen = await look(hostWith());
    expect(seen.report).toMatchObject({ unprivileged: false, networkOff: false, diesWithParent: false });
    expect(seen.report.warnings.join("\n")).toContain("flock, prlimit, setpriv, unshare not found");
    await end(seen.program);
  });

  it("keeps the lock as long as there is flock", async () => {
    const starter = starterOn(hostWith("flock"));
    const first = await starter.start(optionsOf(place.dir));
    await first.ready;
    await expect(starter.start(optionsOf(place.dir))).rejects.toBeInstanceOf(StorageLockedError);
    await end(first);
  });
});

describe("Ambit as an ordinary user", () => {
  it.skipIf(!isRoot || !here.tools.bwrap)("runs programs as itself, walled in all the same", async () => {
    const data = join(place.dir, "ordinary");
    mkdirSync(data);
    chownSync(data, 12_345, 12_345);
    chmodSync(place.dir, 0o711);
    const server = await serverOn(data, { uid: 12_345, gid: 12_345 });
    expect(server.said).toMatchObject({
      uid: 12_345,
      report: { unprivileged: false, namespaces: true, networkOff: true, seccomp: true },
    });
    const pid = Number(server.said.pid);
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\s+12345\s/m);
    expect(await fetchText(String(server.said.socketsDir))).toBe("hello");
    server.child.kill("SIGKILL");
    await ended(server.child);
    await until("workerd dies with it", () => !isAlive(pid));
  });
});

describe("what a start that was cut off left behind", () => {
  it.skipIf(!here.tools.flock)("is ended when it holds the lock and nobody owns it any more", async () => {
    const starter = starterOn(here);
    const first = await starter.start(optionsOf(place.dir));
    await first.ready;
    await end(first);
    const lock = join(place.dir, "app_test/functions/lock");
    const leader = spawn(here.tools.flock ?? "", ["-F", lock, "/bin/sh", "-c", "sleep 600 & echo $!"], {
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const orphan = await new Promise<number>((resolve) =>
      leader.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))),
    );
    await ended(leader);
    expect(isAlive(orphan)).toBe(true);
    const next = await starter.start(optionsOf(place.dir));
    await next.ready;
    expect(isAlive(orphan)).toBe(false);
    await end(next);
  });
});
