import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { renderJson } from "./json-text.ts";
import { UNCHANGED } from "./pgoutput.ts";
import { type PostgresFixture, startPostgres } from "./testing/postgres-fixture.ts";
import { line, mark, publish, Recorders } from "./testing/recorder.ts";

let postgres: PostgresFixture;
let client: Client;
const streams = new Recorders(() => postgres.connection);

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

afterEach(() => streams.close());

afterAll(() => postgres.stop());

describe("the events of a stream", () => {
  it("come in commit order, whole transactions only, each change as the log has it", async () => {
    await client.query(
      "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)",
    );
    await client.query("CREATE TABLE hidden (id int)");
    await client.query("ALTER TABLE b REPLICA IDENTITY FULL");
    await publish(client, "events", "a, b");
    const { events, transactions, untilMessage } = streams.record("events");

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
    const { events, untilMessage } = streams.record("wide");
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
    const { events, untilMessage } = streams.record("toast");
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
    const { events, transactions, untilMessage } = streams.record("big");
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
