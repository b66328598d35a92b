import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { formatLsn } from "./lsn.ts";
import { type PostgresFixture, startPostgres } from "./testing/postgres-fixture.ts";
import { mark, publish, type Recorder, Recorders } from "./testing/recorder.ts";
import { cutWalsenders, expectExact, reconnect, startWriting } from "./testing/writing.ts";

let postgres: PostgresFixture;
let client: Client;
const recorders = new Recorders(() => postgres.connection);

beforeAll(async () => {
  postgres = await startPostgres({
    max_slot_wal_keep_size: "32MB",
    max_wal_size: "32MB",
    min_wal_size: "32MB",
  });
  client = await postgres.connect();
});
afterEach(async () => {
  await recorders.close();
  await client.query(
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT temporary",
  );
});
afterAll(() => postgres.stop());

/** A table, a publication and an anchor slot of this name, and a stream that reads through copies of the anchor. */
async function anchored(name: string): Promise<() => Recorder> {
  await client.query(`CREATE TABLE ${name} (writer int, n int, PRIMARY KEY (writer, n))`);
  await publish(client, name, name);
  return () => recorders.record(name, { slot: "copy", copyOf: () => [name] });
}

const cuts = ({ statuses }: Recorder) => statuses.filter(({ state }) => state === "disconnected").length;

/** Moves the anchor up to what the stream has handled, as a node's upkeep does. */
async function advance(name: string, to: bigint): Promise<void> {
  await client.query("SELECT pg_replication_slot_advance($1, $2::pg_lsn)", [name, formatLsn(to)]);
}

const slots = async () =>
  (await client.query("SELECT slot_name FROM pg_replication_slots ORDER BY 1")).rows.map(
    (row) => row.slot_name,
  );

/** More log than a slot may hold back, slowly enough for a slot that is read from to follow. */
async function floodLog(): Promise<void> {
  await client.query("CREATE TABLE IF NOT EXISTS flood (t text)");
  for (let i = 0; i < 5; i++) {
    await client.query("INSERT INTO flood SELECT repeat(md5(n::text), 30) FROM generate_series(1, 16000) n");
    await client.query("SELECT pg_switch_wal()");
    await client.query("CHECKPOINT"); // a slot moves on where the log says what is under way
    await sleep(limits.reportMs * 1.6);
  }
  await client.query("CHECKPOINT");
}

async function untilGone(): Promise<void> {
  for (let i = 0; (await slots()).some((name) => name.startsWith("copy")); i++) {
    if (i > 100) throw new Error("a copy stays behind");
    await sleep(20);
  }
}

