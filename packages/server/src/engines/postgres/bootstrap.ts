import pg from "pg";
import type { Target } from "./database.ts";
import { quoteIdent } from "./quote.ts";

/** The database Ambit keeps in a server of its own. */
export const DATABASE_NAME = "ambit";

/** Creates Ambit's database in an embedded server when it is not there yet; two nodes at once are fine. */
export async function ensureDatabase(
  server: Omit<Target, "database">,
  name = DATABASE_NAME,
): Promise<Target> {
  const client = new pg.Client({ ...server, database: "postgres" });
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (rowCount === 0) {
      await client.query(`create database ${quoteIdent(name)} strategy file_copy`).catch((error) => {
        if (error.code !== "42P04" && error.code !== "23505") throw error;
      });
    }
  } finally {
    await client.end();
  }
  return { ...server, database: name };
}

/** What a server behind DATABASE_URL lacks, as one line each with the statement that mends it; empty when it will do. */
export async function probe(target: Target): Promise<string[]> {
  const client = new pg.Client(target);
  await client.connect();
  try {
    const { rows } = await client.query(`select
        current_setting('server_version_num')::int as version,
        current_setting('wal_level') as wal_level,
        r.rolname, r.rolsuper, r.rolcreaterole, r.rolreplication,
        has_database_privilege(current_database(), 'create') as can_create,
        current_database() as database,
        current_setting('server_encoding') as encoding,
        array(select p.rolname::text from pg_roles p
          where p.rolname in ('butterbase_anon', 'butterbase_user', 'butterbase_service')
            and not pg_has_role(r.oid, p.oid, 'MEMBER WITH ADMIN OPTION') order by 1) as foreign_roles
      from pg_roles r where r.rolname = current_user`);
    return missing(rows[0]);
  } finally {
    await client.end();
  }
}

interface Facts {
  version: number;
  wal_level: string;
  rolname: string;
  rolsuper: boolean;
  rolcreaterole: boolean;
  rolreplication: boolean;
  can_create: boolean;
  database: string;
  encoding: string;
  /** Roles that policies name, made by another role that has not passed them on. */
  foreign_roles: string[];
}

/** The judgement of `probe`, without the server. */
export function missing(facts: Facts): string[] {
  const role = quoteIdent(facts.rolname);
  const problems: string[] = [];
  if (facts.version < 180_000) {
    problems.push(
      `PostgreSQL ${Math.floor(facts.version / 10_000)} is too old: version 18 or newer is needed`,
    );
  }
  if (facts.wal_level !== "logical") {
    problems.push(
      `wal_level is ${facts.wal_level}: run "alter system set wal_level = 'logical'" and restart the server`,
    );
  }
  if (facts.encoding !== "UTF8") {
    problems.push(
      `the database ${facts.database} is in ${facts.encoding}: make one with "create database … encoding 'UTF8' template template0"`,
    );
  }
  if (!facts.rolsuper && !facts.rolcreaterole)
    problems.push(`${role} may not create roles: run "alter role ${role} createrole"`);
  if (!facts.rolsuper && !facts.rolreplication)
    problems.push(`${role} may not replicate: run "alter role ${role} replication"`);
  if (!facts.can_create) {
    problems.push(
      `${role} may not create schemas: run "grant create on database ${quoteIdent(facts.database)} to ${role}"`,
    );
  }
  if (!facts.rolsuper && facts.foreign_roles.length > 0) {
    const roles = facts.foreign_roles.map((name) => quoteIdent(name)).join(", ");
    problems.push(`${role} may not grant ${roles}: run "grant ${roles} to ${role} with admin option"`);
  }
  return problems;
}
