import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { findAccount } from "./identity.ts";
import { limits } from "./limits.ts";
import { processesOfCluster } from "./process.ts";
import { shortName } from "./socket.ts";
import { isLinux, isRoot, query, Workspace } from "./testing/fixture.ts";

// A first start is about a second of work for one core, and the cores may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });
const workspace = new Workspace();
afterEach(() => workspace.cleanUp());

describe("a first start", () => {
  it("gives a cluster made for Ambit, and a stop leaves nothing but the data", async () => {
    const stateDir = workspace.directory();
    process.env.AMBIT_TEST_SECRET = "not for the database";
    const server = await workspace.start(stateDir);
    expect(server).toMatchObject({ user: "postgres", adopted: false, port: 5432 });
    expect(statSync(server.host).mode & 0o777).toBe(0o700);
    const [facts] = await query(
      server,
      `select current_setting('wal_level') wal, current_setting('listen_addresses') listen,
              current_setting('max_replication_slots') slots, current_setting('data_checksums') checksums,
              current_setting('server_encoding') encoding, datlocprovider provider, datlocale locale
         from pg_database where datname = 'postgres'`,
    );
    expect(facts).toEqual({
      wal: "logical",
      listen: "",
      slots: "32",
      checksums: "on",
      encoding: "UTF8",
      provider: "b",
      locale: "C.UTF-8",
    });
    if (isLinux) {
      expect(readFileSync(`/proc/${server.pid}/environ`, "utf8")).not.toContain("AMBIT_TEST_SECRET");
      const session = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3];
      expect(session, "a session of its own").toBe(String(server.pid));
      expect(statSync(`/proc/${server.pid}`).uid, "not root").not.toBe(0);
    }
    const dataDir = join(stateDir, "postgres");
    const ownerUid = statSync(dataDir).uid;
    const mark = { dataDir, clusterName: `ambit-${shortName(stateDir)}`, ownerUid };
    expect(processesOfCluster(mark)).toContain(server.pid);
    expect(processesOfCluster({ ...mark, ownerUid: ownerUid + 1 })).toEqual([]);
    await server.stop();
    delete process.env.AMBIT_TEST_SECRET;
    expect(processesOfCluster(mark)).toEqual([]);
    expect(existsSync(join(stateDir, "postgres", "postmaster.pid"))).toBe(false);
    expect(readdirSync(join(stateDir, "postgres.holders"))).toEqual([]);
    expect(readdirSync(stateDir).sort()).toEqual(["engine", "postgres", "postgres.holders", "postgres.log"]);
  });

  it("removes what an interrupted creation left", async () => {
    const stateDir = workspace.directory();
    mkdirSync(join(stateDir, "postgres.init-abcdef", "base"), { recursive: true });
    mkdirSync(join(stateDir, "engine", ".staging-1", "bin"), { recursive: true });
    const server = await workspace.start(stateDir);
    expect(await query(server, "select 1 one")).toEqual([{ one: 1 }]);
    expect(readdirSync(stateDir).filter((name) => name.includes("init"))).toEqual([]);
    expect(readdirSync(join(stateDir, "engine"))).toHaveLength(1);
  });
});

