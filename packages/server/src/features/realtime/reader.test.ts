import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseLsn } from "../../engines/postgres/replication/lsn.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import type { NodeChange } from "./nodes.ts";
import { ensurePublications } from "./store.ts";
import { TestReader, until } from "./testing/test-reader.ts";

let test: TestPlatform;
let schema: string;
let tables = 0;
const open = new Set<TestReader>();

beforeAll(async () => {
  test = await testPlatform();
  schema = (await test.createApp()).id;
  await ensurePublications(test.platform.database);
});
afterEach(async () => {
  await Promise.all([...open].map(({ reader }) => reader.stop()));
  open.clear();
});
afterAll(() => test.stop());

const query = (text: string, values: unknown[] = []) =>
  test.platform.database.query<Record<string, any>>(text, values);

function newReader(options: ConstructorParameters<typeof TestReader>[1] = {}): TestReader {
  const reader = new TestReader(test.platform.database, options);
  open.add(reader);
  return reader;
}

async function started(options: ConstructorParameters<typeof TestReader>[1] = {}): Promise<TestReader> {
  const node = newReader(options);
  expect(node.reader.readable).toBe(false);
  node.reader.start();
  await node.reader.ready();
  return node;
}

/** A published table of its own. */
async function newTable(): Promise<string> {
  const name = `t${tables++}`;
  await query(`create table ${schema}.${name} (id int primary key)`);
  await query(`alter publication ambit_realtime add table ${schema}.${name}`);
  return name;
}

const insert = (table: string, ...ids: number[]) =>
  query(`insert into ${schema}.${table} select unnest($1::int[])`, [ids]);

const slots = async (where: string) =>
  (
    await query(`select slot_name from pg_replication_slots where database = current_database() and ${where}`)
  ).map((row) => row.slot_name as string);

const logEnd = async () => parseLsn((await query("select pg_current_wal_insert_lsn()::text as lsn"))[0]!.lsn);

