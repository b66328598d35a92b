import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { formatLsn } from "../../engines/postgres/replication/lsn.ts";
import { type OwnServer, ownServer } from "./testing/own-server.ts";
import { TestReader, until } from "./testing/test-reader.ts";

let server: OwnServer;
let node: TestReader;
afterEach(async () => {
  await node.reader.stop();
  await server.stop();
});

async function start(
  settings: Record<string, string>,
  options: ConstructorParameters<typeof TestReader>[1] = {},
): Promise<void> {
  server = await ownServer(settings);
  node = new TestReader(server.database, options);
  node.reader.start();
  await node.reader.ready();
}

/** Writes rows 0, 1, 2… until told to end; gives those that were acknowledged. */
function startWriting() {
  let writing = true;
  const acknowledged: string[] = [];
  const write = async () => {
    let client = await server.connect();
    for (let n = 0; writing; n++) {
      try {
        await client.query("insert into app_test.t values ($1)", [n]);
        acknowledged.push(String(n));
      } catch {
        client = await server.connect();
      }
    }
    await client.end();
  };
  const done = write();
  return async () => {
    writing = false;
    await done;
    return acknowledged;
  };
}

async function everyRow(): Promise<string[]> {
  const rows = await server.database.query<{ id: number }>("select id from app_test.t order by id");
  return rows.map(({ id }) => String(id));
}

const slots = async () =>
  (await server.database.query<{ slot_name: string }>("select slot_name from pg_replication_slots")).map(
    (row) => row.slot_name,
  );

// Servers of their own are started, crashed and filled here: on a busy machine that takes its time.
describe("a node's reader", { timeout: 150_000 }, () => {
  it("loses and doubles nothing while its server is killed and it falls asleep and wakes in between", async () => {
    await start({}, { windowMs: 1_500 }); // the anchor moves meanwhile
    const from = node.reader.window.to;
    const stop = startWriting();
    for (let round = 0; round < 6; round++) {
      const release = node.reader.hold();
      await node.reader.ready();
      await sleep(round * 40);
      if (round % 2 === 0) await server.postgres.crash();
      release();
      await sleep(150);
      if (round % 3 === 1) await server.postgres.crash();
    }
    const acknowledged = await stop();
    const release = node.reader.hold();
    await node.reader.ready();
    const rows = await everyRow();
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(node.inserted("t")).toEqual(rows);
    expect(acknowledged.filter((id) => !rows.includes(id))).toEqual([]);
    expect(node.gaps).toBe(0);
    const { window } = node.reader;
    if (window.from! <= from) expect(node.held("app_test", "t", from)).toEqual(rows);
    release();
    await until(
      async () => node.reader.asleep && (await slots()).length === 2,
      "one anchor and one kept place",
    );
    await node.reader.stop();
    await until(async () => (await slots()).length === 1, "the anchor alone");
  });

  it("tells of the gap when the log's bound cost it the anchor, and begins anew by itself", async () => {
    await start(
      { max_slot_wal_keep_size: "32MB", max_wal_size: "32MB", min_wal_size: "32MB" },
      { windowWalBytes: 1024 * 1024 * 1024 },
    );
    const { epoch } = node.reader.window;
    await until(() => node.reader.asleep, "sleep");
    await server.database.query("create table app_test.flood (t text)");
    for (let i = 0; i < 6; i++) {
      await server.database.query(
        "insert into app_test.flood select repeat(md5(n::text), 30) from generate_series(1, 16000) n",
      );
    }
    const client = await server.connect();
    await client.query("select pg_switch_wal()");
    await client.query("checkpoint");
    await client.end();
    await until(() => node.gaps > 0, "the gap");
    const release = node.reader.hold();
    await node.reader.ready();
    expect(node.reader.window.epoch).not.toBe(epoch);
    await server.database.query("insert into app_test.t values (1)");
    await until(() => node.inserted("t").length > 0, "the change");
    const status = await node.reader.status();
    expect(["reserved", "extended"]).toContain(status.walStatus);
    release();
  });

  it("keeps no more log than the window's bound of bytes, give or take what a slot moves on in one go", async () => {
    const boundBytes = 4 * 1024 * 1024;
    const giveOrTakeBytes = 20 * 1024 * 1024;
    await start({}, { windowWalBytes: boundBytes });
    const { window } = node.reader;
    const client = await server.connect();
    const flood = async (rows: number) => {
      await server.database.query(
        "insert into app_test.flood select repeat(md5(n::text), 30) from generate_series(1, $1::int) n",
        [rows],
      );
      await client.query("checkpoint"); // slots move on where the log says what is under way
    };
    await server.database.query("create table app_test.flood (t text)");
    for (let round = 0; round < 4; round++) await flood(12_000);
    const { rows } = await client.query("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1) as bytes", [
      formatLsn(window.from!),
    ]);
    expect(Number(rows[0].bytes)).toBeGreaterThan(boundBytes + giveOrTakeBytes + 10 * 1024 * 1024);
    // The slot moves on every now and then, and only while there is something to give up.
    const fits = async () => {
      await flood(100);
      await sleep(200);
      return (await node.reader.status()).keptBytes < boundBytes + giveOrTakeBytes;
    };
    await until(fits, "the log to be given up", 90_000);
    await client.end();
  });
});
