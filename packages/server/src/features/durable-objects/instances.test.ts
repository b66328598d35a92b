import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import type { Archive } from "./archive.ts";
import { counter, type Stage, stage } from "./testing/stage.ts";

let on: Stage;
let app: App;
beforeAll(async () => {
  on = await stage();
  app = await on.createApp();
  await on.run("deploy", { app_id: app.id, name: "counter", code: counter() });
});
afterAll(() => on.stop());

const run = <T = Record<string, unknown>>(action: string, input: object, as = {}) =>
  on.run<T>(action, { app_id: app.id, name: "counter", ...input }, as);
const ask = async (instance: string, path?: string) => (await on.ask(app, "counter", instance, path)).text;
/** What the door says when it routes to an instance by its name. */
async function reach(instance: string, path?: string): Promise<string> {
  const found = await on.actors.find(app.id, "counter");
  on.actors.saw(found!.id, instance, Date.now());
  return ask(instance, path);
}
const developer = () => ({ principal: { ...on.owner, role: "developer" as const } });

describe("instances", () => {
  it("are listed with size and activity, by name where they were reached by it", async () => {
    const before = Date.now();
    await reach("listed/é");
    const unseen = await ask("unseen");
    expect(unseen).toBe("1");
    const { instances, total } = await run<{ instances: Record<string, unknown>[]; total: number }>(
      "list_instances",
      {},
    );
    const named = instances.find(({ name }) => name === "listed/é")!;
    expect(named.id).toMatch(/^[0-9a-f]{64}$/);
    expect(named.size_bytes).toBeGreaterThan(0);
    expect(Date.parse(String(named.last_active_at))).toBeGreaterThanOrEqual(before - 1);
    expect(instances.filter(({ name }) => name === null)).toHaveLength(1);
    expect(total).toBe(instances.length);
    const first = await run<{ instances: { id: string }[]; next_cursor: string }>("list_instances", {
      limit: 1,
    });
    const rest = await run<{ instances: { id: string }[] }>("list_instances", { cursor: first.next_cursor });
    expect([...first.instances, ...rest.instances].map(({ id }) => id)).toEqual(
      instances.map(({ id }) => id),
    );
  });

  it("are found by name and by id, with their alarm; looking makes none", async () => {
    await reach("found");
    await ask("found", "/alarm");
    const byName = await run("get_instance", { instance: "found" });
    expect(Date.parse(String(byName.alarm_at))).toBeGreaterThan(Date.now());
    expect(await run("get_instance", { instance: byName.id })).toMatchObject({ name: "found" });
    await expect(run("get_instance", { instance: "nobody" })).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
    await expect(run("read_storage", { instance: "nobody" })).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
    expect(
      (await run<{ instances: { name: string }[] }>("list_instances", {})).instances.map(({ name }) => name),
    ).not.toContain("nobody");
  });

  it("show and take storage inside their own process", async () => {
    await reach("store");
    expect(await run("read_storage", { instance: "store" })).toMatchObject({
      result: { entries: [{ key: "n", value: 1 }], hasMore: false },
    });
    await run("write_storage", { instance: "store", key: "n", value: 41 });
    expect(await ask("store")).toBe("42");
    expect(await run("read_storage", { instance: "store", key: "n" })).toMatchObject({
      result: { value: 42 },
    });
    await run("write_storage", { instance: "store", sql: "create table t (a)" });
    await run("write_storage", { instance: "store", sql: "insert into t values (?)", params: ["x"] });
    expect(await run("read_storage", { instance: "store", sql: "select a from t" })).toMatchObject({
      result: { rows: [["x"]] },
    });
    await run("write_storage", { instance: "store", key: "n", delete: true });
    expect(await ask("store")).toBe("1");
  });

  it("refuse writes that come as reads, bad SQL, and those who are no owners", async () => {
    await reach("guarded");
    await expect(
      run("read_storage", { instance: "guarded", sql: "create table t (a)" }),
    ).rejects.toMatchObject({ details: { reason: "SQL_NOT_READ_ONLY" } });
    await expect(run("read_storage", { instance: "guarded", sql: "select nope" })).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
      details: { reason: "STORAGE_ERROR" },
    });
    await expect(
      run("write_storage", { instance: "guarded", key: "n", value: 1 }, developer()),
    ).rejects.toMatchObject({ code: "AUTH_INSUFFICIENT_PERMISSIONS" });
  });

  it("are destroyed one by one", async () => {
    await reach("doomed");
    await ask("doomed", "/alarm");
    await reach("spared");
    expect(await run("delete_instance", { instance: "doomed" })).toMatchObject({
      deleted: true,
      name: "doomed",
    });
    expect(await ask("spared")).toBe("2");
    await expect(run("get_instance", { instance: "doomed" })).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
    expect(await reach("doomed")).toBe("1");
    expect(await run("get_instance", { instance: "doomed" })).toMatchObject({ alarm_at: null });
  });
});

