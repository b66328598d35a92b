import type { Queryable } from "./database.ts";
import { quoteIdent, quoteLiteral } from "./quote.ts";

/**
 * An app inside the shared database: one schema, one login role, and the four roles only that login may become.
 *
 * With a login role shared between apps, an expression that calls `set_config('role', …)` reaches other apps; with
 * one login role each, Postgres itself refuses ("permission denied to set role").
 */

/** What a caller of an app runs as. `owner` changes the schema; the other three are the data plane. */
export type TenantRole = "owner" | "anon" | "user" | "service";

/** Database-wide roles that policies name; the app's roles are members of them and they own nothing. */
export const POLICY_ROLES = {
  anon: "butterbase_anon",
  user: "butterbase_user",
  service: "butterbase_service",
} as const;

/** Where helpers that policies may call live, such as `current_user_id()`. */
export const HELPER_SCHEMA = "ambit_helpers";

/** The app's database role for a kind of caller. */
export const tenantRole = (appId: string, role: TenantRole): string => `${appId}_${role}`;

/** The time one statement of the data plane may take. */
const STATEMENT_TIMEOUT = "15s";

/** Creates the schema and roles of an app. Idempotent, so that an interrupted creation can be repeated. */
export async function createTenant(db: Queryable, appId: string, password: string): Promise<void> {
  const owner = quoteIdent(tenantRole(appId, "owner"));
  const callers = (["anon", "user", "service"] as const).map((role) => quoteIdent(tenantRole(appId, role)));
  const schema = quoteIdent(appId);
  const create = (role: string, options: string) =>
    `if not exists (select from pg_roles where rolname = ${quoteLiteral(role)}) then create role ${quoteIdent(role)} ${options}; end if;`;
  await db.query(`do $ambit$ begin
    ${create(appId, `login noinherit nosuperuser nocreatedb nocreaterole password ${quoteLiteral(password)} connection limit 100`)}
    ${(["owner", "anon", "user", "service"] as const).map((role) => create(tenantRole(appId, role), "nologin")).join("\n")}
  end $ambit$`);
  await db.query(`
    grant ${owner} to current_user;
    grant ${owner}, ${callers.join(", ")} to ${schema} with inherit false, set true;
    grant ${quoteIdent(POLICY_ROLES.anon)} to ${callers[0]} with inherit true, set false;
    grant ${quoteIdent(POLICY_ROLES.user)} to ${callers[1]} with inherit true, set false;
    grant ${quoteIdent(POLICY_ROLES.service)} to ${callers[2]} with inherit true, set false;
    alter role ${schema} set statement_timeout = '${STATEMENT_TIMEOUT}';
    alter role ${schema} set idle_in_transaction_session_timeout = '${STATEMENT_TIMEOUT}';
    alter role ${schema} set search_path = ${schema}, ${HELPER_SCHEMA}, extensions;
    alter role ${schema} set timezone = 'UTC';
    alter role ${schema} set standard_conforming_strings = on;
    create schema if not exists ${schema} authorization ${owner};
    grant usage on schema ${schema} to ${callers.join(", ")};
    grant usage on schema ${HELPER_SCHEMA}, extensions to ${owner}, ${callers.join(", ")};
    alter default privileges for role ${owner} in schema ${schema}
      grant select, insert, update, delete on tables to ${callers.join(", ")};
    alter default privileges for role ${owner} in schema ${schema}
      grant usage, select on sequences to ${callers.join(", ")};
    do $ambit$ begin execute format('grant connect on database %I to %I', current_database(), ${quoteLiteral(appId)}); end $ambit$;
  `);
}

/** Destroys an app's schema, data and roles. Its connections must be closed first. Idempotent. */
export async function dropTenant(db: Queryable, appId: string): Promise<void> {
  const roles = [
    appId,
    ...(["owner", "anon", "user", "service"] as const).map((role) => tenantRole(appId, role)),
  ];
  for (const role of roles) {
    // Without superuser rights only a member of a role may end its sessions and drop what it owns.
    await db.query(`do $ambit$ begin
      if exists (select from pg_roles where rolname = ${quoteLiteral(role)}) then
        grant ${quoteIdent(role)} to current_user;
      end if;
    end $ambit$`);
  }
  await db.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = ${quoteLiteral(appId)}`,
  );
  await db.query(`drop schema if exists ${quoteIdent(appId)} cascade`);
  for (const role of roles) {
    await db.query(`do $ambit$ begin
      if exists (select from pg_roles where rolname = ${quoteLiteral(role)}) then
        drop owned by ${quoteIdent(role)} cascade;
        drop role ${quoteIdent(role)};
      end if;
    end $ambit$`);
  }
}
