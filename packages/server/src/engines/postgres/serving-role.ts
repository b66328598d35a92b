import pg from "pg";
import type { Target } from "./database.ts";
import { quoteIdent, quoteLiteral } from "./quote.ts";
import { POLICY_ROLES } from "./tenant.ts";

/**
 * The login that serves requests on the built-in server: no superuser, so that what is closed to it (the append-only
 * tables above all) stays closed whatever a statement says.
 */
export const SERVING_ROLE = "ambit_server";

/** Serialises nodes that prepare one server at once. Any constant will do. */
const PREPARE_LOCK = 4_207_310_502;

/**
 * Makes the serving role on a server of our own and gives it the database. What a superuser made there before there was
 * such a role becomes its property. Idempotent; returns where to log in as it.
 */
export async function prepareServingRole(admin: Target): Promise<Target> {
  const client = new pg.Client({ ...admin });
  await client.connect();
  try {
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock($1)", [PREPARE_LOCK]);
    const role = quoteIdent(SERVING_ROLE);
    await client.query(`do $ambit$ begin
      if not exists (select from pg_roles where rolname = ${quoteLiteral(SERVING_ROLE)}) then
        create role ${role} login createrole replication nosuperuser nocreatedb;
      end if;
    exception when duplicate_object or unique_violation then null;
    end $ambit$`);
    const { rows } = await client.query(
      "select has_database_privilege($1, current_database(), 'create with grant option') as taken_over",
      [SERVING_ROLE],
    );
    if (!rows[0].taken_over) await client.query(TAKE_OVER);
    await client.query("commit");
  } finally {
    await client.end();
  }
  return { ...admin, user: SERVING_ROLE, password: undefined };
}

/** Functions that only Ambit's own code may run, and that only a superuser can close to the others. */
const CLOSED_FUNCTIONS = [
  "pg_logical_emit_message(boolean, text, text, boolean)",
  "pg_logical_emit_message(boolean, text, bytea, boolean)",
];

/**
 * Opens the database to the serving role alone, and gives it everything a superuser made in it for Ambit, and every
 * role Ambit made. `reassign owned` refuses to touch the first superuser's property, hence one by one. The database
 * itself stays the superuser's: its owner could drop it.
 */
const TAKE_OVER = `do $ambit$ declare statement text; begin
  for statement in
    select format('revoke all on database %I from public', current_database())
    union all select format('grant all on database %I to ${SERVING_ROLE} with grant option', current_database())
    union all select 'revoke all on schema public from public'
    union all select format('alter schema %I owner to ${SERVING_ROLE}', nspname) from pg_namespace
      where nspname in ('ambit', 'ambit_helpers', 'extensions')
    union all select format('alter table %s owner to ${SERVING_ROLE}', c.oid::regclass) from pg_class c
      where c.relnamespace = to_regnamespace('ambit') and c.relkind in ('r', 'p', 'v', 'm')
    union all select format('alter sequence %s owner to ${SERVING_ROLE}', c.oid::regclass) from pg_class c
      where c.relnamespace = to_regnamespace('ambit') and c.relkind = 'S'
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i'))
    union all select format('alter routine %s owner to ${SERVING_ROLE}', p.oid::regprocedure) from pg_proc p
      where p.pronamespace in (to_regnamespace('ambit'), to_regnamespace('ambit_helpers'))
    union all select format('alter publication %I owner to ${SERVING_ROLE}', pubname) from pg_publication
      where pubname like 'ambit\\_%'
    union all select format('grant %I to ${SERVING_ROLE} with admin option', rolname) from pg_roles
      where rolname in (${Object.values(POLICY_ROLES).map(quoteLiteral).join(", ")})
        and not pg_has_role('${SERVING_ROLE}', oid, 'member with admin option')
    union all select format('grant %I to ${SERVING_ROLE} with admin option', r.rolname) from pg_roles r, pg_namespace n
      where n.nspname ~ '^app_[0-9a-z]{12}$' and r.rolname ~ ('^' || n.nspname || '(_owner|_anon|_user|_service)?$')
    union all select format('grant %I to ${SERVING_ROLE}', r.rolname) from pg_roles r, pg_namespace n
      where n.nspname ~ '^app_[0-9a-z]{12}$' and r.rolname = n.nspname || '_owner'
    -- Only who granted something can take it back, when an app is dropped.
    union all select format('revoke connect on database %I from %I', current_database(), r.rolname)
      from pg_roles r, pg_namespace n where n.nspname ~ '^app_[0-9a-z]{12}$' and r.rolname = n.nspname
    union all select 'set local role ${SERVING_ROLE}'
    union all select format('grant connect on database %I to %I', current_database(), r.rolname)
      from pg_roles r, pg_namespace n where n.nspname ~ '^app_[0-9a-z]{12}$' and r.rolname = n.nspname
    union all select 'reset role'
  loop
    execute statement;
  end loop;
  ${CLOSED_FUNCTIONS.map(
    (each) =>
      `revoke execute on function pg_catalog.${each} from public; grant execute on function pg_catalog.${each} to ${SERVING_ROLE};`,
  ).join("\n  ")}
end $ambit$`;

