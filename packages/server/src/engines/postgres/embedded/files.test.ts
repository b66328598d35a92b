import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { locatePackage } from "./binaries.ts";
import { Holder } from "./holders.ts";
import { acquireLock } from "./lock.ts";
import { readServerLog, rotateServerLog } from "./log.ts";
import { isSameProcess, startToken } from "./process.ts";
import { prepareSocketDir } from "./socket.ts";
import { copyTree } from "./staging.ts";
import { isRoot, UNKNOWN_UID, Workspace } from "./testing/fixture.ts";

const workspace = new Workspace();
afterEach(() => workspace.cleanUp());

describe("staging", () => {
  it("makes the links an install script would have made, and leaves the package as it was", async () => {
    const [source, target] = [join(workspace.directory(), "native"), join(workspace.directory(), "staged")];
    const { nativeDir } = locatePackage(`${process.platform}-${process.arch}`);
    const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
    cpSync(nativeDir, source, {
      recursive: true,
      filter: (path) => !isLink(path) && !/share|postgresql$/.test(path.slice(nativeDir.length)),
    });
    const before = readdirSync(join(source, "lib"));
    expect(spawnSync(join(source, "bin", "postgres"), ["-V"]).status, "does not load without them").not.toBe(
      0,
    );

    await copyTree(source, target);
    expect(String(spawnSync(join(target, "bin", "postgres"), ["-V"]).stdout)).toContain("PostgreSQL");
    expect(readdirSync(join(source, "lib"))).toEqual(before);
    const links = readdirSync(join(target, "lib")).filter((name) => isLink(join(target, "lib", name)));
    expect(links.length).toBeGreaterThan(5);
    for (const name of links) expect(readlinkSync(join(target, "lib", name))).not.toContain("/");
    expect(readdirSync(join(target, "lib")).filter((name) => name.endsWith(".a"))).toEqual([]);
  });

  it("copies instead of linking what other users could not read", async () => {
    const [source, target] = [join(workspace.directory(), "native"), join(workspace.directory(), "staged")];
    mkdirSync(source);
    writeFileSync(join(source, "closed"), "x", { mode: 0o700 });
    writeFileSync(join(source, "open"), "y", { mode: 0o644 });
    chmodSync(join(source, "open"), 0o644);
    await copyTree(source, target);
    const [closed, open] = [statSync(join(target, "closed")), statSync(join(target, "open"))];
    expect([closed.mode & 0o777, closed.nlink, open.mode & 0o777]).toEqual([0o755, 1, 0o644]);
    expect(statSync(join(source, "closed")).mode & 0o777).toBe(0o700);
    expect(statSync(target).mode & 0o777).toBe(0o755);
  });
});

describe("the lock", () => {
  it("is held by one at a time", async () => {
    const path = join(workspace.directory(), "lock");
    let inside = 0;
    let turns = 0;
    const turn = async (): Promise<void> => {
      const release = await acquireLock(path, 5_000);
      expect(++inside).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside--;
      turns++;
      release!();
    };
    await Promise.all(Array.from({ length: 8 }, turn));
    expect(turns).toBe(8);
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it("is taken over from the dead at once, and not from the living", async () => {
    const path = join(workspace.directory(), "lock");
    symlinkSync(`${process.pid}:an-earlier-process:1`, path);
    const release = await acquireLock(path, 1_000);
    expect(release).toBeDefined();
    expect(await acquireLock(path, 30)).toBeUndefined();
    release!();
    expect(await acquireLock(path, 30)).toBeDefined();
  });

  it("stops waiting when told to", async () => {
    const path = join(workspace.directory(), "lock");
    await acquireLock(path, 1_000);
    const reason = new Error("enough");
    await expect(acquireLock(path, 60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe("holders", () => {
  it("count the living only", () => {
    const directory = workspace.directory();
    const [one, two] = [new Holder(directory), new Holder(directory)];
    one.register();
    writeFileSync(join(directory, `${process.pid}.9.an-earlier-process`), "");
    writeFileSync(join(directory, `${spawnSync("true").pid}.1.${startToken(process.pid)}`), "");
    expect(one.hasCompany()).toBe(false);
    expect(readdirSync(directory)).toHaveLength(1);
    two.register();
    expect(one.hasCompany()).toBe(true);
    two.release();
    expect(one.hasCompany()).toBe(false);
  });

  it("tell a process from the next one with its number", () => {
    const token = startToken(process.pid)!;
    expect(isSameProcess(process.pid, token)).toBe(true);
    expect(isSameProcess(process.pid, `${token}0`)).toBe(false);
    expect(token).toMatch(/^[\w-]+$/);
  });
});

describe("the server's log", () => {
  it("is cut off at its bound, keeps what was there, and goes on in the same descriptor", () => {
    const file = join(workspace.directory(), "log");
    appendFileSync(file, "old\n");
    rotateServerLog(file, 10);
    expect(readFileSync(file, "utf8")).toBe("old\n");
    appendFileSync(file, "and more\n");
    rotateServerLog(file, 10);
    appendFileSync(file, "new\n");
    expect(readFileSync(`${file}.1`, "utf8")).toBe("old\nand more\n");
    expect(readServerLog(file, 0)).toBe("new\n");
    expect(readServerLog(file, 500)).toBe("");
  });
});

describe("the socket directory", () => {
  const identity = { uid: process.getuid!(), gid: process.getgid!(), switched: false };

  it("is closed to others, even if it was open before", () => {
    const path = join(workspace.directory(), "socket");
    mkdirSync(path, { mode: 0o777 });
    prepareSocketDir(path, identity);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it.runIf(isRoot)("is refused if somebody else made it or it leads elsewhere", () => {
    const taken = expect.objectContaining({ code: "POSTGRES_SOCKET_DIRECTORY_TAKEN" });
    const theirs = workspace.directory({ uid: UNKNOWN_UID, gid: UNKNOWN_UID });
    expect(() => prepareSocketDir(theirs, identity)).toThrow(taken);
    const link = join(workspace.directory(), "link");
    symlinkSync(workspace.directory(), link);
    expect(() => prepareSocketDir(link, identity)).toThrow(taken);
  });
});