describe("a stream through copies of an anchor slot", () => {
  it("loses and doubles nothing when it is cut again and again while the anchor moves on", async () => {
    const record = await anchored("cut_copies");
    const recorder = record();
    const writing = startWriting(postgres, "cut_copies");
    for (let i = 0; i < 12; i++) {
      await recorder.untilState("streaming");
      await sleep(60);
      if (i % 3 === 1) await advance("cut_copies", recorder.stream.processedLsn);
      if (i % 3 === 2) await client.query("CHECKPOINT");
      await cutWalsenders(client);
      await recorder.until(() => cuts(recorder) > i);
    }
    await writing.stop();
    await mark(client, "end cut");
    await recorder.untilMessage("end cut");
    await recorder.stream.stop();
    expect(writing.acknowledged.length).toBeGreaterThan(400);
    expect(recorder.statuses.filter(({ state }) => state === "gap")).toEqual([]);
    await expectExact(client, recorder, "cut_copies", writing.acknowledged);
    await untilGone();
    expect(await slots()).toEqual(["cut_copies"]);
  });

  it("loses and doubles nothing when the server is killed", async () => {
    const record = await anchored("killed_copies");
    const recorder = record();
    const writing = startWriting(postgres, "killed_copies");
    for (let i = 0; i < 3; i++) {
      await recorder.untilState("streaming");
      await sleep(150);
      client = await reconnect(postgres);
      if (i > 0) await advance("killed_copies", recorder.stream.processedLsn);
      await postgres.crash();
      await recorder.until(() => cuts(recorder) > i);
    }
    await writing.stop();
    client = await reconnect(postgres);
    await mark(client, "end killed");
    await recorder.untilMessage("end killed");
    await recorder.stream.stop();
    expect(recorder.statuses.filter(({ state }) => state === "gap")).toEqual([]);
    await expectExact(client, recorder, "killed_copies", writing.acknowledged);
    await untilGone();
    expect(await slots()).toEqual(["killed_copies"]);
  });

  it("is continued by another stream where the first one was stopped, inside of a transaction too", async () => {
    const record = await anchored("taken_over");
    const gate = recorders.gate();
    const first = recorders.record("taken_over", {
      ...{ slot: "copy", copyOf: () => ["taken_over"] },
      onTransaction: ({ part }) => (part === 2 ? gate.promise : undefined),
    });
    await client.query("INSERT INTO taken_over SELECT 9, n FROM generate_series(1, 60000) n");
    const writing = startWriting(postgres, "taken_over");
    await first.until(() => first.transactions.some(({ part }) => part === 1));
    const stopped = first.stream.stop();
    gate.resolve();
    await stopped;
    const { lsn, partial } = first.stream.progress;
    expect(partial?.parts).toBeGreaterThan(1);
    const second = recorders.record("taken_over", {
      ...{ slot: "copy", copyOf: () => ["gone", "taken_over"], startLsn: lsn, startWithin: partial },
    });
    await sleep(200);
    await writing.stop();
    await mark(client, "end taken");
    await second.untilMessage("end taken");
    await expectExact(client, [first, second], "taken_over", writing.acknowledged);
    // Whoever starts without a place has everything since the anchor's.
    const fresh = record();
    await fresh.untilMessage("end taken");
    await expectExact(client, fresh, "taken_over", writing.acknowledged);
  });

  it("tells of a gap when the anchor has passed it, and goes on behind it", async () => {
    const record = await anchored("passed");
    const recorder = record();
    await client.query("INSERT INTO passed VALUES (1, 1)");
    await recorder.until(() => recorder.events.length === 1);
    const { lsn } = recorder.stream.progress;
    await recorder.stream.stop();
    await client.query("INSERT INTO passed VALUES (1, 2)");
    const { rows } = await client.query("SELECT pg_current_wal_lsn()::text AS lsn");
    await client.query("SELECT pg_replication_slot_advance('passed', $1::pg_lsn)", [rows[0].lsn]);
    await client.query("INSERT INTO passed VALUES (1, 3)");
    const second = recorders.record("passed", { slot: "copy", copyOf: () => ["passed"], startLsn: lsn });
    await second.until(() => second.events.length === 1);
    expect(second.statuses.filter(({ state }) => state === "gap")).toHaveLength(1);
    expect(second.events[0]).toMatchObject({ new: ["1", "3"] });
  });

  it("goes on when the anchor is dropped, until it is cut", async () => {
    const record = await anchored("dropped");
    const recorder = record();
    await recorder.untilState("streaming");
    await client.query("SELECT pg_drop_replication_slot('dropped')");
    await client.query("INSERT INTO dropped VALUES (1, 1)");
    await recorder.until(() => recorder.events.length === 1);
    await cutWalsenders(client);
    await recorder.untilState("slot_missing");
  });

  it("goes on when the anchor is lost to the log's bound, and says so when it is cut", async () => {
    const record = await anchored("lost");
    const recorder = record();
    await recorder.untilState("streaming");
    // The copy follows, and so does its slot; the anchor stays where it is.
    await floodLog();
    await client.query("INSERT INTO lost VALUES (1, 1)");
    await recorder.until(() => recorder.events.length === 1);
    const { rows } = await client.query(
      "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'lost'",
    );
    expect(rows).toEqual([{ wal_status: "lost" }]);
    await cutWalsenders(client);
    await recorder.untilState("slot_lost");
  });
});
