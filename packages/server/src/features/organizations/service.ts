import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { type Right, rolesWith } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { KeyPrincipal, Role } from "../../kernel/principal.ts";
import type { KeysService } from "../keys/service.ts";
import { organizationErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { decideMemberChange } from "./membership.ts";
import * as store from "./store.ts";

/** A member just added: the key is shown here and never again. */
export interface NewMember {
  readonly account_id: string;
  readonly email: string;
  readonly role: Role;
  readonly key: string;
  readonly key_id: string;
}

/** A key just made, in clear. */
interface NewKey {
  readonly id: string;
  readonly key: string;
}

export interface OrganizationsService {
  /** Makes an organisation with the caller's account as its owner, and a person's key for it. */
  create(name: string, owner: KeyPrincipal): Promise<store.OrganizationRow & { key: NewKey }>;
  /** The organisation of a key, with its member's role. */
  list(key: {
    accountId: string;
    organizationId: string;
  }): Promise<(store.OrganizationRow & { role: Role })[]>;
  get(id: string): Promise<store.OrganizationRow>;
  rename(id: string, name: string): Promise<store.OrganizationRow>;
  members(id: string): Promise<store.MemberRow[]>;
  /** The members whose role includes the right, as `db` sees them: a transaction, or the database. */
  membersWith(db: Queryable, id: string, right: Right): Promise<store.MemberRow[]>;
  /** The addresses of accounts, for people to read; members of long ago too, unknown accounts are left out. */
  addresses(db: Queryable, accountIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  addMember(
    id: string,
    actorRole: Role,
    member: { email: string; name?: string | undefined; role: Role },
  ): Promise<NewMember>;
  changeRole(id: string, actorRole: Role, accountId: string, role: Role): Promise<void>;
  removeMember(id: string, actorRole: Role, accountId: string): Promise<void>;
}

export function createOrganizationsService({ database }: Platform, keys: KeysService): OrganizationsService {
  const found = <T>(row: T | null): T => {
    if (row === null) throw errors.RESOURCE_NOT_FOUND({ message: "There is no such organisation." });
    return row;
  };
  const change = async (id: string, actorRole: Role, accountId: string, role: Role | null) => {
    await database.transaction(async (tx) => {
      const members = await store.lockMembers(tx, id);
      const refusal = decideMemberChange({ members, actorRole, accountId, role });
      if (refusal !== null) throw refusal;
      if (role === null) await store.deleteMember(tx, id, accountId);
      else await store.updateMemberRole(tx, id, accountId, role);
    });
    keys.forget();
  };
  return {
    create: (name, owner) =>
      database.transaction(async (tx) => {
        const organization = await store.insertOrganization(tx, newUuid(), name);
        await store.insertMember(tx, organization.id, owner.accountId, "owner");
        const key = await keys.mint(tx, {
          organizationId: organization.id,
          accountId: owner.accountId,
          kind: "person",
          name: "first person key",
          scope: "both",
          scopes: ["*"],
          expiresAtMs: owner.expiresAtMs,
        });
        return { ...organization, key };
      }),
    list: ({ accountId, organizationId }) => store.selectMembership(database, accountId, organizationId),
    get: async (id) => found(await store.selectOrganization(database, id)),
    rename: async (id, name) => found(await store.updateOrganization(database, id, name)),
    members: (id) => store.selectMembers(database, id),
    membersWith: (db, id, right) => store.selectMembersIn(db, id, rolesWith(right)),
    async addresses(db, accountIds) {
      if (accountIds.length === 0) return new Map();
      const rows = await store.selectAddresses(db, [...new Set(accountIds)]);
      return new Map(rows.map(({ id, email }) => [id, email]));
    },
    addMember: (id, actorRole, member) =>
      database.transaction((tx) => addMember(tx, keys, id, actorRole, member)),
    changeRole: (id, actorRole, accountId, role) => change(id, actorRole, accountId, role),
    removeMember: (id, actorRole, accountId) => change(id, actorRole, accountId, null),
  };
}

async function addMember(
  tx: Queryable,
  keys: KeysService,
  organizationId: string,
  actorRole: Role,
  member: { email: string; name?: string | undefined; role: Role },
): Promise<NewMember> {
  if (member.role === "owner" && actorRole !== "owner") {
    throw errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: "Only an owner may make owners." });
  }
  const members = await store.lockMembers(tx, organizationId);
  if (members.size >= limits.members) {
    throw errors.QUOTA_RATE_LIMIT({
      message: `An organisation has at most ${limits.members} members.`,
      remediation: "Remove a member first.",
    });
  }
  const accountId = await store.upsertAccount(tx, newUuid(), member.email, member.name ?? null);
  if (!(await store.insertMember(tx, organizationId, accountId, member.role))) {
    throw organizationErrors.MEMBER_ALREADY_EXISTS();
  }
  const minted = await keys.mint(tx, {
    organizationId,
    accountId,
    kind: "person",
    name: `${member.email} first key`,
    scope: "both",
    scopes: ["*"],
    expiresAtMs: null,
  });
  return {
    account_id: accountId,
    email: member.email,
    role: member.role,
    key: minted.key,
    key_id: minted.id,
  };
}

/**
 * Makes the first organisation with its owner, once per database; null when there is one already. `work` runs in the
 * same transaction; two nodes starting at once take turns.
 */
export function initialise<T>(
  { database }: Platform,
  work: (tx: Queryable, organizationId: string, accountId: string) => Promise<T>,
  ownerEmail: string,
): Promise<T | null> {
  return database.transaction(async (tx) => {
    await tx.query("lock table ambit.organizations in share row exclusive mode");
    if ((await store.countOrganizations(tx)) > 0) return null;
    const organizationId = newUuid();
    await store.insertOrganization(tx, organizationId, "Ambit");
    const accountId = await store.upsertAccount(tx, newUuid(), ownerEmail, "Owner");
    await store.insertMember(tx, organizationId, accountId, "owner");
    return work(tx, organizationId, accountId);
  });
}
