import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import { type Receiver, startReceiver, until } from "./testing/receiver.ts";
import { entriesOf, type Node, outboxNode, rowOf, tell } from "./testing/stand.ts";

let test: TestPlatform;
let receiver: Receiver;
let node: Node;
let organizationId: string;
let now: number;
const SECRET = "correct horse";
const body = { action_id: "act_1", capability: "record_decision", payload: { title: "Ü" }, executed_at: "x" };
const stateOf = async (id: string) => (await rowOf(test.platform, id)).state;
const reach = () => ({ organizationId, apps: null });

beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());
beforeEach(async () => {
  organizationId = newUuid();
  await test.platform.database.query("insert into ambit.organizations (id, name) values ($1, 'O')", [
    organizationId,
  ]);
  now = Date.now();
  receiver = await startReceiver();
  node = outboxNode(test.platform, [receiver.port], () => now);
});
afterEach(async () => {
  await node.service.stop();
  await receiver.close();
});

const setTarget = (path = "/hook", source_app_id: string | null = null) =>
  node.service.setTarget(
    { organization_id: organizationId, capability: "record_decision", source_app_id },
    { webhookUrl: `http://127.0.0.1:${receiver.port}${path}`, signingSecret: SECRET },
    now,
  );
const enqueue = (sourceAppId?: string) =>
  tell(
    test.platform,
    node.service,
    { organizationId, capability: "record_decision", body, ...(sourceAppId ? { sourceAppId } : {}) },
    now,
  );

