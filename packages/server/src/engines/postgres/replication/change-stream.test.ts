import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseLsn } from "./lsn.ts";
import { createSlot, dropSlot, slotStatus } from "./slots.ts";
import { type PostgresFixture, startPostgres } from "./testing/postgres-fixture.ts";
import { line, mark, publish, Recorders } from "./testing/recorder.ts";

let postgres: PostgresFixture;
let client: Client;
const streams = new Recorders(() => postgres.connection);

beforeAll(async () => {
  postgres = await startPostgres();
  client = await postgres.connect();
});

afterEach(() => streams.close());

afterAll(() => postgres.stop());

describe("the position of a stream", () => {
  it("is confirmed while nothing is published, so that the server need not keep its log", async () => {
    await client.query("CREATE TABLE seen (id int PRIMARY KEY); CREATE TABLE unseen (v text)");
    await publish(client, "idle", "seen");
    const { stream, untilState } = streams.record("idle");
    await untilState("streaming");
    await client.query("INSERT INTO unseen SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
    const { rows } = await client.query("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS at");
    await eventually(async () => (await confirmed("idle")) >= BigInt(rows[0].at));
    expect(stream.processedLsn).toBeGreaterThanOrEqual(BigInt(rows[0].at));
  });

  it("never runs ahead of the handler, which slows the server down instead of filling memory", async () => {
    await client.query("CREATE TABLE flood (id int PRIMARY KEY, v text)");
    await client.query("ALTER TABLE flood ALTER v SET STORAGE EXTERNAL"); // as large in the log as on the wire
    await publish(client, "flood", "flood");
    const release = streams.gate();
    const { stream, events, untilMessage, until } = streams.record("flood", {
      onTransaction: () => release.promise,
    });
    await client.query("INSERT INTO flood VALUES (0, '')");
    for (let i = 1; i <= 60; i++)
      await client.query("INSERT INTO flood VALUES ($1, $2)", [i, "x".repeat(1_000_000)]);
    await mark(client, "end");
    const started = stream.processedLsn;
    let sent = -1n;
    await eventually(async () => {
      const { rows } = await client.query(
        "SELECT sent_lsn - '0/0'::pg_lsn AS at FROM pg_stat_replication WHERE application_name = 'ambit change stream'",
      );
      const before = sent;
      sent = BigInt(rows[0].at);
      return sent === before;
    }, 400);
    expect(events).toHaveLength(0);
    expect(stream.processedLsn).toBe(started);
    expect(await confirmed("flood")).toBeLessThanOrEqual(started);
    // What the server calls sent lies in our queue, one read of the socket and the kernel's buffers.
    expect(Number(sent - started)).toBeLessThan(30_000_000);
    release.resolve();
    await untilMessage("end");
    expect(events).toHaveLength(62);
    await until(() => stream.processedLsn > sent);
  });

  it("stays where the handler failed: the same transaction comes again, then the rest", async () => {
    await client.query("CREATE TABLE shaky (id int PRIMARY KEY)");
    await publish(client, "shaky", "shaky");
    let failures = 3;
    const { events, statuses, untilMessage } = streams.record("shaky", {
      onTransaction: ({ events: [event] }) => {
        if (event?.kind === "insert" && event.new[0] === "2" && failures-- > 0) throw new Error("not now");
      },
    });
    for (let id = 1; id <= 4; id++) await client.query("INSERT INTO shaky VALUES ($1)", [id]);
    await mark(client, "end");
    await untilMessage("end");
    expect(events.map(line)).toEqual(["+shaky 1", "+shaky 2", "+shaky 3", "+shaky 4", "! end "]);
    const failed = statuses.filter(({ state }) => state === "disconnected");
    expect(failed.map(({ detail }) => (detail.error as Error).message)).toEqual(Array(3).fill("not now"));
  });

  it("is kept by the slot over a stop: nothing is lost or doubled, and the slot is free at once", async () => {
    await client.query("CREATE TABLE pausing (id int PRIMARY KEY)");
    await publish(client, "pausing", "pausing");
    const seen: string[] = [];
    for (let round = 1; round <= 3; round++) {
      const recorder = streams.record("pausing");
      await client.query("INSERT INTO pausing VALUES ($1)", [round * 10]);
      await mark(client, `round ${round}`);
      await recorder.untilMessage(`round ${round}`);
      await recorder.stream.stop();
      expect(recorder.stream.state).toBe("stopped");
      expect((await slotStatus(client, "pausing"))?.activePid).toBeNull();
      await client.query("INSERT INTO pausing VALUES ($1)", [round * 10 + 1]);
      seen.push(...recorder.events.map(line).filter((text) => text.startsWith("+")));
    }
    expect(seen).toEqual([10, 11, 20, 21, 30].map((id) => `+pausing ${id}`));
    expect(await dropSlot(client, "pausing")).toBe(true);
    expect(await dropSlot(client, "pausing")).toBe(false);
  });

  it("is not given up before what the caller wants to read again", async () => {
    await client.query("CREATE TABLE kept (id int PRIMARY KEY)");
    await publish(client, "kept", "kept");
    let tail: bigint | null = null;
    const first = streams.record("kept", { retainFrom: () => tail });
    await client.query("INSERT INTO kept VALUES (1)");
    await first.until(() => first.transactions.length === 1);
    tail = first.transactions[0]!.endLsn;
    await client.query("INSERT INTO kept VALUES (2)");
    await first.until(() => first.transactions.length === 2);
    await first.stream.stop();
    expect(await confirmed("kept")).toBe(tail);
    const second = streams.record("kept");
    await second.until(() => second.transactions.length === 1);
    expect(second.events.map(line)).toEqual(["+kept 2"]);
  });
});

describe("the slot of a stream", () => {
  it("is reported missing, once and for all", async () => {
    const { statuses, stream, untilState } = streams.record("nowhere");
    await untilState("slot_missing");
    expect(statuses.map(({ state }) => state)).toEqual(["connecting", "slot_missing"]);
    expect(statuses[1]?.detail.error).toMatchObject({ code: "REPLICATION_SLOT_MISSING" });
    await stream.stop();
    expect(stream.state).toBe("stopped");
  });

  it("is not moved past changes while a publication is missing", async () => {
    await client.query("CREATE TABLE unpublished (id int PRIMARY KEY)");
    await publish(client, "partial", "unpublished");
    await client.query("INSERT INTO unpublished VALUES (1)");
    const recorder = streams.record("partial", { publications: ["partial", "absent, publication"] });
    await recorder.untilState("disconnected");
    expect(recorder.statuses.at(-1)?.detail.error).toMatchObject({
      code: "REPLICATION_PUBLICATION_MISSING",
      details: { publications: ["absent, publication"] },
    });
    await client.query('CREATE PUBLICATION "absent, publication"');
    await recorder.until(() => recorder.events.length === 1);
    expect(recorder.events.map(line)).toEqual(["+unpublished 1"]);
  });

  it("is reported lost when the server's log ends before the caller's position", async () => {
    await createSlot(client, "restored");
    const { statuses, untilState } = streams.record("restored", { startLsn: parseLsn("FFFF/0") });
    await untilState("slot_lost");
    expect(statuses.at(-1)?.detail.error).toMatchObject({ code: "REPLICATION_LOG_REPLACED" });
  });

  it("is tried again, with growing pauses, while the server cannot be reached; a stop ends that at once", async () => {
    const nowhere = { ...postgres.connection, host: "/nonexistent" };
    const recorder = streams.record("unreachable", { connection: nowhere });
    await recorder.until(
      () => recorder.statuses.filter(({ state }) => state === "disconnected").length === 5,
    );
    const pauses = recorder.statuses.flatMap(({ detail: { retryInMs } }) => retryInMs ?? []);
    expect(pauses[4]).toBeGreaterThan(pauses[0]!);
    expect(recorder.statuses[1]?.detail.error).toMatchObject({ code: "ENOENT" });
    const started = performance.now();
    await recorder.stream.stop();
    expect(performance.now() - started).toBeLessThan(pauses[4]!);
  });

  it("is told to stop before it was reached: nothing is delivered and the slot stays free", async () => {
    await client.query("CREATE TABLE early (id int PRIMARY KEY)");
    await publish(client, "early", "early");
    await client.query("INSERT INTO early VALUES (1)");
    for (let turns = 0; turns < 12; turns++) {
      const recorder = streams.record("early");
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      await recorder.stream.stop();
      const delivered = recorder.events.length;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(recorder.events).toHaveLength(delivered);
      expect(recorder.stream.state).toBe("stopped");
      expect((await slotStatus(client, "early"))?.activePid).toBeNull();
    }
  });

  it("is waited for while another reader has it, and cannot be dropped meanwhile", async () => {
    await client.query("CREATE TABLE shared (id int PRIMARY KEY)");
    await publish(client, "shared", "shared");
    const holder = streams.record("shared");
    await holder.untilState("streaming");
    await expect(dropSlot(client, "shared")).rejects.toMatchObject({ code: "REPLICATION_SLOT_ACTIVE" });
    const waiter = streams.record("shared");
    await waiter.untilState("disconnected");
    expect(waiter.statuses.at(-1)?.detail.error).toMatchObject({ code: "55006" });
    await holder.stream.stop();
    await waiter.untilState("streaming");
  });

  it("is reported moved on by someone else, with the range that will not come", async () => {
    await client.query("CREATE TABLE skipped (id int PRIMARY KEY)");
    await publish(client, "skipped", "skipped");
    const first = streams.record("skipped");
    await first.untilState("streaming");
    const from = first.stream.processedLsn;
    await first.stream.stop();
    await client.query("INSERT INTO skipped VALUES (1)");
    await client.query("SELECT pg_replication_slot_advance('skipped', pg_current_wal_lsn())");
    const to = await confirmed("skipped");
    await client.query("INSERT INTO skipped VALUES (2)");
    const second = streams.record("skipped", { startLsn: from });
    await second.until(() => second.events.length === 1);
    expect(second.statuses.map(({ state }) => state)).toEqual(["connecting", "gap", "streaming"]);
    expect(second.statuses[1]?.detail.missed).toEqual({ from, to });
    expect(second.events.map(line)).toEqual(["+skipped 2"]);
  });

  it("may be temporary: it belongs to the session that made it", async () => {
    const session = await postgres.connect();
    const lsn = await createSlot(session, "fleeting", { temporary: true });
    expect(await slotStatus(client, "fleeting")).toMatchObject({
      plugin: "pgoutput",
      database: "postgres",
      temporary: true,
      walStatus: "reserved",
      confirmedFlushLsn: lsn,
      lost: false,
    });
    await session.end();
    await eventually(async () => (await slotStatus(client, "fleeting")) === null);
  });

  it("is reported lost when the server has thrown its log away, while streaming and at the start", async () => {
    await client.query("CREATE TABLE late (id int PRIMARY KEY, v text)");
    await publish(client, "late", "late");
    const release = streams.gate();
    const { stream, statuses, untilState } = streams.record("late", { onTransaction: () => release.promise });
    await untilState("streaming");
    await client.query("INSERT INTO late VALUES (0, '')");
    await client.query("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
    await client.query("SELECT pg_reload_conf()");
    await eventually(async () => {
      await client.query("SELECT pg_logical_emit_message(false, 'fill', 'x'), pg_switch_wal()");
      await client.query("CHECKPOINT");
      return (await slotStatus(client, "late"))?.lost ?? false;
    });
    release.resolve();
    await untilState("slot_lost");
    expect(statuses.at(-1)?.detail).toMatchObject({
      error: { code: "REPLICATION_SLOT_LOST" },
      slot: { lost: true, invalidationReason: "wal_removed" },
    });
    await stream.stop();
    const again = streams.record("late");
    await again.untilState("slot_lost");
    expect(again.statuses.map(({ state }) => state)).toEqual(["connecting", "slot_lost"]);
    await client.query("ALTER SYSTEM RESET max_slot_wal_keep_size");
    await client.query("SELECT pg_reload_conf()");
  });
});

async function confirmed(slot: string): Promise<bigint> {
  return (await slotStatus(client, slot))?.confirmedFlushLsn ?? 0n;
}

async function eventually(condition: () => Promise<boolean>, everyMs = 100): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("The condition did not come true in time.");
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