describe("moving an instance", () => {
  const exported = async (instance: string) =>
    (await run<{ archive: Archive }>("export_instance", { instance })).archive;

  it("brings state and alarm back, here and in another app", async () => {
    await reach("mover");
    await ask("mover");
    await ask("mover", "/alarm");
    const archive = await exported("mover");
    expect(archive).toMatchObject({ class_name: "Counter", name: "mover" });
    expect(await ask("mover")).toBe("3");
    await expect(run("import_instance", { archive })).rejects.toMatchObject({
      details: { reason: "INSTANCE_EXISTS" },
    });
    await run("import_instance", { archive, overwrite: true });
    expect(await ask("mover")).toBe("3");
    expect(await run("import_instance", { archive, instance: "copy" })).toMatchObject({ name: "copy" });
    expect(await ask("copy")).toBe("3");
    const there = await run("get_instance", { instance: "copy" });
    expect(Date.parse(String(there.alarm_at)) * 1e6).toBeCloseTo(Number(archive.alarm_ns), -7);
    const other = await on.createApp();
    await on.run("deploy", { app_id: other.id, name: "tally", code: counter() });
    await on.run("import_instance", { app_id: other.id, name: "tally", archive });
    expect((await on.ask(other, "tally", "mover")).text).toBe("3");
  });

  it("takes only whole archives", async () => {
    await reach("whole");
    const archive = await exported("whole");
    const noise = randomBytes(5_000);
    const bad: Partial<Archive>[] = [
      { sha256: "0".repeat(64) },
      { data: Buffer.from("no gzip").toString("base64") },
      { data: gzipSync(noise).toString("base64") },
      { name: null },
    ];
    for (const change of bad) {
      const given = { archive: { ...archive, id: "0".repeat(64), ...change } };
      await expect(run("import_instance", given), JSON.stringify(change)).rejects.toMatchObject({
        code: "VALIDATION_ERROR",
      });
    }
    await expect(run("import_instance", { archive }, developer())).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
    expect(await ask("whole")).toBe("2");
  });
});

describe("usage and logs", () => {
  it("are told per class", async () => {
    await reach("used");
    const usage = await run<{ class: Record<string, number> }>("usage", {});
    expect(usage).toMatchObject({ do_requests: expect.any(Number), do_cpu_ms: expect.any(Number) });
    expect(usage.class.storage_bytes).toBeGreaterThan(0);
    expect(usage.class.instances).toBeGreaterThan(0);
    expect(await run("logs", {})).toMatchObject({ logs: expect.any(Array), has_more: false });
  });
});

describe("after a restart", () => {
  it("what a crash left of a deleted class is removed, and interrupted deploys are told", async () => {
    const { database } = on.platform;
    await on.run("deploy", { app_id: app.id, name: "gone", code: counter() });
    await on.ask(app, "gone", "a");
    const found = await on.actors.find(app.id, "gone");
    const directory = `${on.runtime.engine.storageDir(`${app.id}/actors`)}/${found!.id}`;
    expect(existsSync(directory)).toBe(true);
    await database.query(
      `with gone as (delete from ambit.durable_objects where id = $1)
       insert into ambit.durable_object_remains (unique_key, app_id) values ($1::uuid::text, $2)`,
      [found!.id, app.id],
    );
    await database.query(
      `insert into ambit.durable_objects (id, app_id, name, access_mode, status)
       values (gen_random_uuid(), $1, 'half', 'public', 'BUILDING')`,
      [app.id],
    );
    await reach("kept");
    // Stopped between the new code's start and the word that it serves.
    await database.query(
      "update ambit.durable_objects set status = 'BUILDING' where app_id = $1 and version is not null",
      [app.id],
    );
    await on.restart();
    expect(existsSync(directory)).toBe(false);
    expect(await on.run("get", { app_id: app.id, name: "half" })).toMatchObject({ status: "ERROR" });
    expect(await run("get", {})).toMatchObject({ status: "READY", error_message: null });
    expect(await run("get_instance", { instance: "kept" })).toMatchObject({ name: "kept" });
    expect(await ask("kept")).toBe("2");
  });
});
