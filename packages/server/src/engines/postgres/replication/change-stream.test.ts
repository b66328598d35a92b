import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { renderJson } from "./json-text.ts";
import { type Row, UNCHANGED } from "./pgoutput.ts";
import { createSlot, dropSlot, slotStatus } from "./slots.ts";
import { type PostgresFixture, startPostgres } from "./testing/postgres-fixture.ts";
import { mark, publish, Recorder } from "./testing/recorder.ts";
import type { StreamEvent } from "./transactions.ts";

let postgres: PostgresFixture;
let client: Client;
let recorders: Recorder[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  client = await postgres.connect();
  // Everything that could spoil the text of values; the reader's own settings must win.
  for (const setting of [
    "datestyle = 'SQL, DMY'",
    "timezone = 'Asia/Kolkata'",
    "intervalstyle = 'iso_8601'",
    "bytea_output = 'escape'",
    "extra_float_digits = -10",
    "search_path = 'public'",
  ]) {
    await client.query(`ALTER DATABASE postgres SET ${setting}`);
  }
});

afterEach(async () => {
  await Promise.all(recorders.map(({ stream }) => stream.stop()));
  recorders = [];
});

afterAll(() => postgres.stop());

/** Records the stream of the publication and slot called `name`. */
function record(name: string, options: Partial<ConstructorParameters<typeof Recorder>[0]> = {}): Recorder {
  const recorder = new Recorder({
    connection: postgres.connection,
    slot: name,
    publications: [name],
    ...options,
  });
  recorders.push(recorder);
  return recorder;
}

const show = (row: Row | null) =>
  row?.map((value) => (value === UNCHANGED ? "·" : (value ?? "null"))).join(",");

function line(event: StreamEvent): string {
  switch (event.kind) {
    case "insert":
      return `+${event.relation.table} ${show(event.new)}`;
    case "update":
      return `~${event.relation.table} ${show(event.old) ?? "?"} -> ${show(event.new)}`;
    case "delete":
      return `-${event.relation.table} ${show(event.old)}`;
    case "truncate":
      return `0 ${event.relations.map(({ table }) => table).sort()}`;
    case "message":
      return `! ${event.prefix} ${event.content}`;
  }
}

