import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Platform } from "../../engines/platform.ts";
import { Secrets } from "../../kernel/secrets.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import { type Receiver, startReceiver, until } from "./testing/receiver.ts";
import { entriesOf, type Node, outboxNode, rowOf, tell } from "./testing/stand.ts";

const master = randomBytes(32);
let test: TestPlatform;
let platform: Platform;
let receiver: Receiver;
let nodes: Node[];

beforeAll(async () => {
  test = await testPlatform();
  platform = { ...test.platform, secrets: new Secrets(master) };
});
afterAll(() => test.stop());
beforeEach(async () => {
  receiver = await startReceiver();
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map(({ service }) => service.stop()));
  await receiver.close();
  await platform.database.query("delete from ambit.outbox");
  await platform.database.query("delete from ambit.outbox_targets");
});

function node(ports = [receiver.port], clock = platform.clock): Node {
  const made = outboxNode(platform, ports, clock);
  nodes.push(made);
  return made;
}

async function queue(service: Node["service"], capability: string, count: number, path = "/") {
  const key = { organization_id: test.organizationId, capability, source_app_id: null };
  const to = { webhookUrl: `http://127.0.0.1:${receiver.port}${path}`, signingSecret: "some secret" };
  await service.setTarget(key, to, Date.now());
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const event = { organizationId: test.organizationId, capability, body: { n } };
    ids.push(...(await tell(platform, service, event, Date.now())));
  }
  return ids;
}

/** Tries a node has written down. */
async function triesOf({ metrics }: Node): Promise<number> {
  const { values } = await metrics.registry.getSingleMetric("ambit_outbox_tries_total")!.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

const waiting = async () =>
  (await platform.database.query("select from ambit.outbox where state in ('pending', 'failed')")).length;

describe("several nodes", () => {
  it("deliver each event once, and never two tries of one at a time", async () => {
    const all = [node(), node(), node()];
    const ids = await queue(all[0]!.service, "record_learning", 120);
    receiver.answer = (_got, response) => void setTimeout(() => response.end(), 5);
    for (const { service } of all) await service.start();
    await until(async () => (await waiting()) === 0, 20_000);
    const seen = receiver.received.map(({ headers }) => headers["webhook-id"]);
    expect(seen.toSorted()).toEqual(ids.toSorted());
    // A try is counted right after it was written down.
    await Promise.all(all.map(({ service }) => service.stop()));
    const tries = await Promise.all(all.map(triesOf));
    expect(tries.filter((count) => count > 0).length).toBeGreaterThan(1);
    expect(tries.reduce((sum, count) => sum + count)).toBe(120);
    expect(await entriesOf(platform, test.organizationId)).toHaveLength(120);
  });

  it("take up what a killed process had taken, once its hold is over", async () => {
    const other = node();
    const [id] = await queue(other.service, "record_learning", 1);
    receiver.answer = () => {};
    const { host, port, user, database } = platform.database.target;
    const child: ChildProcess = spawn(
      process.execPath,
      [
        new URL("testing/deliver-child.ts", import.meta.url).pathname,
        JSON.stringify({
          target: { host, port, user, database },
          master: master.toString("base64"),
          port: receiver.port,
        }),
      ],
      { stdio: "inherit" },
    );
    try {
      await until(() => receiver.received.length === 1, 20_000);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    expect(await rowOf(platform, id!)).toMatchObject({ state: "pending", attempts: 1 });
    receiver.answer = (_got, response) => void response.end();
    await other.service.start();
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.tickMs));
    expect(receiver.received).toHaveLength(1);
    const later = node([receiver.port], () => Date.now() + limits.timeoutMs + limits.claimSlackMs);
    await later.service.start();
    await until(async () => (await waiting()) === 0);
    const [first, second] = receiver.received.map(({ headers }) => headers["x-butterbase-delivery"]);
    expect(receiver.received).toHaveLength(2);
    expect(second).toBe(first);
    expect(await rowOf(platform, id!)).toMatchObject({ state: "delivered", attempts: 2 });
  });

  it("give back untried what is under way when they stop", async () => {
    const one = node();
    const [id] = await queue(one.service, "record_learning", 1);
    receiver.answer = () => {};
    await one.service.start();
    await until(() => receiver.received.length === 1);
    const started = Date.now();
    await one.service.stop();
    expect(Date.now() - started).toBeLessThan(limits.drainMs + 1_000);
    expect(await rowOf(platform, id!)).toMatchObject({ state: "pending", attempts: 0, claim: null });
  });
});

describe("a slow target", () => {
  it("takes a few tries at once and holds no other target up, however much waits for it", async () => {
    const one = node();
    let open = 0;
    let most = 0;
    const release: (() => void)[] = [];
    receiver.answer = ({ path }, response) => {
      if (path !== "/slow") return void response.end();
      most = Math.max(most, ++open);
      release.push(() => {
        open -= 1;
        response.end();
      });
    };
    await queue(one.service, "record_decision", 40, "/slow");
    await queue(one.service, "record_learning", 40, "/quick");
    await one.service.start();
    const quick = () => receiver.received.filter(({ path }) => path === "/quick").length;
    await until(() => quick() === 40);
    expect(most).toBe(limits.perTarget);
    expect(receiver.received.filter(({ path }) => path === "/slow")).toHaveLength(limits.perTarget);
    const letGo = setInterval(() => release.splice(0).map((end) => end()), 10);
    await until(async () => (await waiting()) === 0);
    clearInterval(letGo);
    expect(most).toBe(limits.perTarget);
  });

  it("leaves room for others when many are slow", async () => {
    const one = node();
    receiver.answer = ({ path }, response) => void (path.startsWith("/slow") || response.end());
    for (let n = 0; n < limits.atOnce / limits.perTarget - 1; n++) {
      await queue(one.service, `slow_${n}`, limits.perTarget + 2, `/slow/${n}`);
    }
    await one.service.start();
    await until(() => receiver.received.length === limits.atOnce - limits.perTarget);
    const [id] = await queue(one.service, "quick", 1, "/quick");
    await until(async () => (await rowOf(platform, id!)).state === "delivered", 3_000);
  });
});
