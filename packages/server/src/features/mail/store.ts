import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";

export interface MailRow {
  readonly id: string;
  readonly app_id: string;
  readonly recipient: string;
  readonly kind: string;
  readonly sealed: string;
  readonly attempts: number;
  readonly created_at: Date;
}

const COLUMNS = "id, app_id, recipient, kind, sealed, attempts, created_at";

export async function insertMail(
  db: Queryable,
  mail: Pick<MailRow, "app_id" | "recipient" | "kind" | "sealed" | "created_at">,
  sendAfter: Date | null,
): Promise<void> {
  await db.query(
    `insert into ambit.mails (app_id, recipient, kind, sealed, created_at, send_after) values ($1,$2,$3,$4,$5,$6)`,
    [mail.app_id, mail.recipient, mail.kind, mail.sealed, mail.created_at, sendAfter],
  );
}

/** Drops kept mail beyond what an app may keep, by number and by age. */
export async function pruneKept(db: Queryable, appId: string, now: Date): Promise<void> {
  await db.query(
    `delete from ambit.mails where app_id = $1 and send_after is null and (created_at < $2 or id in
       (select id from ambit.mails where app_id = $1 and send_after is null order by id desc offset $3))`,
    [appId, new Date(now.getTime() - limits.keptMs), limits.keptPerApp],
  );
}

/** Newest first; to one recipient only when given. */
export function selectKept(
  db: Queryable,
  appId: string,
  recipient: string | null,
  limit: number,
): Promise<MailRow[]> {
  return db.query<MailRow>(
    `select ${COLUMNS} from ambit.mails
     where app_id = $1 and send_after is null and ($2::text is null or recipient = $2) order by id desc limit $3`,
    [appId, recipient, limit],
  );
}

/** Takes one mail that is due; it is not due again, here or on another node, until the pause after this try is over. */
export async function claimDue(db: Queryable, now: Date): Promise<MailRow | null> {
  const [row] = await db.query<MailRow>(
    `update ambit.mails set attempts = attempts + 1,
       send_after = $1::timestamptz + interval '1 millisecond' * $2::float8 * 2 ^ attempts
     where id = (select id from ambit.mails where send_after <= $1 order by send_after limit 1 for update skip locked)
     returning ${COLUMNS}`,
    [now, limits.firstRetryMs],
  );
  return row ?? null;
}

export async function deleteMail(db: Queryable, id: string): Promise<void> {
  await db.query("delete from ambit.mails where id = $1", [id]);
}