describe("the events of a stream", () => {
  it("come in commit order, whole transactions only, each change as the log has it", async () => {
    await client.query(
      "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)",
    );
    await client.query("CREATE TABLE hidden (id int)");
    await client.query("ALTER TABLE b REPLICA IDENTITY FULL");
    await publish(client, "events", "a, b");
    const { events, transactions, untilMessage } = bind(record("events"));

    await client.query("INSERT INTO a VALUES (1, 'one'), (2, NULL)");
    await client.query("BEGIN; INSERT INTO a VALUES (9, 'never'); ROLLBACK");
    const other = await postgres.connect();
    await client.query("BEGIN; INSERT INTO b VALUES (1, 'begun first')");
    await other.query("INSERT INTO b VALUES (2, 'committed first')");
    await client.query("SAVEPOINT s; INSERT INTO b VALUES (8, 'undone'); ROLLBACK TO s; COMMIT");
    await client.query("UPDATE a SET v = 'uno' WHERE id = 1");
    await client.query("UPDATE a SET id = 3 WHERE id = 1");
    await client.query("UPDATE b SET v = 'änderung' WHERE id = 1");
    await client.query("INSERT INTO hidden VALUES (1)");
    await client.query(
      "BEGIN; SELECT pg_logical_emit_message(true, 'ddl', 'add c');" +
        "ALTER TABLE a ADD c int DEFAULT 7; INSERT INTO a VALUES (4, 'four', 4); COMMIT",
    );
    await client.query("DELETE FROM a WHERE id = 2; DELETE FROM b WHERE id = 2");
    await client.query("TRUNCATE a, b, hidden");
    await client.query("SELECT pg_logical_emit_message(false, 'loose', 'x')");
    await mark(client, "end");
    await untilMessage("end");

    expect(events.map(line)).toEqual([
      "+a 1,one",
      "+a 2,null",
      "+b 2,committed first",
      "+b 1,begun first",
      "~a ? -> 1,uno",
      "~a 1,· -> 3,uno",
      "~b 1,begun first -> 1,änderung",
      "! ddl add c",
      "+a 4,four,4",
      "-a 2,·,·",
      "-b 2,committed first",
      "0 a,b",
      "! loose x",
      "! end ",
    ]);
    expect(transactions[0]?.events).toHaveLength(2);
    expect(transactions.every(({ final, part }) => final && part === 0)).toBe(true);
    const order = transactions.map(({ commitLsn }) => commitLsn);
    expect(order).toEqual([...new Set(order)].sort((x, y) => (x < y ? -1 : 1)));
    for (const { commitLsn, endLsn, commitTime } of transactions) {
      expect(endLsn).toBeGreaterThan(commitLsn);
      expect(Math.abs(commitTime.getTime() - Date.now())).toBeLessThan(60_000);
    }
    const [first] = events;
    expect(first?.kind === "insert" && first.relation).toMatchObject({
      schema: "public",
      table: "a",
      replicaIdentity: "d",
      columns: [
        { name: "id", typeOid: 23, typmod: -1, isKey: true },
        { name: "v", typeOid: 25, typmod: -1, isKey: false },
      ],
    });
  });

  it("carry values in the fixed text form, whatever the database's settings are", async () => {
    await client.query(`CREATE TABLE wide (id int PRIMARY KEY, tz timestamptz, ts timestamp, d date, i interval,
      f8 float8, f4 float4, n numeric, y bytea, j jsonb, a text[], t text, u uuid, b bool, c regclass, tr tstzrange)`);
    await publish(client, "wide", "wide");
    const { events, untilMessage } = bind(record("wide"));
    await client.query(`INSERT INTO wide VALUES (1, '2026-01-02 03:04:05.678+05:30', '0044-03-15 12:00 BC', 'infinity',
      '-1 year -2 mons +3 days -04:05:06.7', 0.1::float8 + 0.2, 1e-7, 'NaN', '\\x00ff5c', '{"a": [1, 2.50, "é"]}',
      ARRAY['x', NULL, 'a "b" \\ c', ''], E'tab\\t\\u0001\\u2028😀', '0190A1B2-C3D4-7E5F-8A9B-0C1D2E3F4A5B', true,
      'pg_class', '[2026-01-01 00:00+00,)'),
      (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`);
    await mark(client, "end");
    await untilMessage("end");

    const plain = await postgres.connect();
    await plain.query(`SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; SET intervalstyle = 'postgres';
      SET bytea_output = 'hex'; SET extra_float_digits = 1`);
    const { rows } = await plain.query("SELECT to_jsonb(w)::text AS json FROM wide w ORDER BY id");
    const rendered = events.slice(0, 2).map((event) => {
      if (event.kind !== "insert") throw new Error(event.kind);
      const members = event.relation.columns.map(({ name, typeOid }, i) => {
        return `"${name}": ${renderJson(event.new[i] as string | null, typeOid)}`;
      });
      return JSON.parse(`{${members}}`);
    });
    expect(rendered).toEqual(rows.map(({ json }) => JSON.parse(json)));
  });

  it("complete an untouched large value with REPLICA IDENTITY FULL, and say UNCHANGED without", async () => {
    await client.query("CREATE TABLE plain (id int PRIMARY KEY, large text, n int)");
    await client.query("CREATE TABLE whole (id int PRIMARY KEY, large text, n int)");
    await client.query("ALTER TABLE whole REPLICA IDENTITY FULL");
    await client.query("ALTER TABLE plain ALTER large SET STORAGE EXTERNAL");
    await client.query("ALTER TABLE whole ALTER large SET STORAGE EXTERNAL");
    await publish(client, "toast", "plain, whole");
    const { events, untilMessage } = bind(record("toast"));
    const large = "é".repeat(50_000);
    for (const table of ["plain", "whole"]) {
      await client.query(`INSERT INTO ${table} VALUES (1, $1, 1)`, [large]);
      await client.query(`UPDATE ${table} SET n = 2`);
    }
    await mark(client, "end");
    await untilMessage("end");
    expect(events[1]).toMatchObject({ kind: "update", old: null, new: ["1", UNCHANGED, "2"] });
    expect(events[3]).toMatchObject({ kind: "update", old: ["1", large, "1"], new: ["1", large, "2"] });
  });

  it("take rows of many megabytes and transactions of many thousand rows", async () => {
    await client.query("CREATE TABLE big (id int PRIMARY KEY, v text)");
    await publish(client, "big", "big");
    const { events, transactions, untilMessage } = bind(record("big"));
    const large = Buffer.from(
      Uint8Array.from({ length: 6 * 1024 * 1024 }, (_, i) => (i * 7919) % 251),
    ).toString("hex");
    await client.query("INSERT INTO big VALUES (0, $1)", [large.slice(0, 1024 * 1024)]);
    await client.query("INSERT INTO big VALUES (-1, $1)", [large]);
    await client.query("INSERT INTO big SELECT i, 'row' FROM generate_series(1, 25000) i");
    await mark(client, "end");
    await untilMessage("end");
    const rows = events.flatMap((event) => (event.kind === "insert" ? [event.new] : []));
    expect(rows[0]?.[1] === large.slice(0, 1024 * 1024)).toBe(true);
    expect(rows[1]?.[1] === large).toBe(true);
    expect(rows.slice(2).map(([id]) => Number(id))).toEqual(Array.from({ length: 25_000 }, (_, i) => i + 1));
    const parts = transactions.filter(({ events: { length } }) => length > 1);
    expect(new Set(parts.map(({ commitLsn }) => commitLsn)).size).toBe(1);
    expect(parts.map(({ part, firstEvent, final }) => [part, firstEvent, final])).toEqual([
      [0, 0, false],
      [1, 10_000, false],
      [2, 20_000, true],
    ]);
  });
});

