import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { locatePackage } from "./binaries.ts";
import { explainOutput, explainSystemError, firstReason } from "./errors.ts";
import { findAccount } from "./identity.ts";
import { isRoot, UNKNOWN_UID, Workspace } from "./testing/fixture.ts";

// A first start is about a second of work for one core, and the cores may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });
const workspace = new Workspace();
afterEach(() => workspace.cleanUp());

describe("refusals of a start", () => {
  const shared = new Workspace();
  let stateDir = "";
  beforeAll(async () => {
    stateDir = shared.directory();
    await (await shared.start(stateDir)).stop();
  });
  afterAll(() => shared.cleanUp());

  it("name the version that made the data", async () => {
    writeFileSync(join(stateDir, "postgres", "PG_VERSION"), "16\n");
    const refused = workspace.start(stateDir);
    await expect(refused).rejects.toMatchObject({
      code: "POSTGRES_DATA_VERSION_MISMATCH",
      message: expect.stringContaining("made by PostgreSQL 16"),
      remedy: expect.stringContaining("PG_BIN"),
    });
    writeFileSync(join(stateDir, "postgres", "PG_VERSION"), "18\n");
  });

  it("name the setting Postgres does not know, and leave no process", async () => {
    const refused = workspace.start(stateDir, { settings: { no_such_setting: "1" } });
    await expect(refused).rejects.toMatchObject({
      code: "POSTGRES_START_FAILED",
      message: expect.stringContaining("no_such_setting"),
    });
    await expect(workspace.start(stateDir, { settings: { "a b": "1" } })).rejects.toMatchObject({
      code: "POSTGRES_SETTING_INVALID",
    });
    expect(readdirSync(join(stateDir, "postgres.holders"))).toEqual([]);
  });

  it.runIf(isRoot)("name the owner of data that belong to somebody else, or to root", async () => {
    const nobody = findAccount("nobody")!;
    const directory = workspace.directory(nobody);
    mkdirSync(join(directory, "postgres"));
    writeFileSync(join(directory, "postgres", "PG_VERSION"), "18\n");
    await expect(workspace.start(directory)).rejects.toMatchObject({
      code: "POSTGRES_DATA_FOREIGN_OWNER",
      remedy: expect.stringContaining("chown"),
    });
    chownSync(join(directory, "postgres"), UNKNOWN_UID, UNKNOWN_UID);
    const child = workspace.child(directory, nobody);
    expect(await child.next()).toEqual({ error: "POSTGRES_DATA_FOREIGN_OWNER" });
  });

  it("do not touch a directory that holds something else", async () => {
    const directory = workspace.directory(isRoot ? findAccount("nobody") : undefined);
    mkdirSync(join(directory, "postgres"));
    writeFileSync(join(directory, "postgres", "letter.txt"), "mine");
    if (isRoot) chownSync(join(directory, "postgres"), UNKNOWN_UID, UNKNOWN_UID);
    chmodSync(directory, 0o711);
    await expect(workspace.start(directory)).rejects.toMatchObject({ code: "POSTGRES_DATA_NOT_A_CLUSTER" });
    expect(readdirSync(join(directory, "postgres"))).toEqual(["letter.txt"]);
  });

  it.runIf(isRoot)("name the directory that is closed to the database's user", async () => {
    const closed = workspace.directory();
    writeFileSync(join(closed, "file"), "");
    await expect(workspace.start(join(closed, "file"))).rejects.toMatchObject({
      code: "POSTGRES_STATE_DIRECTORY_NOT_WRITABLE",
    });
    await expect(workspace.start(join(closed, "state"))).rejects.toMatchObject({
      code: "POSTGRES_STATE_DIRECTORY_UNREACHABLE",
      message: expect.stringContaining(`${closed} is closed`),
      remedy: expect.stringContaining("AMBIT_DATA_DIR"),
    });
  });

  it.runIf(isRoot)("tell a user without a passwd entry what to do", async () => {
    const stranger = { uid: UNKNOWN_UID, gid: UNKNOWN_UID };
    const directory = workspace.directory(stranger);
    const child = workspace.child(directory, stranger);
    expect(await child.next()).toEqual({ error: "POSTGRES_USER_UNKNOWN" });
    expect(readdirSync(directory).filter((name) => name.startsWith("postgres.init"))).toEqual([]);
  });

  it.runIf(isRoot)("tell an ordinary user that the state directory is not writable", async () => {
    const directory = workspace.directory();
    chmodSync(directory, 0o755);
    const child = workspace.child(directory, findAccount("nobody"));
    expect(await child.next()).toEqual({ error: "POSTGRES_STATE_DIRECTORY_NOT_WRITABLE" });
  });

  it("tell that PG_BIN holds no PostgreSQL, or none that runs", async () => {
    const directory = workspace.directory();
    await expect(workspace.start(directory, { pgBin: "/nowhere" })).rejects.toMatchObject({
      code: "POSTGRES_BINARIES_MISSING",
    });
    const binDir = workspace.openDirectory();
    const program = join(binDir, "postgres");
    writeFileSync(program, "#!/bin/sh\necho 'postgres (PostgreSQL) 15.9'\n");
    await expect(workspace.start(directory, { pgBin: binDir })).rejects.toMatchObject({
      code: "POSTGRES_BINARIES_NOT_EXECUTABLE",
    });
    chmodSync(program, 0o755);
    await expect(workspace.start(directory, { pgBin: binDir })).rejects.toMatchObject({
      code: "POSTGRES_BINARIES_TOO_OLD",
    });
    writeFileSync(program, "#!/lib/ld-musl-nowhere.so.1\n");
    await expect(workspace.start(directory, { pgBin: binDir })).rejects.toMatchObject({
      code: "POSTGRES_LIBC_UNSUPPORTED",
      remedy: expect.stringContaining("DATABASE_URL"),
    });
  });
});