describe("a delivery", () => {
  it("is the body as given, signed in both ways, with an entry in the ledger", async () => {
    await setTarget();
    const [id] = await enqueue();
    await node.service.start();
    await until(async () => (await stateOf(id!)) === "delivered");
    const [got] = receiver.received;
    expect(receiver.received).toHaveLength(1);
    expect(got!.body).toBe(JSON.stringify(body));
    expect(got!.headers["content-type"]).toBe("application/json");
    expect(got!.headers["x-butterbase-signature"]).toBe(
      `sha256=${createHmac("sha256", SECRET).update(got!.body).digest("hex")}`,
    );
    const row = await rowOf(test.platform, id!);
    expect(got!.headers["x-butterbase-delivery"]).toBe(row.delivery_id);
    new Webhook(Buffer.from(SECRET), { format: "raw" }).verify(
      got!.body,
      got!.headers as Record<string, string>,
    );
    expect(row).toMatchObject({ attempts: 1, last_status: 200, last_error: null, body: null, claim: null });
    const entries = await entriesOf(test.platform, organizationId);
    expect(entries).toMatchObject([
      { kind: "outbox.delivered", subject: "act_1", data: { outbox: id, status: 200 } },
    ]);
    expect(JSON.stringify(entries)).not.toContain("127.0.0.1");
  });

  it("goes to every matching target, and to none that is for another app or capability", async () => {
    organizationId = test.organizationId;
    const [app, other] = [(await test.createApp()).id, (await test.createApp()).id];
    await setTarget("/any");
    await setTarget("/app", app);
    await setTarget("/other", other);
    expect(await enqueue()).toHaveLength(1);
    expect(await enqueue(app)).toHaveLength(2);
    const unrelated = { organizationId, capability: "record_learning", body };
    expect(await tell(test.platform, node.service, unrelated, now)).toEqual([]);
    await node.service.start();
    await until(() => receiver.received.length === 3);
    expect(receiver.received.map(({ path }) => path).sort()).toEqual(["/any", "/any", "/app"]);
  });

  it("is not there when its transaction was undone", async () => {
    await setTarget();
    const event = {
      organizationId,
      capability: "record_decision",
      subject: "act_2",
      sourceAppId: null,
      body,
    };
    const undone = test.platform.database.transaction(async (tx) => {
      await node.service.enqueue(tx, event, now);
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect(
      await node.service.list(reach(), { state: null, capability: null, before: null, limit: 10 }),
    ).toEqual([]);
  });
});

describe("a delivery that fails", () => {
  it("is tried again after its pause with the same id, and is dead after the last try; retried, it goes out", async () => {
    receiver.answer = (_got, response) => void response.writeHead(500).end();
    await setTarget();
    const [id] = await enqueue();
    await node.service.start();
    for (let tries = 1; tries <= limits.attempts; tries++) {
      await until(() => receiver.received.length === tries);
      await until(async () => (await rowOf(test.platform, id!)).claim === null);
      const row = await rowOf(test.platform, id!);
      expect(row).toMatchObject({
        attempts: tries,
        last_status: 500,
        last_error: "The receiver answered 500.",
      });
      if (tries === limits.attempts) break;
      expect(row.state).toBe("failed");
      const due = row.next_attempt_at!.getTime();
      expect(due - now).toBe(Math.round(limits.firstRetryMs * limits.retryFactor ** (tries - 1)));
      now = due - 1;
      await new Promise((resolve) => setTimeout(resolve, tries === 1 ? 2 * limits.tickMs : 0));
      expect(receiver.received).toHaveLength(tries);
      now = due;
    }
    expect(await rowOf(test.platform, id!)).toMatchObject({ state: "dead", next_attempt_at: null });
    expect(await entriesOf(test.platform, organizationId)).toMatchObject([
      { kind: "outbox.dead", data: { attempts: limits.attempts } },
    ]);
    now += 10 * 86_400_000;
    const ids = new Set(receiver.received.map(({ headers }) => headers["x-butterbase-delivery"]));
    expect(ids.size).toBe(1);
    receiver.answer = (_got, response) => void response.writeHead(204).end();
    expect(await node.service.retry(reach(), id!, now)).toMatchObject({ state: "pending", attempts: 0 });
    await until(async () => (await stateOf(id!)) === "delivered");
    expect(receiver.received).toHaveLength(limits.attempts + 1);
    expect(receiver.received.at(-1)!.headers["x-butterbase-delivery"]).toBe([...ids][0]);
  }, 60_000);

  it("does not follow a redirect", async () => {
    receiver.answer = ({ path }, response) =>
      void (path === "/hook" ? response.writeHead(302, { location: "/elsewhere" }).end() : response.end());
    await setTarget();
    const [id] = await enqueue();
    await node.service.start();
    await until(async () => (await stateOf(id!)) === "failed");
    expect(receiver.received.map(({ path }) => path)).toEqual(["/hook"]);
  });

  it("is dead at once when its address has become private", async () => {
    await setTarget();
    const [id] = await enqueue();
    const strict = outboxNode(test.platform, [], () => now);
    await strict.service.start();
    await until(async () => (await stateOf(id!)) === "dead");
    await strict.service.stop();
    expect(receiver.received).toEqual([]);
    expect((await rowOf(test.platform, id!)).last_error).toMatch(/not a public address/);
  });

  it("is dead when the secret can't be opened any more", async () => {
    await setTarget();
    await test.platform.database.query("update ambit.outbox_targets set sealed_secret = 'v1.a.b.c'");
    const [id] = await enqueue();
    await node.service.start();
    await until(async () => (await stateOf(id!)) === "dead");
    expect((await rowOf(test.platform, id!)).last_error).toMatch(/master key/);
  });
});

describe("cancelling and removing", () => {
  it("keeps a cancelled delivery from going out, until it is retried", async () => {
    await setTarget();
    const [id] = await enqueue();
    expect(await node.service.cancel(reach(), id!, now)).toMatchObject({ state: "cancelled" });
    await expect(node.service.cancel(reach(), id!, now)).rejects.toMatchObject({
      code: "wrong_status",
      status: 409,
      details: { state: "cancelled" },
    });
    await node.service.start();
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.tickMs));
    expect(receiver.received).toEqual([]);
    await node.service.retry(reach(), id!, now);
    await until(async () => (await stateOf(id!)) === "delivered");
    await expect(node.service.retry(reach(), id!, now)).rejects.toMatchObject({ code: "wrong_status" });
  });

  it("neither cancels nor retries what is under way, and a removed target takes nothing back to life", async () => {
    let finish = () => {};
    receiver.answer = (_got, response) => {
      finish = () => void response.writeHead(500).end();
    };
    await setTarget();
    const [id] = await enqueue();
    await node.service.start();
    await until(() => receiver.received.length === 1);
    await expect(node.service.cancel(reach(), id!, now)).rejects.toMatchObject({
      code: "wrong_status",
      details: { under_way: true },
    });
    const key = { organization_id: organizationId, capability: "record_decision", source_app_id: null };
    expect(await node.service.removeTarget(key, now)).toBe(1);
    finish();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await rowOf(test.platform, id!)).toMatchObject({
      state: "cancelled",
      last_error: "The target was removed.",
    });
    await expect(node.service.retry(reach(), id!, now)).rejects.toMatchObject({ code: "OUTBOX_TARGET_GONE" });
    receiver.answer = (_got, response) => void response.end();
    await setTarget("/again");
    await node.service.retry(reach(), id!, now);
    await until(async () => (await stateOf(id!)) === "delivered");
    expect(receiver.received.at(-1)!.path).toBe("/again");
  });

  it("erases what is about a subject, delivered or not, and nothing of others", async () => {
    await setTarget();
    const about = (subject: string) =>
      tell(
        test.platform,
        node.service,
        { organizationId, capability: "record_decision", body, subject },
        now,
      );
    const [[delivered], [waiting], [other]] = [
      await about("act_a"),
      await about("act_b"),
      await about("act_c"),
    ];
    await node.service.cancel(reach(), waiting!, now);
    await node.service.start();
    await until(async () => (await stateOf(delivered!)) === "delivered");
    const erased = await test.platform.database.transaction((tx) =>
      node.service.erase(tx, organizationId, ["act_a", "act_b"]),
    );
    expect(erased).toBe(2);
    expect(await rowOf(test.platform, waiting!)).toBeUndefined();
    expect(await rowOf(test.platform, other!)).toMatchObject({ subject: "act_c" });
  });

  it("removes what ended a month ago and nothing else", async () => {
    await setTarget();
    const [old] = await enqueue();
    await node.service.cancel(reach(), old!, now);
    now += limits.keptMs + 1;
    const [recent] = await enqueue();
    await node.service.cancel(reach(), recent!, now);
    await node.service.start();
    now += limits.sweepMs;
    await until(async () => (await rowOf(test.platform, old!)) === undefined);
    expect(await stateOf(recent!)).toBe("cancelled");
  });
});
