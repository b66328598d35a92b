import type { Queryable } from "../../engines/postgres/database.ts";
import type { Role } from "../../kernel/principal.ts";

export interface OrganizationRow {
  readonly id: string;
  readonly name: string;
  readonly created_at: Date;
}

export interface MemberRow {
  readonly account_id: string;
  readonly email: string;
  readonly display_name: string | null;
  readonly role: Role;
  readonly created_at: Date;
}

export async function insertOrganization(db: Queryable, id: string, name: string): Promise<OrganizationRow> {
  const [row] = await db.query<OrganizationRow>(
    "insert into ambit.organizations (id, name) values ($1, $2) returning id, name, created_at",
    [id, name],
  );
  return row!;
}

export async function countOrganizations(db: Queryable): Promise<number> {
  const [row] = await db.query<{ n: number }>("select count(*)::int as n from ambit.organizations");
  return row!.n;
}

export async function selectOrganization(db: Queryable, id: string): Promise<OrganizationRow | null> {
  const [row] = await db.query<OrganizationRow>(
    "select id, name, created_at from ambit.organizations where id = $1",
    [id],
  );
  return row ?? null;
}

/** One organisation with an account's role in it; none when it is no member. */
export function selectMembership(
  db: Queryable,
  accountId: string,
  organizationId: string,
): Promise<(OrganizationRow & { role: Role })[]> {
  return db.query(
    `select o.id, o.name, o.created_at, m.role from ambit.organizations o
     join ambit.members m on m.organization_id = o.id where m.account_id = $1 and o.id = $2`,
    [accountId, organizationId],
  );
}

export async function updateOrganization(
  db: Queryable,
  id: string,
  name: string,
): Promise<OrganizationRow | null> {
  const [row] = await db.query<OrganizationRow>(
    "update ambit.organizations set name = $2 where id = $1 returning id, name, created_at",
    [id, name],
  );
  return row ?? null;
}

/** The account with this address, made when there is none. */
export async function upsertAccount(
  db: Queryable,
  id: string,
  email: string,
  displayName: string | null,
): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into ambit.accounts (id, email, display_name) values ($1, $2, $3)
     on conflict (lower(email)) do update set display_name = coalesce(ambit.accounts.display_name, excluded.display_name)
     returning id`,
    [id, email, displayName],
  );
  return row!.id;
}

/** Adds the member; false when the account is one already. */
export async function insertMember(
  db: Queryable,
  organizationId: string,
  accountId: string,
  role: Role,
): Promise<boolean> {
  const rows = await db.query(
    `insert into ambit.members (organization_id, account_id, role) values ($1, $2, $3)
     on conflict do nothing returning account_id`,
    [organizationId, accountId, role],
  );
  return rows.length === 1;
}

export function selectMembers(db: Queryable, organizationId: string): Promise<MemberRow[]> {
  return db.query<MemberRow>(
    `select m.account_id, a.email, a.display_name, m.role, m.created_at from ambit.members m
     join ambit.accounts a on a.id = m.account_id where m.organization_id = $1 order by m.created_at, m.account_id`,
    [organizationId],
  );
}

/** Those of the organisation's members who have one of the roles. */
export function selectMembersIn(
  db: Queryable,
  organizationId: string,
  roles: readonly Role[],
): Promise<MemberRow[]> {
  return db.query<MemberRow>(
    `select m.account_id, a.email, a.display_name, m.role, m.created_at from ambit.members m
     join ambit.accounts a on a.id = m.account_id
     where m.organization_id = $1 and m.role = any($2) order by m.created_at, m.account_id`,
    [organizationId, roles],
  );
}

export function selectAddresses(
  db: Queryable,
  accountIds: readonly string[],
): Promise<{ id: string; email: string }[]> {
  return db.query("select id, email from ambit.accounts where id = any($1)", [accountIds]);
}

/** The organisation's members, locked against each other's changes until the transaction ends. */
export async function lockMembers(db: Queryable, organizationId: string): Promise<Map<string, Role>> {
  const rows = await db.query<{ account_id: string; role: Role }>(
    "select account_id, role from ambit.members where organization_id = $1 for update",
    [organizationId],
  );
  return new Map(rows.map((row) => [row.account_id, row.role]));
}

export async function updateMemberRole(
  db: Queryable,
  organizationId: string,
  accountId: string,
  role: Role,
): Promise<void> {
  await db.query("update ambit.members set role = $3 where organization_id = $1 and account_id = $2", [
    organizationId,
    accountId,
    role,
  ]);
}

export async function deleteMember(db: Queryable, organizationId: string, accountId: string): Promise<void> {
  await db.query("delete from ambit.members where organization_id = $1 and account_id = $2", [
    organizationId,
    accountId,
  ]);
}
