import type { Queryable } from "../../engines/postgres/database.ts";
import type { ApprovalSettings } from "./types.ts";

interface SettingsRow {
  readonly four_eyes: boolean | null;
  readonly expires_after_ms: number | null;
  readonly notify_emails: string[] | null;
}

/** The organisation's settings; nothing set when it has never changed any. */
export async function selectSettings(db: Queryable, organizationId: string): Promise<ApprovalSettings> {
  const [row] = await db.query<SettingsRow>(
    `select four_eyes, expires_after_ms::float8 as expires_after_ms, notify_emails
     from ambit.approval_settings where organization_id = $1`,
    [organizationId],
  );
  return {
    fourEyes: row?.four_eyes ?? null,
    expiresAfterMs: row?.expires_after_ms ?? null,
    notifyEmails: row?.notify_emails ?? null,
  };
}

/** Changes the settings that are given; two changes at once both hold. */
export async function upsertSettings(
  db: Queryable,
  organizationId: string,
  change: Partial<ApprovalSettings>,
): Promise<void> {
  await db.query(
    `insert into ambit.approval_settings as s (organization_id, four_eyes, expires_after_ms, notify_emails)
     values ($1, $3, $5, $7) on conflict (organization_id) do update set
       four_eyes = case when $2 then excluded.four_eyes else s.four_eyes end,
       expires_after_ms = case when $4 then excluded.expires_after_ms else s.expires_after_ms end,
       notify_emails = case when $6 then excluded.notify_emails else s.notify_emails end`,
    [
      organizationId,
      change.fourEyes !== undefined,
      change.fourEyes ?? null,
      change.expiresAfterMs !== undefined,
      change.expiresAfterMs ?? null,
      change.notifyEmails !== undefined,
      change.notifyEmails ?? null,
    ],
  );
}
