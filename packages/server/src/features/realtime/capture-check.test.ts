import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Metrics } from "../../kernel/metrics.ts";
import type { App } from "../../kernel/operation.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { CaptureCheck } from "./capture-check.ts";
import { followLog } from "./following.ts";
import { realtimeMetrics } from "./metrics.ts";
import { ensurePublications } from "./store.ts";
import { enableTables } from "./tables.ts";
import { until } from "./testing/test-reader.ts";

let world: TestPlatform;
let app: App;
beforeAll(async () => {
  world = await testPlatform();
  app = await world.createApp();
  await ensurePublications(world.platform.database);
});
afterAll(() => world.stop());

const query = (text: string, values: unknown[] = []) => world.platform.database.query(text, values);

const captured = async (table: string): Promise<boolean> =>
  (
    await query(
      `select from pg_publication_tables t join pg_class c on c.oid = format('%I.%I', schemaname, tablename)::regclass
       where pubname = 'ambit_realtime' and schemaname = $1 and tablename = $2 and c.relreplident = 'f'`,
      [app.id, table],
    )
  ).length === 1;

/** What a node that nobody has asked anything finds when it wakes. */
async function wokenNode(meanwhile: () => Promise<void>) {
  const platform = { ...world.platform, metrics: new Metrics() };
  const following = followLog(platform, realtimeMetrics(platform.metrics), { onChanged: () => {} });
  let gaps = 0;
  following.onGap(() => {
    gaps += 1;
  });
  await following.start({ always: false });
  const { reader } = following;
  await until(() => reader.window.from !== null && reader.asleep, "sleep");
  await meanwhile();
  const release = following.hold();
  await following.reader.ready();
  return {
    gaps: () => gaps,
    async stop() {
      release();
      await following.stop();
    },
  };
}

describe("a node that wakes", () => {
  it("switches on again what was dropped and made anew, also where nothing in the log says so", async () => {
    await query(`create table ${app.id}.notes (id int primary key)`);
    await enableTables(world.platform.database, app.id, ["notes"]);
    expect(await captured("notes")).toBe(true);
    const node = await wokenNode(async () => {
      await query(`drop table ${app.id}.notes`);
      await query(`create table ${app.id}.notes (id int primary key)`);
      expect(await captured("notes")).toBe(false);
    });
    await until(() => captured("notes"), "the table is captured again");
    expect(node.gaps()).toBe(0);
    await node.stop();
  });

  it("tells of a gap when a publication was dropped and made anew", async () => {
    await query(`create table ${app.id}.more (id int primary key)`);
    await enableTables(world.platform.database, app.id, ["more"]);
    const node = await wokenNode(async () => {
      await query("drop publication ambit_realtime");
      await ensurePublications(world.platform.database);
      expect(await captured("more")).toBe(false);
    });
    expect(node.gaps()).toBe(1);
    await until(() => captured("more"), "the table is captured again");
    await node.stop();
  });

  it("makes a publication that is missing, and tells of the gap", async () => {
    await query(`create table ${app.id}.third (id int primary key)`);
    await enableTables(world.platform.database, app.id, ["third"]);
    const node = await wokenNode(async () => {
      await query("drop publication ambit_realtime");
    });
    expect(node.gaps()).toBe(1);
    await until(() => captured("third"), "the table is captured again");
    await node.stop();
  });
});

describe("CaptureCheck", () => {
  it("finds a publication that is missing while the log is read, which Postgres passes over in silence", async () => {
    await query(`create table ${app.id}.fourth (id int primary key)`);
    await enableTables(world.platform.database, app.id, ["fourth"]);
    const told: string[] = [];
    const check = new CaptureCheck({
      database: world.platform.database,
      publish: () => ensurePublications(world.platform.database),
      onGap: () => void told.push("gap"),
      onUncaptured: (appId) => void told.push(appId),
    });
    await check.look();
    await check.look();
    expect(told).toEqual([]);
    await query("drop publication ambit_realtime");
    await check.look();
    expect(told).toEqual([app.id, "gap"]);
  });
});
