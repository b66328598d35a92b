import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";

/** Whose a mail is: an app's, to its users, or an organisation's, to its members. */
export type MailOwner = { readonly appId: string } | { readonly organizationId: string };

export interface MailRow {
  readonly id: string;
  /** Exactly one of the two owners is there. */
  readonly app_id: string | null;
  readonly organization_id: string | null;
  readonly recipient: string;
  readonly kind: string;
  readonly sealed: string;
  readonly attempts: number;
  readonly created_at: Date;
}

const COLUMNS = "id, app_id, organization_id, recipient, kind, sealed, attempts, created_at";

/** The two owner columns; null in the one that is not the owner's. */
const columnsOf = (owner: MailOwner): [app: string | null, organization: string | null] =>
  "appId" in owner ? [owner.appId, null] : [null, owner.organizationId];

/** Inserts one mail; with `sendAfter` null it is kept for reading. */
export async function insertMail(
  db: Queryable,
  owner: MailOwner,
  mail: Pick<MailRow, "recipient" | "kind" | "sealed" | "created_at">,
  sendAfter: Date | null,
): Promise<void> {
  await db.query(
    `insert into ambit.mails (app_id, organization_id, recipient, kind, sealed, created_at, send_after)
     values ($1,$2,$3,$4,$5,$6,$7)`,
    [...columnsOf(owner), mail.recipient, mail.kind, mail.sealed, mail.created_at, sendAfter],
  );
}

/** Drops kept mail beyond what its owner may keep, by number and by age. */
export async function pruneKept(db: Queryable, owner: MailOwner, now: Date): Promise<void> {
  const column = "appId" in owner ? "app_id" : "organization_id";
  await db.query(
    `delete from ambit.mails where ${column} = $1 and send_after is null and (created_at < $2 or id in
       (select id from ambit.mails where ${column} = $1 and send_after is null order by id desc offset $3))`,
    [idOf(owner), new Date(now.getTime() - limits.keptMs), limits.keptPerOwner],
  );
}

/** Newest first; to one recipient only when given. */
export function selectKept(
  db: Queryable,
  owner: MailOwner,
  recipient: string | null,
  limit: number,
): Promise<MailRow[]> {
  const column = "appId" in owner ? "app_id" : "organization_id";
  return db.query<MailRow>(
    `select ${COLUMNS} from ambit.mails
     where ${column} = $1 and send_after is null and ($2::text is null or lower(recipient) = $2) order by id desc limit $3`,
    [idOf(owner), recipient, limit],
  );
}

/** The owner's id, which is also what its mail is sealed to. */
export const idOf = (owner: MailOwner): string => ("appId" in owner ? owner.appId : owner.organizationId);

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