describe("explanations", () => {
  const context = { path: "/data", uid: 7 };

  it("tell a platform we do not ship from a package left out", () => {
    expect(() => locatePackage("sunos-x64")).toThrow(
      expect.objectContaining({ code: "POSTGRES_PLATFORM_UNSUPPORTED" }),
    );
    const absent = process.arch === "arm64" ? "linux-x64" : "linux-arm64";
    expect(() => locatePackage(absent)).toThrow(
      expect.objectContaining({
        code: "POSTGRES_BINARIES_MISSING",
        remedy: expect.stringContaining("--omit=optional"),
      }),
    );
  });

  it("recognise what initdb, the server and the loader print", () => {
    const code = (output: string) => explainOutput(output, context)?.code;
    expect(code("initdb: error: could not look up effective user ID 7: user does not exist")).toBe(
      "POSTGRES_USER_UNKNOWN",
    );
    expect(code('FATAL:  could not write lock file "postmaster.pid": No space left on device')).toBe(
      "POSTGRES_DISK_FULL",
    );
    expect(code("postgres: /lib/libm.so.6: version `GLIBC_2.27' not found")).toBe(
      "POSTGRES_LIBC_UNSUPPORTED",
    );
    expect(code("postgres: error while loading shared libraries: libicui18n.so.60: cannot open")).toBe(
      "POSTGRES_LIBC_UNSUPPORTED",
    );
    expect(code("LOG:  database system is ready")).toBeUndefined();
  });

  it("recognise what the file system refuses", () => {
    const of = (code: string, syscall: string) =>
      explainSystemError(Object.assign(new Error(code), { code, syscall, path: "/data/x" }), "/data");
    expect(of("ENOSPC", "write")).toMatchObject({ code: "POSTGRES_DISK_FULL" });
    expect(of("EROFS", "mkdir")).toMatchObject({ code: "POSTGRES_STATE_DIRECTORY_NOT_WRITABLE" });
    expect(of("EPERM", "fchown")).toMatchObject({ code: "POSTGRES_USER_SWITCH_REFUSED" });
    expect(of("EMFILE", "open")).toMatchObject({ code: "EMFILE" });
  });

  it("give the first complaint of many lines", () => {
    const output =
      '2026-01-01 LOG:  unrecognized configuration parameter "x" in file "a" line 3\nFATAL:  file contains errors\n';
    expect(firstReason(output)).toBe('unrecognized configuration parameter "x" in file "a" line 3');
    expect(firstReason("")).toBe("it gave no reason");
  });
});
