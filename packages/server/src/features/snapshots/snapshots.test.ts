import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { callerOf } from "../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createMemory } from "../memory/index.ts";
import type { MemoryService } from "../memory/service.ts";
import { limits } from "./limits.ts";
import { snapshotOperations } from "./operations.ts";
import { createSnapshotsService, type SnapshotsService } from "./service.ts";

const DAY = 86_400_000;
const START = Date.parse("2026-05-04T12:00:00Z");
let test: TestPlatform;
let memory: MemoryService;
let snapshots: SnapshotsService;
let organizationId: string;
let now: number;

beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());
beforeEach(async () => {
  organizationId = newUuid();
  now = START;
  await test.platform.database.query("insert into ambit.organizations (id, name) values ($1, 'O')", [
    organizationId,
  ]);
  const readerOf = async () => ({ organizationId, scope: null });
  memory = createMemory(test.platform, { readerOf }).service;
  snapshots = createSnapshotsService({ ...test.platform, clock: () => now }, { memory });
});

const decide = (title: string) =>
  test.platform.database.transaction((tx) =>
    memory.execute(
      tx,
      { organizationId, actionId: `act_${newUuid()}`, sourceAppId: null, nowMs: now },
      "record_decision",
      memory.capabilities.get("record_decision")!.parse({ title, kind: "operational" }),
    ),
  );
const list = (days = 30) =>
  callerOf(snapshotOperations(snapshots), { organizationId }, () => now).call<{
    snapshots: { snapshot_date: string; decision_count: number; decision_count_24h: number }[];
  }>("snapshots.list", { days: String(days) });

describe("snapshots", () => {
  it("count what there is today, a minute old at most", async () => {
    expect(await snapshots.today(organizationId, now)).toMatchObject({
      snapshot_date: "2026-05-04",
      entity_count: 0,
      decision_count: 0,
      decision_count_24h: 0,
    });
    await decide("a");
    now += limits.freshMs - 1;
    expect(await snapshots.today(organizationId, now)).toMatchObject({ decision_count: 0 });
    now += 1;
    expect(await snapshots.today(organizationId, now)).toMatchObject({
      decision_count: 1,
      decision_count_24h: 1,
    });
  });

  it("are one per day, newest first; days nobody counted are left out", async () => {
    await decide("a");
    await snapshots.today(organizationId, now);
    now += 2 * DAY;
    await decide("b");
    const { snapshots: rows } = await list();
    expect(rows).toMatchObject([
      { snapshot_date: "2026-05-06", decision_count: 2, decision_count_24h: 1 },
      { snapshot_date: "2026-05-04", decision_count: 1, decision_count_24h: 1 },
    ]);
    expect((await list(1)).snapshots).toHaveLength(1);
    expect((await list(2)).snapshots).toHaveLength(1);
    expect((await list(3)).snapshots).toHaveLength(2);
    await expect(list(0)).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
    await expect(list(366)).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
  });

  it("are taken of every organisation by itself, and again as the day goes on, by one node at a time", async () => {
    const { database } = test.platform;
    const stored = () =>
      database.query<{ decisions: number; taken_at: Date }>(
        `select (counts ->> 'decision_count')::int as decisions, taken_at from ambit.substrate_snapshots
         where organization_id = $1`,
        [organizationId],
      );
    const others = [1, 2, 3].map(() =>
      createSnapshotsService({ ...test.platform, clock: () => now }, { memory }),
    );
    await Promise.all([snapshots, ...others].map((each) => each.tick()));
    expect(await stored()).toEqual([{ decisions: 0, taken_at: new Date(START) }]);
    const without = await database.query(
      `select from ambit.organizations o where not exists
         (select from ambit.substrate_snapshots s where s.organization_id = o.id)`,
    );
    expect(without).toEqual([]);
    await decide("a");
    now = START + limits.refreshMs;
    await snapshots.tick();
    expect(await stored()).toMatchObject([{ decisions: 0 }]);
    now += 1;
    await snapshots.tick();
    expect(await stored()).toEqual([{ decisions: 1, taken_at: new Date(now) }]);
  });

  it("go on with the others when one organisation can't be counted", async () => {
    const broken: Pick<MemoryService, "counts"> = {
      counts: (db, id, nowMs) =>
        id === organizationId ? db.query("select 1 / 0").then(() => ({})) : memory.counts(db, id, nowMs),
    };
    now += DAY;
    await createSnapshotsService({ ...test.platform, clock: () => now }, { memory: broken }).tick();
    const rows = await test.platform.database.query<{ organization_id: string }>(
      "select organization_id from ambit.substrate_snapshots where taken_at = $1",
      [new Date(now)],
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map((row) => row.organization_id)).not.toContain(organizationId);
  });

  it("never go back to an earlier count of the same day", async () => {
    await decide("a");
    now += limits.freshMs;
    await snapshots.today(organizationId, now);
    const behind = createSnapshotsService(
      { ...test.platform, clock: () => START },
      { memory: { counts: async () => ({ decision_count: 99 }) } },
    );
    await behind.today(organizationId, START - 2 * limits.freshMs);
    expect((await list(1)).snapshots).toMatchObject([{ decision_count: 1 }]);
  });

  it("are forgotten after a long time", async () => {
    await snapshots.today(organizationId, now - limits.keptDays * DAY - DAY);
    await snapshots.tick();
    const rows = await test.platform.database.query(
      "select from ambit.substrate_snapshots where organization_id = $1 and snapshot_date < '2026-01-01'",
      [organizationId],
    );
    expect(rows).toEqual([]);
  });

  it("are not for keys that are bound to an app", async () => {
    const caller = callerOf(snapshotOperations(snapshots), {
      organizationId,
      scopes: ["app:app_x", "substrate"],
    });
    await expect(caller.call("snapshots.list")).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
  });
});
