import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { serve } from "../../harness/child.ts";
import type { PostgresAddress } from "../../harness/postgres.ts";
import { idOf } from "./ids.ts";

/** Where rows go, and whom they are for in turn. */
export interface Aim {
  /** With its schema, in a form that needs no quotes. */
  readonly table: string;
  /** The column that says whom a row is for; `keys` are its values by group. */
  readonly column: string;
  readonly type: "text" | "bigint";
  readonly keys: readonly string[];
}

export interface Written {
  /** By group, since the aim was taken. */
  readonly turns: Readonly<Record<number, number>>;
  /** Milliseconds since the epoch. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

const BODY = "x".repeat(80);
const nowMs = () => performance.timeOrigin + performance.now();

let clients: pg.Client[] = [];
let aim: Aim;
let turns: number[] = [];
let insert = "";

/** A connection that alone writes for every so-many-th group, so that the order of their rows is its own. */
class Lane {
  readonly #client: pg.Client;
  readonly #groups: readonly number[];
  #next = 0;
  #last = 0;

  constructor(client: pg.Client, groups: readonly number[]) {
    this.#client = client;
    this.#groups = groups;
  }

  /** One transaction. */
  async write(rows: number): Promise<void> {
    const ids: number[] = [];
    const keys: string[] = [];
    for (let row = 0; row < rows; row += 1) {
      const group = this.#groups[this.#next++ % this.#groups.length]!;
      turns[group]! += 1;
      ids.push(idOf(group, turns[group]!));
      keys.push(aim.keys[group]!);
    }
    await this.#client.query({ name: `insert ${aim.table}`, text: insert, values: [ids, keys] });
    this.#last = ids.at(-1)!;
  }

  /** Updates the row written last. */
  async touch(): Promise<void> {
    await this.#client.query({ name: `update ${aim.table}`, text: update, values: [this.#last] });
  }
}

let lanes: Lane[] = [];
let update = "";
const written = (beganAtMs: number): Written => ({
  turns: Object.fromEntries(turns.entries()),
  beganAtMs,
  endedAtMs: nowMs(),
});

const commands = {
  async open({ target, connections }: { target: PostgresAddress; connections: number }): Promise<void> {
    clients = Array.from({ length: connections }, () => new pg.Client({ ...target, user: "postgres" }));
    await Promise.all(clients.map((client) => client.connect()));
  },
  /** Empties the table; turns begin again. */
  async aim(next: Aim): Promise<void> {
    aim = next;
    turns = next.keys.map(() => 0);
    insert =
      `insert into ${next.table} (id, at, ${next.column}, body) ` +
      "select id, (extract(epoch from clock_timestamp()) * 1000000)::bigint, key, " +
      `'${BODY}' from unnest($1::bigint[], $2::${next.type}[]) as row (id, key)`;
    update = `update ${next.table} set at = at + 1 where id = $1`;
    await clients[0]!.query(`truncate ${next.table}`);
    const used = clients.slice(0, next.keys.length);
    const groups = turns.map((_, group) => group);
    lanes = used.map(
      (client, at) =>
        new Lane(
          client,
          groups.filter((group) => group % used.length === at),
        ),
    );
  },
  /** As fast as Postgres takes it. */
  async burst({ rows, perTransaction }: { rows: number; perTransaction: number }): Promise<Written> {
    const beganAtMs = nowMs();
    let left = rows;
    await Promise.all(
      lanes.map(async (lane) => {
        while (left > 0) {
          // Taken before the pause in which other connections look.
          const some = Math.min(left, perTransaction);
          left -= some;
          await lane.write(some);
        }
      }),
    );
    return written(beganAtMs);
  },
  /** Transactions of one row as fast as Postgres takes them, inserts and updates by turns; per second. */
  async transact({ forMs }: { forMs: number }): Promise<number> {
    const beganAtMs = nowMs();
    let transactions = 0;
    await Promise.all(
      lanes.map(async (lane) => {
        while (nowMs() - beganAtMs < forMs) {
          await lane.write(1);
          await lane.touch();
          transactions += 2;
        }
      }),
    );
    return (transactions * 1_000) / (nowMs() - beganAtMs);
  },
  /** At a steady rate: each connection writes what has become due since its last transaction, at once. */
  async pace({ perSecond, forMs }: { perSecond: number; forMs: number }): Promise<Written> {
    const beganAtMs = nowMs();
    await Promise.all(
      lanes.map(async (lane) => {
        const perMs = perSecond / lanes.length / 1_000;
        for (let sent = 0; sent < Math.floor(perMs * forMs); ) {
          const due = Math.floor(Math.min(nowMs() - beganAtMs, forMs) * perMs) - sent;
          if (due > 0) await lane.write(due);
          else await pause(1);
          sent += Math.max(0, due);
        }
      }),
    );
    return written(beganAtMs);
  },
};
export type WriterCommands = typeof commands;

serve(commands);
