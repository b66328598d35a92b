import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PostgresFixture, startPostgres } from "./testing/postgres-fixture.ts";
import { mark, publish, Recorder } from "./testing/recorder.ts";

const writers = 4;

let postgres: PostgresFixture;
let client: Client;

beforeAll(async () => {
  postgres = await startPostgres();
  client = await postgres.connect();
});

afterAll(() => postgres.stop());

/** Clients that insert (writer, n) rows, one to four per transaction, until told to end; a crash ends none of them. */
function startWriting(table: string) {
  let writing = true;
  const acknowledged: string[] = [];
  const write = async (writer: number): Promise<void> => {
    let connection = await postgres.connect();
    for (let n = 0; writing; n += 4) {
      const rows = Array.from({ length: 1 + ((n / 4) % 4) }, (_, i) => `(${writer}, ${n + i})`);
      try {
        await connection.query(`INSERT INTO ${table} VALUES ${rows}`);
        acknowledged.push(...rows.map((row) => row.slice(1, -1)));
      } catch {
        connection = await reconnect();
      }
    }
  };
  const done = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return {
    acknowledged,
    async stop() {
      writing = false;
      await done;
    },
  };
}

async function reconnect(): Promise<Client> {
  for (;;) {
    try {
      return await postgres.connect();
    } catch {
      await sleep(20);
    }
  }
}

/** What was recorded is what the table holds: nothing lost, nothing doubled, each writer's rows in its own order. */
async function expectExact(recorder: Recorder, table: string, acknowledged: string[]): Promise<void> {
  const { rows } = await client.query<{ row: string }>(`SELECT writer || ', ' || n AS row FROM ${table}`);
  const seen = recorder.events.flatMap((event) => (event.kind === "insert" ? [event.new.join(", ")] : []));
  expect(seen.length).toBe(new Set(seen).size);
  expect(seen.toSorted()).toEqual(rows.map(({ row }) => row).sort());
  const found = new Set(seen);
  expect(acknowledged.filter((row) => !found.has(row))).toEqual([]);
  for (let writer = 0; writer < writers; writer++) {
    const own = seen.filter((row) => row.startsWith(`${writer}, `)).map((row) => Number(row.split(", ")[1]));
    expect(own).toEqual(own.toSorted((x, y) => x - y));
  }
  const places = recorder.transactions.map(({ commitLsn, part }) => `${commitLsn}/${part}`);
  expect(places.length).toBe(new Set(places).size);
}

async function cutWalsender(): Promise<void> {
  await client.query(
    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL",
  );
}

describe("a change stream", () => {
  it("loses and doubles nothing when its connection is cut again and again", async () => {
    await client.query("CREATE TABLE cut (writer int, n int, PRIMARY KEY (writer, n))");
    await publish(client, "cut", "cut");
    const recorder = new Recorder({ connection: postgres.connection, slot: "cut", publications: ["cut"] });
    const writing = startWriting("cut");
    for (let i = 0; i < 12; i++) {
      await recorder.untilState("streaming");
      await sleep(60);
      await cutWalsender();
      await recorder.until(
        () => recorder.statuses.filter(({ state }) => state === "disconnected").length > i,
      );
    }
    await writing.stop();
    await mark(client, "end");
    await recorder.untilMessage("end");
    await recorder.stream.stop();
    expect(writing.acknowledged.length).toBeGreaterThan(500);
    await expectExact(recorder, "cut", writing.acknowledged);
  });

  it("takes up a large transaction where it was cut off", async () => {
    await client.query("CREATE TABLE parts (writer int, n int, PRIMARY KEY (writer, n))");
    await publish(client, "parts", "parts");
    let cuts = 0;
    const recorder: Recorder = new Recorder({
      connection: postgres.connection,
      slot: "parts",
      publications: ["parts"],
      onTransaction: async ({ part }) => {
        if (part !== 1 + cuts || cuts === 3) return;
        cuts += 1;
        await cutWalsender();
      },
    });
    await client.query("INSERT INTO parts SELECT 0, n FROM generate_series(1, 120000) n");
    await mark(client, "end");
    await recorder.untilMessage("end");
    await recorder.stream.stop();
    expect(recorder.statuses.filter(({ state }) => state === "disconnected").length).toBeGreaterThan(0);
    await expectExact(recorder, "parts", []);
    const parts = recorder.transactions.filter(({ events: [event] }) => event?.kind === "insert");
    expect(parts.map(({ part }) => part)).toEqual(parts.map((_, i) => i));
    expect(parts.map(({ firstEvent }) => firstEvent)).toEqual(parts.map((_, i) => i * 10_000));
  });

  it("loses and doubles nothing when the server is killed", async () => {
    await client.query("CREATE TABLE killed (writer int, n int, PRIMARY KEY (writer, n))");
    await publish(client, "killed", "killed");
    const recorder = new Recorder({
      connection: postgres.connection,
      slot: "killed",
      publications: ["killed"],
    });
    const writing = startWriting("killed");
    for (let i = 0; i < 3; i++) {
      await recorder.untilState("streaming");
      await sleep(150);
      await postgres.crash();
      await recorder.until(
        () => recorder.statuses.filter(({ state }) => state === "disconnected").length > i,
      );
    }
    await writing.stop();
    client = await reconnect();
    await mark(client, "end");
    await recorder.untilMessage("end");
    await recorder.stream.stop();
    expect(writing.acknowledged.length).toBeGreaterThan(200);
    await expectExact(recorder, "killed", writing.acknowledged);
  });
});
