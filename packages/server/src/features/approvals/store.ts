import type { Queryable } from "../../engines/postgres/database.ts";
import type { ApprovalRow, DecisionRow, ListedRow } from "./rows.ts";
import type { ApprovalDecision, ApprovalFilter, ApprovalKindName, ApprovalStatus } from "./types.ts";

const LISTED =
  "id, organization_id, kind, subject, title, reason, requester, approvers, status, created_at, expires_at, decided_at, failure";
const COLUMNS = `${LISTED}, request, result`;

/** Inserts an approval; false when one about the same subject waits already. */
export async function insertApproval(
  db: Queryable,
  row: Omit<ApprovalRow, "status" | "decided_at" | "result" | "failure"> & {
    readonly capability: string | null;
  },
): Promise<boolean> {
  const rows = await db.query(
    `insert into ambit.approvals (id, organization_id, kind, subject, title, reason, requester, request, capability,
       approvers, created_at, expires_at) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)
     on conflict (organization_id, kind, subject) where status = 'pending' do nothing returning id`,
    [
      row.id,
      row.organization_id,
      row.kind,
      row.subject,
      row.title,
      row.reason,
      JSON.stringify(row.requester),
      row.request,
      row.capability,
      row.approvers,
      row.created_at,
      row.expires_at,
    ],
  );
  return rows.length === 1;
}

/**
 * How many approvals wait in the organisation, and how many of them one requester asked for. Requests of the same
 * requester take turns from here to the end of their transactions, so that the second number stays true.
 */
export async function countWaiting(
  db: Queryable,
  organizationId: string,
  requesterId: string,
): Promise<{ organization: number; requester: number }> {
  await db.query("select pg_advisory_xact_lock(hashtextextended('approvals ' || $1 || ' ' || $2, 0))", [
    organizationId,
    requesterId,
  ]);
  const [row] = await db.query<{ organization: number; requester: number }>(
    `select count(*)::int as organization, count(*) filter (where requester ->> 'id' = $2)::int as requester
     from ambit.approvals where organization_id = $1 and status = 'pending'`,
    [organizationId, requesterId],
  );
  return row!;
}

export async function selectApproval(
  db: Queryable,
  organizationId: string,
  id: string,
): Promise<ApprovalRow | null> {
  const [row] = await db.query<ApprovalRow>(
    `select ${COLUMNS} from ambit.approvals where organization_id = $1 and id = $2`,
    [organizationId, id],
  );
  return row ?? null;
}

/** The approval, locked until the transaction ends. */
export async function lockApproval(
  db: Queryable,
  organizationId: string,
  id: string,
): Promise<ApprovalRow | null> {
  const [row] = await db.query<ApprovalRow>(
    `select ${COLUMNS} from ambit.approvals where organization_id = $1 and id = $2 for update`,
    [organizationId, id],
  );
  return row ?? null;
}

/** The id of the latest approval about a subject. */
export async function selectIdOfSubject(
  db: Queryable,
  organizationId: string,
  kind: ApprovalKindName,
  subject: string,
): Promise<string | null> {
  const [row] = await db.query<{ id: string }>(
    `select id from ambit.approvals where organization_id = $1 and kind = $2 and subject = $3
     order by (status = 'pending') desc, id desc limit 1`,
    [organizationId, kind, subject],
  );
  return row?.id ?? null;
}

/** Newest first. */
export function selectApprovals(
  db: Queryable,
  organizationId: string,
  kinds: readonly ApprovalKindName[],
  filter: ApprovalFilter,
): Promise<ListedRow[]> {
  return db.query<ListedRow>(
    `select ${LISTED} from ambit.approvals
     where organization_id = $1 and kind = any($2) and ($3::text is null or status = $3)
       and ($4::text is null or requester ->> 'id' = $4 or requester ->> 'accountId' = $4)
       and ($5::text is null or capability = $5) and ($6::text is null or id < $6)
     order by id desc limit $7`,
    [
      organizationId,
      kinds,
      filter.status ?? null,
      filter.requester ?? null,
      filter.capability ?? null,
      filter.before ?? null,
      filter.limit,
    ],
  );
}

/** The decisions on some approvals, first ones first. */
export function selectDecisions(db: Queryable, ids: readonly string[]): Promise<DecisionRow[]> {
  return db.query<DecisionRow>(
    `select approval_id, account_id, key_id, decision, reason, at from ambit.approval_decisions
     where approval_id = any($1) order by at, account_id`,
    [ids],
  );
}

export async function insertDecision(db: Queryable, id: string, by: ApprovalDecision): Promise<void> {
  await db.query(
    `insert into ambit.approval_decisions (approval_id, account_id, key_id, decision, reason, at)
     values ($1,$2,$3,$4,$5,$6)`,
    [id, by.accountId, by.keyId, by.decision, by.reason, by.at],
  );
}

export async function updateStatus(
  db: Queryable,
  id: string,
  status: Exclude<ApprovalStatus, "pending">,
  at: Date,
): Promise<void> {
  await db.query("update ambit.approvals set status = $2, decided_at = $3 where id = $1", [id, status, at]);
}

/** What became of executing: a sealed result, or why it failed. */
export async function updateOutcome(
  db: Queryable,
  id: string,
  result: string | null,
  failure: { readonly code: string; readonly message: string } | null,
): Promise<void> {
  await db.query("update ambit.approvals set result = $2, failure = $3 where id = $1", [
    id,
    result,
    failure === null ? null : JSON.stringify(failure),
  ]);
}

/** The ids of every approval about these subjects, locked until the transaction ends. */
export async function lockAbout(
  db: Queryable,
  organizationId: string,
  kind: ApprovalKindName,
  subjects: readonly string[],
): Promise<{ id: string; subject: string; status: ApprovalStatus }[]> {
  return db.query(
    `select id, subject, status from ambit.approvals
     where organization_id = $1 and kind = $2 and subject = any($3::text[]) order by id for update`,
    [organizationId, kind, subjects],
  );
}

/** Replaces what was asked for and takes out everything somebody wrote about it. */
export async function eraseApproval(db: Queryable, id: string, request: string): Promise<void> {
  await db.query(
    `update ambit.approvals set request = $2, result = null, reason = 'Erased.',
       failure = case when failure is null then null else jsonb_set(failure, '{message}', '"Erased."') end
     where id = $1`,
    [id, request],
  );
  await db.query("update ambit.approval_decisions set reason = null where approval_id = $1", [id]);
}

/** One approval whose time is over, locked, of the kinds given and none of those to skip. */
export async function lockDue(
  db: Queryable,
  now: Date,
  kinds: readonly ApprovalKindName[],
  skip: readonly string[],
): Promise<ApprovalRow | null> {
  const [row] = await db.query<ApprovalRow>(
    `select ${COLUMNS} from ambit.approvals
     where status = 'pending' and expires_at <= $1 and kind = any($2) and id <> all($3)
     order by expires_at limit 1 for update skip locked`,
    [now, kinds, skip],
  );
  return row ?? null;
}