/**
 * Closes tables to the serving role but for reading and inserting: they become the property of a role that nobody logs
 * in as and that the serving role is no member of. Triggers, truncation and changes of the tables go with the
 * ownership; so does the schema `ambit` they are in, whose owner could drop them. Idempotent.
 */
export async function closeAppendOnly(
  admin: Target,
  servingRole: string,
  tables: readonly string[],
): Promise<void> {
  const client = new pg.Client({ ...admin });
  await client.connect();
  try {
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock($1)", [PREPARE_LOCK]);
    const { rows } = await client.query(
      "select 'ambit_append_only_' || oid as keeper from pg_database where datname = current_database()",
    );
    const keeper: string = rows[0].keeper;
    const open = await client.query(
      `select c.relname as name from pg_class c where c.relnamespace = 'ambit'::regnamespace and c.relname = any($1)
         and pg_get_userbyid(c.relowner) <> $2 order by 1`,
      [tables, keeper],
    );
    if (open.rows.length > 0) await handOver(client, keeper, servingRole, open.rows);
    await client.query("commit");
  } finally {
    await client.end();
  }
}

async function handOver(
  client: pg.Client,
  keeper: string,
  servingRole: string,
  tables: readonly { name: string }[],
): Promise<void> {
  const role = quoteIdent(keeper);
  await client.query(`do $ambit$ begin
    if not exists (select from pg_roles where rolname = ${quoteLiteral(keeper)}) then create role ${role} nologin; end if;
  end $ambit$`);
  // To give something to a role one must be able to become it, and it must be able to create where the thing is.
  await client.query(`grant ${role} to current_user with set true, inherit true;
    do $ambit$ begin execute format('grant create on database %I to %I', current_database(), ${quoteLiteral(keeper)}); end $ambit$;
    alter schema ambit owner to ${role};
    grant usage, create on schema ambit to ${quoteIdent(servingRole)}`);
  for (const { name } of tables) {
    const table = `ambit.${quoteIdent(name)}`;
    await client.query(`alter table ${table} owner to ${role}`);
    await client.query(
      `revoke all on ${table} from public; revoke all on ${table} from ${quoteIdent(servingRole)};
       grant select on ${table} to ${quoteIdent(servingRole)}`,
    );
    // Numbers that the database draws are nobody's to choose.
    const { rows } = await client.query(
      `select string_agg(quote_ident(attname), ', ') as columns from pg_attribute
       where attrelid = $1::regclass and attnum > 0 and not attisdropped and attidentity = ''`,
      [table],
    );
    await client.query(`grant insert (${rows[0].columns}) on ${table} to ${quoteIdent(servingRole)}`);
  }
  await client.query(`
    do $ambit$ begin execute format('revoke create on database %I from %I', current_database(), ${quoteLiteral(keeper)}); end $ambit$;
    revoke ${role} from current_user`);
}
