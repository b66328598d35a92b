import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { expect } from "vitest";
import type { PostgresFixture } from "./postgres-fixture.ts";
import type { Recorder } from "./recorder.ts";

const writers = 4;

/** Clients that insert (writer, n) rows, one to four per transaction, until told to end; a crash ends none of them. */
export function startWriting(postgres: PostgresFixture, table: string) {
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
        connection = await reconnect(postgres);
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

/** A client, as soon as the server takes one. */
export async function reconnect(postgres: PostgresFixture): Promise<Client> {
  for (;;) {
    try {
      return await postgres.connect();
    } catch {
      await sleep(20);
    }
  }
}

/** What was recorded is what the table holds: nothing lost, nothing doubled, each writer's rows in its own order. */
export async function expectExact(
  client: Client,
  recorders: Recorder | readonly Recorder[],
  table: string,
  acknowledged: readonly string[],
): Promise<void> {
  const all = [recorders].flat() as Recorder[];
  const { rows } = await client.query<{ row: string }>(`SELECT writer || ', ' || n AS row FROM ${table}`);
  const seen = all.flatMap(({ events }) =>
    events.flatMap((event) => (event.kind === "insert" ? [event.new.join(", ")] : [])),
  );
  expect(seen.length).toBe(new Set(seen).size);
  expect(seen.toSorted()).toEqual(rows.map(({ row }) => row).sort());
  const found = new Set(seen);
  expect(acknowledged.filter((row) => !found.has(row))).toEqual([]);
  for (let writer = 0; writer < writers; writer++) {
    const own = seen.filter((row) => row.startsWith(`${writer}, `)).map((row) => Number(row.split(", ")[1]));
    expect(own).toEqual(own.toSorted((x, y) => x - y));
  }
  const places = all.flatMap(({ transactions }) =>
    transactions.map(({ commitLsn, part }) => `${commitLsn}/${part}`),
  );
  expect(places.length).toBe(new Set(places).size);
}

/** Ends every connection that reads from a slot. */
export async function cutWalsenders(client: Client): Promise<void> {
  await client.query(
    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL",
  );
}
