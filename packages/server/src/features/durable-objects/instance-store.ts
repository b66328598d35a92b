import type { Queryable } from "../../engines/postgres/database.ts";

export interface InstanceRow {
  readonly class_id: string;
  /** 64 hexadecimal digits. */
  readonly instance_id: string;
  readonly name: string;
  readonly first_active_at: Date;
  readonly last_active_at: Date;
}

/** That an instance was reached by its name. */
export interface Sighting {
  readonly classId: string;
  readonly instanceId: string;
  readonly name: string;
  readonly atMs: number;
}

/** Writes when instances were last active; what is told of classes that are gone is dropped. */
export async function upsertInstances(db: Queryable, sightings: readonly Sighting[]): Promise<void> {
  await db.query(
    `insert into ambit.durable_object_instances (class_id, instance_id, name, first_active_at, last_active_at)
     select c.id, s.instance_id, s.name, s.at, s.at
     from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as s (class_id, instance_id, name, at)
     join ambit.durable_objects c on c.id = s.class_id for key share of c
     on conflict (class_id, instance_id) do update
     set name = excluded.name,
         last_active_at = greatest(durable_object_instances.last_active_at, excluded.last_active_at)`,
    [
      sightings.map((each) => each.classId),
      sightings.map((each) => each.instanceId),
      sightings.map((each) => each.name),
      sightings.map((each) => new Date(each.atMs)),
    ],
  );
}

/** The class's instances that were reached by name, latest active first. */
export function selectInstances(db: Queryable, classId: string, most: number): Promise<InstanceRow[]> {
  return db.query<InstanceRow>(
    `select * from ambit.durable_object_instances where class_id = $1
     order by last_active_at desc, instance_id limit $2`,
    [classId, most],
  );
}

export async function selectInstance(
  db: Queryable,
  classId: string,
  instanceId: string,
): Promise<InstanceRow | null> {
  const [row] = await db.query<InstanceRow>(
    "select * from ambit.durable_object_instances where class_id = $1 and instance_id = $2",
    [classId, instanceId],
  );
  return row ?? null;
}

export async function deleteInstance(db: Queryable, classId: string, instanceId: string): Promise<void> {
  await db.query("delete from ambit.durable_object_instances where class_id = $1 and instance_id = $2", [
    classId,
    instanceId,
  ]);
}

/** Forgets, of every class, the names of all but the `keep` latest active instances. */
export async function trimInstances(db: Queryable, keep: number): Promise<void> {
  await db.query(
    `delete from ambit.durable_object_instances i
     using (select class_id from ambit.durable_object_instances group by class_id having count(*) > $1) big
     where i.class_id = big.class_id and i.last_active_at < (
       select last_active_at from ambit.durable_object_instances
       where class_id = i.class_id order by last_active_at desc offset $1 - 1 limit 1)`,
    [keep],
  );
}

export interface TicketRow {
  readonly app_id: string;
  /** A sealed access token. */
  readonly credential: string;
  readonly class_name: string | null;
  readonly instance: string | null;
  readonly expires_at: Date;
}

export async function insertTicket(db: Queryable, hash: string, row: TicketRow): Promise<void> {
  await db.query(
    `insert into ambit.durable_object_tickets (hash, app_id, credential, class_name, instance, expires_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [hash, row.app_id, row.credential, row.class_name, row.instance, row.expires_at],
  );
}

/** The ticket, which is gone afterwards: of several callers one gets it. */
export async function takeTicket(db: Queryable, hash: string): Promise<TicketRow | null> {
  const [row] = await db.query<TicketRow>(
    `delete from ambit.durable_object_tickets where hash = $1
     returning app_id, credential, class_name, instance, expires_at`,
    [hash],
  );
  return row ?? null;
}

export async function deleteExpiredTickets(db: Queryable, now: Date): Promise<void> {
  await db.query("delete from ambit.durable_object_tickets where expires_at < $1", [now]);
}
