import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { ANONYMOUS } from "../../kernel/principal.ts";
import { counter, type Stage, stage } from "./testing/stage.ts";

let on: Stage;
let app: App;
beforeAll(async () => {
  on = await stage();
});
afterAll(() => on.stop());
beforeEach(async () => {
  app = await on.createApp();
});

const deploy = (name: string, code: string, access_mode?: string) =>
  on.run("deploy", { app_id: app.id, name, code, ...(access_mode === undefined ? {} : { access_mode }) });
const get = (name: string) => on.run("get", { app_id: app.id, name });
const ask = async (name: string, instance: string, path?: string) =>
  (await on.ask(app, name, instance, path)).text;
const noFlock = spawnSync("flock", ["--version"]).error !== undefined;
const waitsForLock = (pid: number) =>
  new RegExp(`-> FLOCK +ADVISORY +WRITE ${pid} `).test(readFileSync("/proc/locks", "utf8"));

describe("deploy", () => {
  it("has a class serve, and says so", async () => {
    const deployed = await deploy("counter", counter());
    expect(deployed).toMatchObject({
      name: "counter",
      class_name: "Counter",
      status: "READY",
      access_mode: "authenticated",
      version: 1,
      unchanged: false,
    });
    expect(await ask("counter", "a")).toBe("1");
    expect(await ask("counter", "a")).toBe("2");
    expect(await get("counter")).toMatchObject({ code: counter(), error_message: null });
    expect(await on.run("list", { app_id: app.id })).toMatchObject({
      durable_objects: [{ name: "counter" }],
    });
  });

  it("swaps new code in, keeps storage, and changes nothing for the same code", async () => {
    await deploy("counter", counter(1), "public");
    await ask("counter", "a");
    expect(await deploy("counter", counter(2))).toMatchObject({ version: 2, access_mode: "public" });
    expect(await ask("counter", "a", "/v")).toBe("2");
    const { pid } = on.runtime.engine.status(`${app.id}/actors`);
    expect(await deploy("counter", counter(2))).toMatchObject({
      version: 2,
      unchanged: true,
      status: "READY",
    });
    expect(on.runtime.engine.status(`${app.id}/actors`).pid).toBe(pid);
    expect(await ask("counter", "a")).toBe("2");
  });

  it("leaves the version before serving when the source is bad, and says where", async () => {
    await deploy("counter", counter());
    const bad = deploy("counter", "export class A { fetch() {} }\nimport fs from 'node:fs';");
    await expect(bad).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
      status: 400,
      details: { reason: "DISALLOWED_IMPORT", file: "counter.ts", line: 2 },
    });
    expect(await ask("counter", "a")).toBe("1");
    const after = await get("counter");
    expect(after).toMatchObject({ status: "READY", version: 1, code: counter() });
    expect(after.error_message).toContain("counter.ts:2");
    expect(await deploy("counter", counter())).toMatchObject({ error_message: null, unchanged: true });
  });

  it("leaves it serving when the class does not start, and names the line of the TypeScript", async () => {
    await deploy("counter", counter());
    const bad = `interface Unused { a: string; b: number }\n\nfunction boom(): never {\n  throw new Error("no start");\n}\nboom();\n${counter(2)}`;
    await expect(deploy("counter", bad)).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
      details: { reason: "START_FAILED", file: "counter.ts", line: 4 },
      message: expect.stringContaining("no start"),
    });
    expect(await ask("counter", "a", "/v")).toBe("1");
    expect((await get("counter")).error_message).toContain("no start");
  });

  it.skipIf(noFlock)("goes back to the version before when the new one can't take its place", async () => {
    await deploy("counter", counter(1));
    expect(await ask("counter", "a")).toBe("1");
    // It has the storage's lock as soon as the old process is gone, so that none can start.
    const lock = join(on.dataDir, "workerd", app.id, "actors", "lock");
    const holder = spawn("flock", ["-F", lock, "sleep", "60"], { stdio: "ignore" });
    try {
      await expect.poll(() => waitsForLock(holder.pid!), { timeout: 10_000 }).toBe(true);
      await expect(deploy("counter", counter(2))).rejects.toThrow();
    } finally {
      const gone = once(holder, "exit");
      holder.kill("SIGKILL");
      await gone;
    }
    expect(await get("counter")).toMatchObject({ status: "READY", version: 1, code: counter(1) });
    expect(await ask("counter", "a", "/v")).toBe("1");
    await deploy("counter", counter(2));
    expect(await ask("counter", "a", "/v")).toBe("2");
  });

  it("keeps a first deploy that failed in the list, out of reach", async () => {
    await expect(deploy("broken", `throw new Error("x");\n${counter()}`)).rejects.toMatchObject({
      details: { reason: "START_FAILED" },
    });
    expect(await get("broken")).toMatchObject({ status: "ERROR", version: null, code: null });
    expect(await on.actors.find(app.id, "broken")).toBeNull();
    expect(await deploy("broken", counter())).toMatchObject({ status: "READY", version: 1 });
  });

  it("refuses names, modes, collisions and more than five classes by their reasons", async () => {
    await expect(deploy("Counter", counter())).rejects.toMatchObject({ details: { reason: "INVALID_NAME" } });
    await expect(deploy("counter", counter(), "open")).rejects.toMatchObject({
      details: { reason: "INVALID_ACCESS_MODE" },
    });
    await on.run("set_env", { app_id: app.id, key: "COUNTER", value: "1" });
    await expect(deploy("counter", counter())).rejects.toMatchObject({
      details: { reason: "ENV_BINDING_COLLISION" },
    });
    for (const n of [1, 2, 3, 4, 5]) await deploy(`counter-${n}`, counter());
    await expect(deploy("counter-6", counter())).rejects.toMatchObject({
      details: { reason: "TOO_MANY_CLASSES" },
    });
    expect(await deploy("counter-5", counter(2))).toMatchObject({ version: 2 });
  });

  it("is for those who may develop the app", async () => {
    await expect(
      on.run("deploy", { app_id: app.id, name: "counter", code: counter() }, { principal: ANONYMOUS }),
    ).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
    const stranger = { ...on.owner, organizationId: "00000000-0000-4000-8000-0000000000ff" };
    await expect(on.run("list", { app_id: app.id }, { principal: stranger })).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
  });

  it("orders deploys made at once", async () => {
    const done = await Promise.all([1, 2, 3, 4].map((version) => deploy("counter", counter(version))));
    expect(done.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
    expect(await ask("counter", "a", "/v")).toBe("4");
  });
});

