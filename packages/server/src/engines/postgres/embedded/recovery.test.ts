import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { EmbeddedPostgres } from "./index.ts";
import { isRunning } from "./process.ts";
import { gone, isLinux, query, Workspace } from "./testing/fixture.ts";
import { waitFor } from "./wait.ts";

// A first start is about a second of work for one core, and the cores may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });
const workspace = new Workspace();
afterEach(() => workspace.cleanUp());

/** One cluster for all: each test starts and stops its server. */
const shared = new Workspace();
let stateDir = "";
beforeAll(async () => {
  stateDir = shared.directory();
  await (await shared.start(stateDir)).stop();
});
afterAll(() => shared.cleanUp());

const restartOf = (server: EmbeddedPostgres): Promise<void> =>
  new Promise((resolve) => server.onRestart(() => resolve()));

describe("a killed postmaster", () => {
  it("is brought back at once with every committed row, again and again", async () => {
    const server = await workspace.start(stateDir);
    await query(server, "create table rounds (n int)");
    for (const round of [1, 2, 3]) {
      await query(server, `insert into rounds values (${round})`);
      const [killed, restarted] = [server.pid, restartOf(server)];
      process.kill(killed, "SIGKILL");
      await restarted;
      expect(server.pid).not.toBe(killed);
      expect(await query(server, "select count(*)::int n from rounds")).toEqual([{ n: round }]);
    }
  });

  it("is brought back by a process that only adopted it", async () => {
    const child = workspace.child(stateDir);
    await child.next();
    await child.kill();
    const server = await workspace.start(stateDir);
    const [killed, restarted] = [server.pid, restartOf(server)];
    process.kill(killed, "SIGKILL");
    await restarted;
    expect(await query(server, "select 1 one")).toEqual([{ one: 1 }]);
  });

  it.runIf(isLinux)("is brought back although a busy backend outlives it", async () => {
    const server = await workspace.start(stateDir);
    const client = new pg.Client({
      host: server.host,
      port: server.port,
      user: "postgres",
      database: "postgres",
    });
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query("select pg_backend_pid() pid");
    const busy = client.query("select count(*) from generate_series(1, 100000000000)").catch(() => "cut off");
    await waitFor(
      async () =>
        (await query(server, "select 1 from pg_stat_activity where query like '%generate_series(1%'"))[0],
      2_000,
      10,
    );
    const restarted = restartOf(server);
    process.kill(server.pid, "SIGKILL");
    await restarted;
    expect(isRunning(rows[0].pid)).toBe(false);
    expect(await busy).toBe("cut off");
    expect(await query(server, "select 1 one")).toEqual([{ one: 1 }]);
  });

  it("is not replaced by an empty cluster if its data vanished, and comes back with them", async () => {
    const errors: string[] = [];
    const server = await workspace.start(stateDir, {
      log: (level, message, detail) =>
        level === "error" && errors.push(`${message} ${JSON.stringify(detail)}`),
    });
    await query(server, "create table kept as select 5 n");
    const restarted = restartOf(server);
    renameSync(join(stateDir, "postgres"), join(stateDir, "aside"));
    process.kill(server.pid, "SIGKILL");
    expect(await waitFor(() => errors.length > 0, 2_000, 5)).toBe(true);
    expect(errors[0]).toContain("is gone");
    renameSync(join(stateDir, "aside"), join(stateDir, "postgres"));
    await restarted;
    expect(await query(server, "select n from kept")).toEqual([{ n: 5 }]);
  });
});

describe("what a dead postmaster left", () => {
  it("is cleared away if its number went to another program, which is left alone", async () => {
    const other = await workspace.bystander("sleep", ["60"]);
    leaveBehind(stateDir, other.pid);
    const server = await workspace.start(stateDir);
    expect(server.adopted).toBe(false);
    expect(isRunning(other.pid)).toBe(true);
  });

  it.runIf(isLinux)("is cleared away if it is a zombie nobody reaps", async () => {
    // The shell's child ends after the shell has become a program that never asks for it.
    const parent = await workspace.bystander("sh", ["-c", "sleep 0.05 & echo $!; exec sleep 60"]);
    const [line] = await new Promise<Buffer[]>((resolve) =>
      parent.stdout!.once("data", (data) => resolve([data])),
    );
    const zombie = Number(String(line).trim());
    await gone(zombie);
    expect(() => process.kill(zombie, 0), "still has its number").not.toThrow();
    leaveBehind(stateDir, zombie);
    expect((await workspace.start(stateDir)).adopted).toBe(false);
  });

  it("is cleared away if the process is gone", async () => {
    leaveBehind(stateDir, spawnSync("true").pid);
    expect((await workspace.start(stateDir)).adopted).toBe(false);
  });
});

describe("a server that does not obey", () => {
  it("is stopped by force within four seconds", async () => {
    const server = await workspace.start(stateDir);
    process.kill(server.pid, "SIGSTOP");
    const begun = performance.now();
    await server.stop();
    expect(performance.now() - begun).toBeLessThan(4_000);
    expect(isRunning(server.pid)).toBe(false);
    expect(existsSync(server.host)).toBe(false);
  });

  it("is stopped in the middle of a restart that cannot succeed", async () => {
    const server = await workspace.start(stateDir);
    renameSync(join(stateDir, "postgres"), join(stateDir, "aside"));
    process.kill(server.pid, "SIGKILL");
    await gone(server.pid);
    const begun = performance.now();
    await server.stop();
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});

/** Files as a postmaster of this number would have left them. */
function leaveBehind(stateDir: string, pid: number): void {
  const [dataDir, socketDir] = [join(stateDir, "postgres"), join(stateDir, "postgres.socket")];
  const lines = [pid, dataDir, 1_700_000_000, 5432, socketDir, "", "  1234  5678", "ready   "].join("\n");
  writeFileSync(join(dataDir, "postmaster.pid"), `${lines}\n`);
  chmodSync(join(dataDir, "postmaster.pid"), 0o644);
}