describe("Reader", () => {
  it("stops at whatever moment of its start it is told to, and leaves the anchor alone", async () => {
    const startAndStop = async (afterMs: number) => {
      const { reader } = newReader();
      reader.start();
      const release = reader.hold();
      reader.ready().catch(() => {});
      await sleep(afterMs);
      release();
      return Promise.race([reader.stop().then(() => "stopped"), sleep(10_000, `hangs after ${afterMs} ms`)]);
    };
    // Eight at a time, so that connecting takes long enough to be hit; without an anchor in every other round.
    for (let round = 0; round < 10; round++) {
      if (round % 2 === 0) {
        await until(async () => (await slots("active")).length === 0, "no slot in use");
        await query(
          "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()",
        );
      }
      const ended = await Promise.all(Array.from({ length: 8 }, (_, n) => startAndStop(round * 4 + n * 3)));
      expect([round, ended.filter((end) => end !== "stopped")]).toEqual([round, []]);
      await until(async () => (await slots("temporary")).length === 0, "no copy is left");
      expect((await slots("true")).length).toBeLessThanOrEqual(1);
    }
  });

  it("fills its window from the anchor, and hands over what comes after its start", async () => {
    const table = await newTable();
    const first = await started();
    const from = await logEnd();
    await insert(table, 1, 2);
    await insert(table, 3);
    await first.reader.stop();
    const second = newReader();
    second.reader.start();
    const release = second.reader.hold();
    await second.reader.ready();
    await insert(table, 4);
    await until(() => second.inserted(table).length > 0, "the change");
    expect(second.inserted(table)).toEqual(["4"]);
    expect(second.held(schema, table, from)).toEqual(["1", "2", "3", "4"]);
    expect(second.reader.window.epoch).toBe(first.reader.window.epoch);
    release();
  });

  it("closes its stream when nobody listens, and goes on where it was when somebody does", async () => {
    const table = await newTable();
    const { reader, ...node } = await started({ graceMs: 100 });
    const from = await logEnd();
    for (let round = 0; round < 20; round++) {
      await until(() => reader.asleep, "sleep");
      expect(reader.readable).toBe(true);
      expect(await slots(`slot_name like 'ambit_read_${node.nodeId}%'`)).toEqual([]);
      await insert(table, round * 10);
      const release = reader.hold();
      await reader.ready();
      expect(reader.streaming).toBe(true);
      await insert(table, round * 10 + 1);
      release();
      release();
      await sleep(round % 3 === 0 ? 120 : 0); // while it is closing, too
    }
    const release = reader.hold();
    await reader.ready();
    await insert(table, 1_000);
    const held = () => [...open].find(({ nodeId }) => nodeId === node.nodeId)!;
    await until(() => held().inserted(table).at(-1) === "1000", "the last change");
    const wanted = Array.from({ length: 20 }, (_, round) => [`${round * 10}`, `${round * 10 + 1}`]).flat();
    expect(held().inserted(table)).toEqual([...wanted, "1000"]);
    expect(held().held(schema, table, from)).toEqual([...wanted, "1000"]);
    expect(held().gaps).toBe(0);
    release();
  });

  it("goes on from the anchor when its kept place was lost while it slept", async () => {
    const table = await newTable();
    const node = await started();
    await until(() => node.reader.asleep, "sleep");
    await insert(table, 1);
    await query(
      "select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active",
    );
    await until(async () => (await slots("temporary")).length === 0, "the kept place is gone");
    await insert(table, 2);
    const release = node.reader.hold();
    await node.reader.ready();
    expect([node.inserted(table), node.gaps]).toEqual([["1", "2"], 0]);
    release();
  });

  it("tells of a gap when the anchor was dropped, awake or asleep, on every node and in one new epoch", async () => {
    const table = await newTable();
    const [one, two] = [await started(), await started()];
    const release = one.reader.hold();
    await one.reader.ready();
    const { epoch } = one.reader.window;
    const before = await logEnd();
    for (const name of await slots("not temporary"))
      await query("select pg_drop_replication_slot($1)", [name]);
    await until(() => one.gaps > 0 && two.gaps > 0, "the gap");
    expect(one.reader.window.epoch).not.toBe(epoch);
    expect(two.reader.window.epoch).toBe(one.reader.window.epoch);
    expect(one.reader.window.since(schema, before - 1n)).toBeNull();
    const holdTwo = two.reader.hold();
    await Promise.all([one.reader.ready(), two.reader.ready()]);
    await insert(table, 1);
    await until(() => one.inserted(table).length === 1 && two.inserted(table).length === 1, "the change");
    expect([one.gaps, two.gaps]).toEqual([1, 1]);
    expect(await slots("not temporary")).toHaveLength(1);
    release();
    holdTwo();
  });

  it("comes back when the anchor is dropped and the connection cut, again and again", async () => {
    const table = await newTable();
    const node = await started();
    const release = node.reader.hold();
    for (let round = 1; round <= 6; round++) {
      await node.reader.ready();
      const { gaps } = node;
      for (const name of await slots("not temporary"))
        await query("select pg_drop_replication_slot($1)", [name]);
      await query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
           and pid <> pg_backend_pid() and application_name like $1`,
        [round % 2 === 0 ? "ambit%" : "ambit change%"],
      );
      await until(() => node.gaps > gaps, `gap ${round}`);
      await until(() => node.reader.readable, "reading again");
      await Promise.race([
        node.reader.ready(),
        sleep(15_000).then(() => Promise.reject(new Error("not ready"))),
      ]);
      await insert(table, round);
      await until(() => node.inserted(table).at(-1) === String(round), "the change");
    }
    expect(node.inserted(table)).toEqual(["1", "2", "3", "4", "5", "6"]);
    release();
  });

  it("brings messages to every node in one order, and none from before its start", async () => {
    const one = await started();
    await one.reader.emit("test.bus", "too early");
    const two = await started();
    const heard: Record<string, string[]> = { one: [], two: [] };
    one.reader.onMessage("test.bus", (content) => void heard.one!.push(content));
    two.reader.onMessage("test.bus", (content) => {
      heard.two!.push(content);
      throw new Error("a listener that fails");
    });
    const releases = [one.reader.hold(), two.reader.hold()];
    await Promise.all([one.reader.ready(), two.reader.ready()]);
    heard.one = [];
    const sent = await Promise.all(
      Array.from({ length: 600 }, (_, n) =>
        (n % 2 === 0 ? one : two).reader.emit("test.bus", `${n % 2} ${n} ü'"\\`),
      ),
    );
    expect(new Set(sent).size).toBe(600);
    await until(() => heard.one!.length >= 600 && heard.two!.length >= 600, "all messages");
    expect(heard.one).toEqual(heard.two);
    for (const node of ["0", "1"]) {
      const numbers = heard
        .one!.filter((text) => text.startsWith(`${node} `))
        .map((text) => Number(text.split(" ")[1]));
      expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
      expect(numbers).toHaveLength(300);
    }
    await expect(one.reader.emit("test.bus", "x".repeat(300_000))).rejects.toMatchObject({
      code: "REALTIME_MESSAGES_FULL",
    });
    for (const release of releases) release();
  });

  it("knows the other nodes, and that one was killed; nothing of it stays behind", async () => {
    const node = await started();
    const release = node.reader.hold();
    const changes: NodeChange[] = [];
    node.reader.nodes.onNodes((change) => void changes.push(change));
    const script = new URL("testing/node-process.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [script, JSON.stringify(test.platform.database.target)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(child.stdout, "data");
    const id = String(line).trim();
    await until(() => changes.length > 0, "the other node");
    expect(changes).toEqual([{ joined: id }]);
    expect(node.reader.nodes.others()).toEqual([id]);
    expect(await slots(`slot_name like 'ambit_read_${id}%'`)).toHaveLength(1);
    await sleep(3_000); // as long as a node that was just cut off itself is patient
    child.kill("SIGKILL");
    await until(() => changes.length > 1, "its end");
    expect(changes).toEqual([{ joined: id }, { left: id }]);
    expect(node.reader.nodes.others()).toEqual([]);
    expect(await slots(`slot_name like '%${id}%'`)).toEqual([]);
    release();
  });

  it("says what is kept, read and held", async () => {
    const table = await newTable();
    const node = await started();
    await insert(table, 1);
    const release = node.reader.hold();
    await node.reader.ready();
    await insert(table, 2);
    await until(() => node.inserted(table).length === 2, "the change");
    const status = await node.reader.status();
    expect(status).toMatchObject({
      ...{ streaming: true, asleep: false, epoch: node.reader.window.epoch, otherNodes: 0 },
      bounds: { ms: 600_000, walBytes: 256 * 1024 * 1024, memoryBytes: 64 * 1024 * 1024 },
    });
    expect(["reserved", "extended"]).toContain(status.walStatus);
    expect(status.keptBytes).toBeGreaterThan(0);
    expect(status.safeBytes).toBeGreaterThan(1e9);
    expect(status.behindBytes).toBeLessThan(100_000);
    expect(status.window.transactions).toBeGreaterThanOrEqual(2);
    expect(status.window.memoryBytes).toBeGreaterThan(500);
    expect(status.keptFrom.position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    release();
  });
});
