import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ensureDatabase } from "../../engines/postgres/bootstrap.ts";
import { Database } from "../../engines/postgres/database.ts";
import { type EmbeddedPostgres, startEmbedded } from "../../engines/postgres/embedded/launcher.ts";
import { prepareServingRole } from "../../engines/postgres/serving-role.ts";
import { newUuid } from "../../kernel/ids.ts";
import { Secrets } from "../../kernel/secrets.ts";
import { migrateAll } from "../../migrations.ts";
import { testPlatform } from "../../testing/platform.ts";
import type { Ledger } from "./service.ts";
import { draftOf, exportAndVerify, ledgerNode, writeForEver } from "./testing/stand.ts";

const CHILD = new URL("testing/append-child.ts", import.meta.url).pathname;

/** Nothing acknowledged is missing, nothing is there twice, and every checkpoint that was ever seen still holds. */
async function expectWhole(
  ledger: Ledger,
  database: Database,
  organizationId: string,
  acknowledged: readonly string[],
  witnessed: readonly string[],
) {
  const { report, entries } = await exportAndVerify(ledger, organizationId, witnessed);
  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({ ok: true, foreign: 0, openings: { erased: 0 } });
  const ids = new Set(entries.map(({ id }) => id));
  expect(ids.size).toBe(entries.length);
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  const [row] = await database.query<{ count: number }>("select count(*)::int from ambit.ledger_entries");
  expect(row!.count).toBe(entries.length);
}

describe("kill -9", { timeout: 90_000 }, () => {
  it("of a node that writes and places: the next one goes on where it was", async () => {
    const test = await testPlatform();
    const master = randomBytes(32);
    const platform = { ...test.platform, secrets: new Secrets(master) };
    const { ledger } = ledgerNode(platform);
    try {
      const { target } = platform.database;
      const order = JSON.stringify({
        ...{ target, master: master.toString("base64"), organizationId: test.organizationId },
      });
      const acknowledged: string[] = [];
      const witnessed: string[] = [];
      for (let round = 0; round < 5; round += 1) {
        const child = spawn(process.execPath, [CHILD, order], { stdio: ["ignore", "pipe", "inherit"] });
        let text = "";
        child.stdout.on("data", (chunk) => (text += chunk));
        const exited = once(child, "exit");
        const closed = once(child.stdout, "close");
        while (text.split("\n").length < 60) await pause(5);
        await pause(Math.random() * 500);
        // On a busy machine nothing may have been signed by then; once at least there has to be something to witness.
        if (round === 4) {
          await expect.poll(() => ledger.checkpoints.latest(), { timeout: 20_000 }).not.toBeNull();
        }
        child.kill("SIGKILL");
        await Promise.all([exited, closed]);
        acknowledged.push(...text.split("\n").slice(0, -1));
        const latest = await ledger.checkpoints.latest();
        if (latest !== null) witnessed.push(latest.note);
      }
      ledger.start();
      await expectWhole(ledger, platform.database, test.organizationId, acknowledged, witnessed);
      expect(witnessed.length).toBeGreaterThan(0);
    } finally {
      await ledger.stop();
      await test.stop();
    }
  });

  it("of Postgres: what was acknowledged is there, in the order that was signed", async () => {
    const stateDir = mkdtempSync(join(tmpdir(), "ambit-ledger-"));
    chmodSync(stateDir, 0o755);
    const server = await startEmbedded({ stateDir, log: () => {} });
    const test = await testPlatform();
    const admin = await ensureDatabase({ host: server.host, port: server.port, user: server.user });
    const database = new Database(await prepareServingRole(admin), () => "", test.platform.log);
    const { ledger } = ledgerNode({ ...test.platform, database });
    const organizationId = newUuid();
    const acknowledged: string[] = [];
    const witnessed: string[] = [];
    let stopped = false;
    try {
      await migrateAll(database, admin, test.platform.log);
      ledger.start();
      const writers = Array.from({ length: 8 }, () =>
        writeForEver(
          ...([ledger, database, () => draftOf(organizationId, { sealed: { n: 1 } })] as const),
          (id) => acknowledged.push(id),
          () => stopped,
        ),
      );
      for (let round = 0; round < 3; round += 1) {
        const goal = acknowledged.length + 100;
        while (acknowledged.length < goal) await pause(5);
        witnessed.push((await ledger.checkpoints.current()).note);
        await pause(Math.random() * 300);
        await killed(server);
      }
      stopped = true;
      await Promise.all(writers);
      await expectWhole(ledger, database, organizationId, acknowledged, witnessed);
    } finally {
      stopped = true;
      await ledger.stop().catch(() => {});
      await database.close();
      await server.stop();
      await rm(stateDir, { recursive: true, force: true });
      await test.stop();
    }
  });
});

/** Kills the server and waits until its supervisor has it back. */
async function killed(server: EmbeddedPostgres): Promise<void> {
  const back = new Promise<void>((resolve) => server.onRestart(resolve));
  process.kill(server.pid, "SIGKILL");
  await back;
}
