import type { Queryable } from "../../engines/postgres/database.ts";

/** What every slot of a running server is called, up to the node's id. */
export const SLOT_PREFIX = "ambit_node_";

/** Says that this node lives, before it makes its slot and while it uses it. */
export async function recordHeartbeat(db: Queryable, id: string, slot: string): Promise<void> {
  await db.query(
    `insert into ambit.realtime_nodes (id, slot, heartbeat_at) values ($1, $2, now())
     on conflict (id) do update set heartbeat_at = now()`,
    [id, slot],
  );
}

export async function deleteNode(db: Queryable, id: string): Promise<void> {
  await db.query("delete from ambit.realtime_nodes where id = $1", [id]);
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

/**
 * Slots of this database whose node has said nothing for `deadMs`. A node can't speak while Postgres is down, so
 * that time does not count.
 */
export async function selectDeadSlots(db: Queryable, deadMs: number): Promise<string[]> {
  const rows = await db.query<{ slot_name: string }>(
    `select s.slot_name from pg_replication_slots s
     left join ambit.realtime_nodes n on n.slot = s.slot_name
     where s.database = current_database() and not s.active and starts_with(s.slot_name, $1)
       and (n.id is null or greatest(n.heartbeat_at, pg_postmaster_start_time()) < now() - make_interval(secs => $2))`,
    [SLOT_PREFIX, deadMs / 1000],
  );
  return rows.map((row) => row.slot_name);
}

/** Forgets nodes that are dead and have no slot left. */
export async function deleteDeadNodes(db: Queryable, deadMs: number): Promise<void> {
  await db.query(
    `delete from ambit.realtime_nodes n where heartbeat_at < now() - make_interval(secs => $1)
       and not exists (select from pg_replication_slots s where s.slot_name = n.slot)`,
    [deadMs / 1000],
  );
}
