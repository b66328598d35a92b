/** Logical replication slots: the server's memory of how far a reader has come. */
import { type ClientBase, DatabaseError, escapeLiteral } from "pg";
import { errors } from "./errors.ts";
import { parseLsn } from "./lsn.ts";

/** What the server says of a slot. Positions and sizes are null where it has none to give. */
export interface SlotStatus {
  name: string;
  plugin: string | null;
  database: string | null;
  temporary: boolean;
  /** `reserved`, `extended`, `unreserved` (about to be lost) or `lost`. */
  walStatus: string | null;
  /** Bytes that may still be written before the slot is in danger; null without max_slot_wal_keep_size. */
  safeWalBytes: bigint | null;
  restartLsn: bigint | null;
  confirmedFlushLsn: bigint | null;
  activePid: number | null;
  /** True once the slot can never be read again: drop it and make it anew. */
  lost: boolean;
  /** Why the server gave it up (version 17 and newer), e.g. `wal_removed`. */
  invalidationReason: string | null;
}

/**
 * Makes a slot for the output plugin `pgoutput` and returns the position from which it sees every commit. Make the
 * publications first: servers before version 18 refuse to read changes from before their publication existed.
 * A temporary slot belongs to `client`'s session and goes with it. Throws Postgres' own error (42710 if the name
 * is taken, 55000 without `wal_level=logical`, 53400 without a free slot).
 */
export async function createSlot(
  client: ClientBase,
  name: string,
  options: { temporary?: boolean } = {},
): Promise<bigint> {
  const { rows } = await client.query<{ lsn: string }>(
    "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput', $2)",
    [name, options.temporary ?? false],
  );
  return parseLsn(rows[0]!.lsn);
}

/**
 * Makes `name` as a temporary copy of the slot `source` and returns the position from which it sees every commit. It
 * belongs to `client`'s session, goes with it, and no longer depends on `source`. Works on replication connections.
 * Throws Postgres' own error (42704 without such a source, 55000 if the source is lost, 42710, 53400).
 */
export async function copySlot(client: ClientBase, source: string, name: string): Promise<bigint> {
  const { rows } = await client.query<{ lsn: string }>(
    `SELECT lsn::text FROM pg_copy_logical_replication_slot(${escapeLiteral(source)}, ${escapeLiteral(name)}, true)`,
  );
  return parseLsn(rows[0]!.lsn);
}

/** Drops a slot; false if there was none. Throws REPLICATION_SLOT_ACTIVE while a connection reads from it. */
export async function dropSlot(client: ClientBase, name: string): Promise<boolean> {
  try {
    const { rowCount } = await client.query(
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
      [name],
    );
    return rowCount === 1;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === "55006") {
      throw errors.REPLICATION_SLOT_ACTIVE({ cause: error });
    }
    throw error;
  }
}

interface SlotRow {
  plugin: string | null;
  database: string | null;
  temporary: boolean;
  wal_status: string | null;
  safe_wal_size: string | null;
  restart_lsn: string | null;
  confirmed_flush_lsn: string | null;
  active_pid: number | null;
  invalidation_reason: string | null;
}

/** Reads a slot's state; null if it does not exist. Works on replication connections, which take no parameters. */
export async function slotStatus(client: ClientBase, name: string): Promise<SlotStatus | null> {
  const { rows } = await client.query<SlotRow>(
    `SELECT plugin, database, temporary, wal_status, safe_wal_size::text, restart_lsn::text,
            confirmed_flush_lsn::text, active_pid, to_jsonb(s)->>'invalidation_reason' AS invalidation_reason
       FROM pg_catalog.pg_replication_slots s WHERE slot_name = ${escapeLiteral(name)}`,
  );
  const row = rows[0];
  if (!row) return null;
  return {
    name,
    plugin: row.plugin,
    database: row.database,
    temporary: row.temporary,
    walStatus: row.wal_status,
    safeWalBytes: row.safe_wal_size === null ? null : BigInt(row.safe_wal_size),
    restartLsn: row.restart_lsn === null ? null : parseLsn(row.restart_lsn),
    confirmedFlushLsn: row.confirmed_flush_lsn === null ? null : parseLsn(row.confirmed_flush_lsn),
    activePid: row.active_pid,
    lost: row.wal_status === "lost" || row.invalidation_reason !== null,
    invalidationReason: row.invalidation_reason,
  };
}

/** Those of `names` that are not publications of this database. Works on replication connections. */
export async function missingPublications(client: ClientBase, names: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ pubname: string }>("SELECT pubname FROM pg_catalog.pg_publication");
  const found = new Set(rows.map(({ pubname }) => pubname));
  return names.filter((name) => !found.has(name));
}