describe("the position of a stream", () => {
  it("is confirmed while nothing is published, so that the server need not keep its log", async () => {
    await client.query("CREATE TABLE seen (id int PRIMARY KEY); CREATE TABLE unseen (v text)");
    await publish(client, "idle", "seen");
    const { stream, untilState } = bind(record("idle"));
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
    const release = Promise.withResolvers<void>();
    const { stream, events, untilMessage, until } = bind(
      record("flood", { onTransaction: () => release.promise }),
    );
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
    const { events, statuses, untilMessage } = bind(
      record("shaky", {
        onTransaction: ({ events: [event] }) => {
          if (event?.kind === "insert" && event.new[0] === "2" && failures-- > 0) throw new Error("not now");
        },
      }),
    );
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
      const recorder = record("pausing");
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
    const first = record("kept", { retainFrom: () => tail });
    await client.query("INSERT INTO kept VALUES (1)");
    await first.until(() => first.transactions.length === 1);
    tail = first.transactions[0]!.endLsn;
    await client.query("INSERT INTO kept VALUES (2)");
    await first.until(() => first.transactions.length === 2);
    await first.stream.stop();
    expect(await confirmed("kept")).toBe(tail);
    const second = record("kept");
    await second.until(() => second.transactions.length === 1);
    expect(second.events.map(line)).toEqual(["+kept 2"]);
  });
});

describe("the slot of a stream", () => {
  it("is reported missing, once and for all", async () => {
    const { statuses, stream, untilState } = bind(record("nowhere"));
    await untilState("slot_missing");
    expect(statuses.map(({ state }) => state)).toEqual(["connecting", "slot_missing"]);
    expect(statuses[1]?.detail.error).toMatchObject({ code: "REPLICATION_SLOT_MISSING" });
    await stream.stop();
    expect(stream.state).toBe("stopped");
  });

  it("is waited for while another reader has it, and cannot be dropped meanwhile", async () => {
    await client.query("CREATE TABLE shared (id int PRIMARY KEY)");
    await publish(client, "shared", "shared");
    const holder = record("shared");
    await holder.untilState("streaming");
    await expect(dropSlot(client, "shared")).rejects.toMatchObject({ code: "REPLICATION_SLOT_ACTIVE" });
    const waiter = record("shared");
    await waiter.untilState("disconnected");
    expect(waiter.statuses.at(-1)?.detail.error).toMatchObject({ code: "55006" });
    await holder.stream.stop();
    await waiter.untilState("streaming");
  });

  it("is reported moved on by someone else, with the range that will not come", async () => {
    await client.query("CREATE TABLE skipped (id int PRIMARY KEY)");
    await publish(client, "skipped", "skipped");
    const first = record("skipped");
    await first.untilState("streaming");
    const from = first.stream.processedLsn;
    await first.stream.stop();
    await client.query("INSERT INTO skipped VALUES (1)");
    await client.query("SELECT pg_replication_slot_advance('skipped', pg_current_wal_lsn())");
    const to = await confirmed("skipped");
    await client.query("INSERT INTO skipped VALUES (2)");
    const second = record("skipped", { startLsn: from });
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
    const release = Promise.withResolvers<void>();
    const { stream, statuses, untilState } = bind(record("late", { onTransaction: () => release.promise }));
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
    const again = record("late");
    await again.untilState("slot_lost");
    expect(again.statuses.map(({ state }) => state)).toEqual(["connecting", "slot_lost"]);
    await client.query("ALTER SYSTEM RESET max_slot_wal_keep_size");
    await client.query("SELECT pg_reload_conf()");
  });
});

/** The recorder with its waiting methods as functions. */
function bind(recorder: Recorder) {
  return {
    ...{ stream: recorder.stream, events: recorder.events },
    ...{ transactions: recorder.transactions, statuses: recorder.statuses },
    until: recorder.until.bind(recorder),
    untilMessage: recorder.untilMessage.bind(recorder),
    untilState: recorder.untilState.bind(recorder),
  };
}

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
