import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ChangeStream,
  createSlot,
  openChangeStream,
} from "../../../engines/postgres/replication/index.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { BUS_PREFIX, Bus } from "./bus.ts";
import { limits } from "./limits.ts";
import { Presence } from "./presence.ts";
import { Cluster } from "./testing/cluster.ts";
import { type Recorder, recorder, user } from "./testing/recorder.ts";
import type { LogPort } from "./types.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
  await test.platform.database.query("create publication rooms_test");
});
afterAll(() => test.stop());

/** A node that reads the log of a real Postgres through a slot of its own. */
async function readerNode(id: string) {
  const { database, log } = test.platform;
  const slot = `rooms_${id}_${randomBytes(4).toString("hex")}`;
  const client = new pg.Client({ ...database.target });
  await client.connect();
  await createSlot(client, slot);
  let message: (content: string) => void = () => {};
  let change: (change: { joined?: string; left?: string }) => void = () => {};
  let written = 0;
  const reader: LogPort = {
    nodeId: id,
    async emit(prefix, content) {
      written += 1;
      await database.query("select pg_logical_emit_message(false, $1, $2, true)", [prefix, content]);
    },
    onMessage(_prefix, listener) {
      message = listener;
    },
    nodes: {
      others: () => [],
      onNodes(listener) {
        change = listener;
      },
    },
    onGap() {},
  };
  const bus = new Bus({ reader, log, onLimit: () => {} });
  const stream: ChangeStream = openChangeStream({
    ...{ connection: database.target, slot, publications: ["rooms_test"], log },
    onTransaction({ events }) {
      for (const event of events) {
        if (event.kind === "message" && event.prefix === BUS_PREFIX) message(event.content.toString());
      }
    },
  });
  return {
    bus,
    hear: (event: { joined?: string; left?: string }) => change(event),
    written: () => written,
    async stop() {
      bus.close();
      await stream.stop();
      await client.query("select pg_drop_replication_slot($1)", [slot]);
      await client.end();
    },
  };
}

async function until(what: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 15_000;
  while (!what()) {
    if (Date.now() > giveUpAt) throw new Error("it did not come to be");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("the bus through the log of a real Postgres", () => {
  it("brings every message to the others in each sender's order, in few writes, and none to its sender", async () => {
    const [a, b] = [await readerNode("a"), await readerNode("b")];
    try {
      a.bus.publish("n", "to nobody");
      const got = { a: [] as unknown[], b: [] as unknown[] };
      a.bus.subscribe("n", (body) => got.a.push(body));
      b.bus.subscribe("n", (body) => got.b.push(body));
      a.hear({ joined: "b" });
      b.hear({ joined: "a" });
      const big = "x".repeat(200_000);
      for (let n = 0; n < 2_000; n++) {
        expect(a.bus.publish("n", n === 1_000 ? [n, big] : [n])).toBe(true);
        b.bus.publish("n", `b${n}`);
      }
      await until(() => got.b.length === 2_000 && got.a.length === 2_000);
      expect(got.b).toEqual(Array.from({ length: 2_000 }, (_, n) => (n === 1_000 ? [n, big] : [n])));
      expect(got.a).toEqual(Array.from({ length: 2_000 }, (_, n) => `b${n}`));
      expect(a.written()).toBeLessThan(10);
      a.hear({ left: "b" });
      const before = a.written();
      a.bus.publish("n", "to nobody again");
      await new Promise((resolve) => setTimeout(resolve, 10 * limits.busMs));
      expect(a.written()).toBe(before);
    } finally {
      await Promise.all([a.stop(), b.stop()]);
    }
  });

  it("shows members of both nodes in both, and takes those of a killed node out exactly once", async () => {
    const [a, b] = [await readerNode("a"), await readerNode("b")];
    const [here, there] = [new Presence(a), new Presence(b)];
    try {
      const [ada, bob] = [recorder("app_x", "ada", user("u1")), recorder("app_x", "bob", user("u2"))];
      here.track(ada, "room", "1");
      there.track(bob, "room", "2");
      a.hear({ joined: "b" });
      b.hear({ joined: "a" });
      const sees = (who: Recorder, id: string) => () =>
        who.sent.some(({ joins }) => joins?.some((member: { client_id: string }) => member.client_id === id));
      await until(() => sees(ada, "bob")() && sees(bob, "ada")());
      a.hear({ left: "b" });
      a.hear({ left: "b" });
      await until(() => ada.sent.some(({ leaves }) => leaves?.length > 0));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(ada.sent.flatMap(({ leaves = [] }) => leaves)).toEqual([{ client_id: "bob", user_id: "u2" }]);
    } finally {
      for (const presence of [here, there]) presence.close();
      await Promise.all([a.stop(), b.stop()]);
    }
  });
});

describe("the bus", () => {
  it("repeats a write that failed, and it is taken once, whether or not it stood in the log", async () => {
    const cluster = new Cluster();
    const [a, b] = [cluster.start("a"), cluster.start("b")];
    a.hear({ joined: "b" });
    b.hear({ joined: "a" });
    const got: unknown[] = [];
    const lost: unknown[] = [];
    b.bus.subscribe("n", (body) => got.push(body));
    b.bus.onLost((node) => lost.push(node));
    a.failures.push("written", "not_written", "written");
    for (let n = 0; n < 5; n++) {
      a.bus.publish("n", n);
      await cluster.pass(2_000);
    }
    b.read(100);
    expect([got, lost]).toEqual([[0, 1, 2, 3, 4], []]);
    expect(cluster.log.length).toBe(7);
  });

  it("tells of a gap in a sender's numbers before what comes after it", async () => {
    const cluster = new Cluster();
    const [a, b] = [cluster.start("a"), cluster.start("b")];
    a.hear({ joined: "b" });
    b.hear({ joined: "a" });
    const got: unknown[] = [];
    b.bus.subscribe("n", (body) => got.push(body));
    b.bus.onLost((node) => got.push(`lost of ${node}`));
    for (let n = 0; n < 4; n++) {
      a.bus.publish("n", n);
      await cluster.pass(limits.busMs);
      if (n === 2) b.lose(1, false);
      else b.read(1);
    }
    b.read(9);
    expect(got).toEqual([0, 1, "lost of a", 3]);
  });

  it("refuses what is too much, and takes more once that has been written", async () => {
    const cluster = new Cluster();
    const a = cluster.start("a");
    a.hear({ joined: "b" });
    const piece = "x".repeat(limits.busMessageBytes - 100);
    const fit = Math.floor(limits.busWaitingBytes / (limits.busMessageBytes - 90));
    const taken = Array.from({ length: fit + 1 }, () => a.bus.publish("n", piece));
    expect([taken.filter(Boolean).length, a.limitsHit]).toEqual([fit, ["realtime_bus_waiting_bytes"]]);
    await cluster.pass(1_000);
    expect([cluster.log.length, a.bus.publish("n", piece)]).toEqual([fit, true]);
    expect(a.bus.publish("n", "x".repeat(limits.busMessageBytes))).toBe(false);
  });
});
