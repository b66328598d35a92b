import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { type Caller, callerOf } from "../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import { outboxOperations } from "./operations.ts";
import { targetOperations } from "./target-operations.ts";
import { type Node, outboxNode, tell } from "./testing/stand.ts";

let test: TestPlatform;
let node: Node;
let organizationId: string;
let caller: Caller;
const SECRET = "a very secret text";
const PORT = 4999;
const url = `http://127.0.0.1:${PORT}/hook`;

beforeAll(async () => {
  test = await testPlatform();
  node = outboxNode(test.platform, [PORT]);
});
afterAll(() => test.stop());
beforeEach(async () => {
  organizationId = newUuid();
  await test.platform.database.query("insert into ambit.organizations (id, name) values ($1, 'O')", [
    organizationId,
  ]);
  caller = callerOf([...outboxOperations(node.service), ...targetOperations(node.service)], {
    organizationId,
  });
});
const set = (over: Record<string, unknown> = {}, key = {}) =>
  caller.call(
    "outbox.set_target",
    { capability: "record_decision", webhook_url: url, signing_secret: SECRET, ...over },
    key,
  );
const queue = (sourceAppId?: string) =>
  tell(
    test.platform,
    node.service,
    { organizationId, capability: "record_decision", body: {}, ...(sourceAppId ? { sourceAppId } : {}) },
    Date.now(),
  );

describe("targets", () => {
  it("are set, replaced, listed and deleted; the secret is kept sealed and appears nowhere", async () => {
    expect(await set()).toMatchObject({
      capability: "record_decision",
      webhook_url: url,
      source_app_id: null,
    });
    await set({ webhook_url: `${url}/2`, signing_secret: "another secret text" });
    const { targets } = await caller.call<{ targets: object[] }>("outbox.list_targets");
    expect(targets).toMatchObject([{ webhook_url: `${url}/2` }]);
    const stored = JSON.stringify([
      targets,
      caller.audited,
      await test.platform.database.query("select * from ambit.outbox_targets"),
    ]);
    expect(stored).not.toContain(SECRET);
    expect(stored).not.toContain("another secret text");
    await queue();
    expect(await caller.call("outbox.delete_target", { capability: "record_decision" })).toMatchObject({
      cancelled: 1,
    });
    await expect(
      caller.call("outbox.delete_target", { capability: "record_decision" }),
    ).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
    expect(caller.audited.map(({ eventType, success }) => [eventType, success])).toEqual([
      ["outbox.set_target", true],
      ["outbox.set_target", true],
      ["outbox.delete_target", true],
      ["outbox.delete_target", false],
    ]);
  });

  it.each([
    ["http://127.0.0.1:4998/", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://localhost:4999/", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://169.254.169.254/latest/meta-data", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://[::1]:4999/", "EXTERNAL_ADDRESS_REFUSED"],
    ["http://user:pass@127.0.0.1:4999/", "EXTERNAL_ADDRESS_REFUSED"],
    ["file:///etc/passwd", "VALIDATION_INVALID_SCHEMA"],
    ["not a url", "VALIDATION_INVALID_SCHEMA"],
  ])("refuse %s", async (webhook_url, code) => {
    await expect(set({ webhook_url })).rejects.toMatchObject({ code });
    expect((await caller.call<{ targets: object[] }>("outbox.list_targets")).targets).toEqual([]);
  });

  it("refuse bad secrets, odd capabilities, apps of others", async () => {
    await expect(set({ signing_secret: "short" })).rejects.toMatchObject({
      code: "VALIDATION_INVALID_SCHEMA",
    });
    await expect(set({ signing_secret: "whsec_????" })).rejects.toMatchObject({
      code: "OUTBOX_SECRET_INVALID",
    });
    await expect(set({ capability: "Record Decision" })).rejects.toMatchObject({
      code: "VALIDATION_INVALID_SCHEMA",
    });
    const app = await test.createApp();
    await expect(set({ source_app_id: app.id })).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
    await set({ capability: "approval.requested" });
  });

  it("are set by persons who administer the whole organisation, and by nobody else", async () => {
    await expect(set({}, { keyKind: "agent" })).rejects.toMatchObject({ code: "AUTH_PERSON_REQUIRED" });
    await expect(set({}, { role: "developer" })).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
    await expect(set({}, { scopes: ["*"] })).rejects.toMatchObject({ code: "AUTH_INSUFFICIENT_PERMISSIONS" });
    await expect(set({}, { scopes: ["app:app_x", "substrate"] })).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
  });

  it("are limited in number, also when set at the same time", async () => {
    for (let n = 0; n < limits.targets - 1; n++) await set({ capability: `c_${n}` });
    const last = await Promise.allSettled([1, 2, 3].map((n) => set({ capability: `last_${n}` })));
    expect(last.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(last.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "QUOTA_OUTBOX_TARGETS" },
    });
    await set({ capability: "c_0", webhook_url: `${url}/again` });
  });
});

describe("the outbox", () => {
  interface Page {
    outbox: { id: string; state: string; target: string; attempts: number }[];
    next_before: string | null;
  }

  it("is listed newest first, in pages, filtered, of the own organisation only", async () => {
    await set();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push(...(await queue()));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const first = await caller.call<Page>("outbox.list", { limit: "3" });
    expect(first.outbox.map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 3));
    expect(first.outbox[0]).toMatchObject({ state: "pending", target: url, attempts: 0 });
    const second = await caller.call<Page>("outbox.list", { limit: "3", before: first.next_before });
    expect(second.outbox.map(({ id }) => id)).toEqual(ids.toReversed().slice(3));
    expect(second.next_before).toBeNull();
    await caller.call("outbox.cancel", { outbox_id: ids[0] });
    const cancelled = await caller.call<Page>("outbox.list", { state: "cancelled" });
    expect(cancelled.outbox.map(({ id }) => id)).toEqual([ids[0]]);
    expect((await caller.call<Page>("outbox.list", { capability: "x" })).outbox).toEqual([]);
    const other = callerOf(outboxOperations(node.service), { organizationId: test.organizationId });
    expect((await other.call<Page>("outbox.list")).outbox).toEqual([]);
    await expect(other.call("outbox.retry", { outbox_id: ids[0] })).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
  });

  it("shows a key that is bound to an app only what that app caused", async () => {
    await set();
    const [own] = await queue("app_own");
    const [others] = [...(await queue("app_other")), ...(await queue())];
    const bound = { scopes: ["app:app_own", "substrate"] };
    const { outbox } = await caller.call<Page>("outbox.list", {}, bound);
    expect(outbox.map(({ id }) => id)).toEqual([own]);
    await expect(caller.call("outbox.cancel", { outbox_id: others }, bound)).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
    await caller.call("outbox.cancel", { outbox_id: own }, bound);
  });

  it("lets a viewer look and a developer act", async () => {
    await set();
    const [id] = await queue();
    await caller.call("outbox.list", {}, { role: "viewer", keyKind: "agent" });
    await expect(caller.call("outbox.cancel", { outbox_id: id }, { role: "viewer" })).rejects.toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
    await caller.call("outbox.cancel", { outbox_id: id }, { role: "developer", keyKind: "agent" });
    await caller.call("outbox.retry", { outbox_id: id }, { role: "developer", keyKind: "agent" });
    await expect(caller.call("outbox.retry", { outbox_id: id })).rejects.toMatchObject({
      code: "wrong_status",
    });
  });
});