describe("later starts", () => {
  it("find the data again, adopt a running server, and share it until the last use ends", async () => {
    const stateDir = workspace.directory();
    const first = await workspace.start(stateDir);
    await query(first, "create table kept as select 42 answer");
    await first.stop();

    const second = await workspace.start(stateDir, { settings: { "ambit.note": "before" } });
    expect(second.adopted).toBe(false);
    expect(await query(second, "select answer from kept")).toEqual([{ answer: 42 }]);

    const third = await workspace.start(stateDir, { settings: { "ambit.note": "after" } });
    expect(third).toMatchObject({ adopted: true, pid: second.pid });
    await second.stop();
    expect(await query(third, "select current_setting('ambit.note') note")).toEqual([{ note: "after" }]);
    await third.stop();
    await expect(query(third, "select 1")).rejects.toThrow();
  });

  it("survive hostile names and setting values", async () => {
    const directory = join(workspace.openDirectory(), "it's, a place");
    const values = fc.sample(fc.string({ unit: "grapheme" }), { numRuns: 60, seed: 20_261 });
    const settings: Record<string, string> = { "ambit.control": "a\n\r\t\\'b" };
    values.forEach((value, index) => {
      settings[`ambit.value_${index}`] = value.replaceAll("\0", "");
    });
    const server = await workspace.start(directory, { settings });
    const names = Object.keys(settings);
    const columns = names.map((name) => `current_setting('${name}') as "${name}"`);
    expect(await query(server, `select ${columns.join(", ")}`)).toEqual([settings]);
  });

  it("put the socket elsewhere when its path would be too long, and follow a linked data directory", async () => {
    const [base, disk] = [workspace.openDirectory(), workspace.directory()];
    const stateDir = join(base, "long".repeat(30));
    const server = await workspace.start(stateDir);
    expect(Buffer.byteLength(server.host)).toBeLessThan(limits.socketPathBytes);
    await query(server, "create table kept as select 7 n");
    await server.stop();
    expect(existsSync(server.host)).toBe(false);

    renameSync(join(stateDir, "postgres"), join(disk, "cluster"));
    symlinkSync(join(disk, "cluster"), join(stateDir, "postgres"));
    if (isRoot) {
      await expect(workspace.start(stateDir)).rejects.toMatchObject({
        code: "POSTGRES_STATE_DIRECTORY_UNREACHABLE",
      });
      chmodSync(disk, 0o711);
    }
    expect(await query(await workspace.start(stateDir), "select n from kept")).toEqual([{ n: 7 }]);
  });

  it("run on an installed PostgreSQL that PG_BIN names", async () => {
    const [stateDir, otherDir] = [workspace.openDirectory(), workspace.directory()];
    await (await workspace.start(stateDir)).stop();
    const engine = join(stateDir, "engine", readdirSync(join(stateDir, "engine"))[0]!, "bin");
    const server = await workspace.start(otherDir, { pgBin: engine });
    expect(existsSync(join(otherDir, "engine"))).toBe(false);
    expect(await query(server, "select 1 one")).toEqual([{ one: 1 }]);
  });
});

describe("several processes on one state directory", () => {
  it("share one server when they start at the same moment", async () => {
    const nobody = isRoot ? findAccount("nobody") : undefined;
    const stateDir = workspace.directory(nobody);
    const children = [1, 2, 3].map(() => workspace.child(stateDir, nobody));
    const said = await Promise.all(children.map((child) => child.next()));
    expect(new Set(said.map(({ pid }) => pid)).size).toBe(1);
    expect(said.map(({ adopted }) => adopted).sort()).toEqual([false, true, true]);
    if (isLinux && nobody) expect(statSync(`/proc/${said[0]!.pid}`).uid).toBe(nobody.uid);
    expect(readdirSync(stateDir).filter((name) => name.startsWith("postgres.init"))).toEqual([]);

    process.kill(said[0]!.pid!, "SIGKILL");
    const restarted = await Promise.all(children.map((child) => child.next()));
    expect(new Set(restarted.map(({ restarted }) => restarted)).size).toBe(1);

    const winner = said.findIndex(({ adopted }) => !adopted);
    await children[winner]!.stop();
    const last = said[(winner + 1) % 3] as unknown as { host: string; port: number };
    expect(await query(last, "select 1 one")).toEqual([{ one: 1 }]);
    await children[(winner + 1) % 3]!.stop();
    await children[(winner + 2) % 3]!.stop();
    await expect(query(last, "select 1")).rejects.toThrow();
  });

  it("adopt the server of a process that was killed", async () => {
    const stateDir = workspace.directory();
    const child = workspace.child(stateDir);
    const said = await child.next();
    await child.kill();
    const server = await workspace.start(stateDir);
    expect(server).toMatchObject({ adopted: true, pid: said.pid });
    await server.stop();
    await expect(query(server, "select 1")).rejects.toThrow();
  });

  const confined = spawnSync("setpriv", ["--bounding-set", "-sys_ptrace", "true"]).status === 0;
  it.runIf(isRoot && isLinux && confined)("adopt it without the right to look into processes", async () => {
    const through = ["setpriv", "--bounding-set", "-sys_ptrace"];
    const stateDir = workspace.directory();
    const first = workspace.child(stateDir, undefined, through);
    const { pid } = await first.next();
    await first.kill();
    const second = workspace.child(stateDir, undefined, through);
    expect(await second.next()).toMatchObject({ pid, adopted: true });
    process.kill(pid!, "SIGKILL");
    expect((await second.next()).restarted).not.toBe(pid);
    await second.stop();
  });
});
