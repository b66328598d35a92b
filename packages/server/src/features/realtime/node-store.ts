import type { Queryable } from "../../engines/postgres/database.ts";

/** First key of the advisory lock a node's session holds; the second is the node's id. Any constant will do. */
const NODE_LOCK = 871_040_316;

/** What slots of nodes were called when each had a permanent one. */
const FORMER_SLOTS = "ambit_node_";

/** A node's id is a number of 32 bits, as eight hexadecimal digits; a lock's key is signed. */
const keyOf = (nodeId: string): number => Number.parseInt(nodeId, 16) | 0;

/** Makes the node known for as long as the session lives. Shared: a session that takes over need not wait. */
export async function announceNode(db: Queryable, nodeId: string): Promise<void> {
  await db.query("select pg_advisory_lock_shared($1, $2)", [NODE_LOCK, keyOf(nodeId)]);
}

/** Ids of the nodes whose sessions live, this one's among them. Locks of other logins don't count. */
export async function selectNodes(db: Queryable): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>(
    `select distinct lpad(to_hex(l.objid::bigint), 8, '0') as id
     from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = $1 and l.objsubid = 2 and l.granted
       and a.datname = current_database() and a.usename = current_user
       and l.database = (select oid from pg_database where datname = current_database())`,
    [NODE_LOCK],
  );
  return new Set(rows.map((row) => row.id));
}

/** Drops what servers with a slot per node have left behind in this database; those in use stay. */
export async function dropFormerSlots(db: Queryable): Promise<void> {
  const rows = await db.query<{ slot_name: string }>(
    `select slot_name from pg_replication_slots
     where database = current_database() and not active and not temporary and starts_with(slot_name, $1)`,
    [FORMER_SLOTS],
  );
  for (const { slot_name } of rows) await dropSlot(db, slot_name);
}

/** Drops a slot that nobody reads from; true if it is gone now. */
export async function dropSlot(db: Queryable, slot: string): Promise<boolean> {
  try {
    await db.query(
      "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
      [slot],
    );
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "55006") return false;
    if (code === "42704") return true;
    throw error;
  }
}
