import { appendLeaves, Frontier, leafHash } from "@ambit/ledger";
import type pg from "pg";

/** One entry with everything the database has about it. */
export interface Kept {
  readonly id: string;
  readonly organization_id: string | null;
  readonly app_id: string | null;
  readonly kind: string;
  readonly subject: string | null;
  readonly at: string;
  readonly entry: string;
  readonly openings: Record<string, string> | null;
  readonly bytes: number | null;
}

/** A checkpoint's note, and the number of entries it covers. */
export interface SizedNote {
  readonly size: number;
  readonly note: string;
}

const TABLES = ["ledger_entries", "ledger_leaves", "ledger_tiles", "ledger_checkpoints", "ledger_openings"];

/**
 * Whoever has the superuser's login and takes trouble: rewrites entries, places, hashes and tiles so that the database
 * is of one piece again. Only the key that signs is not in the database.
 */
export class Forger {
  readonly #client: pg.Client;

  constructor(superuser: pg.Client) {
    this.#client = superuser;
  }

  /** Runs statements as one transaction. */
  run(sql: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    return values === undefined ? this.#client.query(sql) : this.#client.query(sql, [...values]);
  }

  /** Keeps a copy of the ledger as it is. */
  async remember(): Promise<void> {
    const copies = TABLES.map((name) => `create table honest.${name} as table ambit.${name}`);
    await this.run(`drop schema if exists honest cascade; create schema honest; ${copies.join("; ")};
      create table honest.ledger_head as table ambit.ledger_head`);
  }

  /** Makes the ledger what `remember` saw. */
  async restore(): Promise<void> {
    const back = TABLES.map((name) => `insert into ambit.${name} ${OVERRIDING} select * from honest.${name}`);
    await this.run(`${EMPTY}; ${back.join("; ")}; ${head("honest.ledger_head")}`);
  }

  /** All entries in the order of the tree. */
  async history(): Promise<Kept[]> {
    const { rows } =
      await this.run(`select e.id, e.organization_id, e.app_id, e.kind, e.subject, e.at::text, e.entry,
        o.openings, o.bytes
      from ambit.ledger_leaves l join ambit.ledger_entries e using (seq) left join ambit.ledger_openings o using (seq)
      order by l.index`);
    return rows;
  }

  /** Checkpoints as they are stored, the smallest first. */
  async checkpoints(): Promise<SizedNote[]> {
    const { rows } = await this.run("select size::int, note from ambit.ledger_checkpoints order by size");
    return rows;
  }

  /** Makes the ledger another one: these entries, in this order, and of the checkpoints these. */
  async plant(history: readonly Kept[], checkpoints: readonly SizedNote[]) {
    const hashes = history.map(({ entry }) => leafHash(entry));
    const tiles = appendLeaves(new Frontier(), hashes);
    const client = this.#client;
    await client.query(`begin; ${EMPTY}`);
    await client.query(
      `with given as (select * from jsonb_to_recordset($1::jsonb) as g (seq bigint, id text, organization_id uuid,
           app_id text, kind text, subject text, at timestamptz, entry text, openings jsonb, bytes int)),
         written as (insert into ambit.ledger_entries (seq, id, organization_id, app_id, kind, subject, at, entry)
           overriding system value select seq, id, organization_id, app_id, kind, subject, at, entry from given)
       insert into ambit.ledger_openings select seq, organization_id, openings, bytes from given where openings is not null`,
      [JSON.stringify(history.map((row, index) => ({ ...row, seq: index + 1 })))],
    );
    await client.query(
      "insert into ambit.ledger_leaves select n - 1, n, hash from unnest($1::bytea[]) with ordinality as l (hash, n)",
      [hashes],
    );
    for (const { level, index, hash } of tiles)
      await client.query("insert into ambit.ledger_tiles values ($1, $2, $3)", [level, index, hash]);
    for (const { size, note } of checkpoints)
      await client.query("insert into ambit.ledger_checkpoints values ($1, $2, now())", [size, note]);
    await client.query(
      `${head(`(select ${history.length} as tree_size, ${history.length} as high_seq)`)}; commit`,
    );
  }
}

/** The same entry with somebody else to blame. */
export function blame(row: Kept): Kept {
  const entry = row.entry.replace('"type":"person"', '"type":"agent"');
  if (entry === row.entry) throw new Error("nobody is to blame");
  return { ...row, entry };
}

const OVERRIDING = "overriding system value";
const EMPTY = `truncate ${TABLES.map((name) => `ambit.${name}`).join(", ")}`;
/** Who places entries, and until when, stays as it is. */
const head = (source: string) =>
  `update ambit.ledger_head set tree_size = h.tree_size, high_seq = h.high_seq, gap_from = '{}', gap_to = '{}', gap_until = '{}'
   from ${source} as h`;