describe("versions", () => {
  it("any can be brought back; storage stays", async () => {
    await deploy("counter", counter(1));
    await ask("counter", "a");
    await deploy("counter", counter(2));
    expect(await on.run("rollback", { app_id: app.id, name: "counter", version: 1 })).toMatchObject({
      version: 1,
    });
    expect(await ask("counter", "a", "/v")).toBe("1");
    expect(await ask("counter", "a")).toBe("2");
    expect(await on.run("list_versions", { app_id: app.id, name: "counter" })).toMatchObject({
      versions: [
        { version: 2, active: false },
        { version: 1, active: true },
      ],
    });
    expect(await deploy("counter", counter(3))).toMatchObject({ version: 3 });
    await expect(on.run("rollback", { app_id: app.id, name: "counter", version: 9 })).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
  });
});

describe("variables", () => {
  const set = (key: string, value: string) => on.run("set_env", { app_id: app.id, key, value });
  it("take effect at once, and say so", async () => {
    expect(await set("GREETING", "early")).toEqual({ key: "GREETING", redeployed: false });
    await deploy("counter", counter());
    expect(await ask("counter", "a", "/env/GREETING")).toBe("early");
    expect(await set("GREETING", 'h"é\n✓')).toEqual({ key: "GREETING", redeployed: true });
    expect(await ask("counter", "a", "/env/GREETING")).toBe('h"é\n✓');
    expect(await on.run("list_env", { app_id: app.id })).toEqual({ keys: ["GREETING"] });
    expect(await on.run("delete_env", { app_id: app.id, key: "GREETING" })).toMatchObject({
      deleted: true,
      redeployed: true,
    });
    expect(await ask("counter", "a", "/env/GREETING")).toBe("undefined");
    expect(await ask("counter", "a", "/env/BUTTERBASE_APP_ID")).toBe(app.id);
  });
  it("are kept sealed, and not taken when classes would not start with them", async () => {
    await deploy(
      "counter",
      `import { env } from "cloudflare:workers";\nif (env.MODE === "bad") throw new Error("bad mode");\n${counter()}`.replace(
        'import { DurableObject } from "cloudflare:workers";',
        'import { DurableObject } from "cloudflare:workers";',
      ),
    );
    await set("MODE", "very secret");
    const stored = await on.platform.database.query<{ value: string }>(
      "select value from ambit.durable_object_env where app_id = $1",
      [app.id],
    );
    expect(stored[0]!.value).not.toContain("secret");
    await expect(set("MODE", "bad")).rejects.toMatchObject({ details: { reason: "START_FAILED" } });
    expect(await ask("counter", "a", "/env/MODE")).toBe("very secret");
  });
  it("of the app reach its classes too", async () => {
    await deploy("counter", counter());
    await ask("counter", "a");
    await on.apps.change(app.id, () => ({
      env: { SHARED: on.platform.secrets.seal("app-env", "yes", `${app.id}/SHARED`) },
    }));
    await expect.poll(() => ask("counter", "a", "/env/SHARED"), { timeout: 10_000 }).toBe("yes");
  });
});

describe("delete", () => {
  it("destroys the class's instances, and only those", async () => {
    await deploy("counter", counter());
    await deploy("other", counter());
    await ask("counter", "a");
    await ask("other", "a");
    expect(await on.run("delete", { app_id: app.id, name: "counter" })).toEqual({
      deleted: true,
      name: "counter",
    });
    expect(await ask("other", "a")).toBe("2");
    await expect(get("counter")).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
    await deploy("counter", counter());
    expect(await ask("counter", "a")).toBe("1");
    expect(await on.platform.database.query("select * from ambit.durable_object_remains")).toEqual([]);
  });
});
