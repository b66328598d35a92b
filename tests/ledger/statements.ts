import type pg from "pg";

/** The tables that only grow, each with its key and a column that somebody might want to be another. */
const TABLES = [
  { table: "ledger_entries", key: "seq", column: "entry" },
  { table: "ledger_leaves", key: "index", column: "hash" },
  { table: "ledger_tiles", key: "level, index", column: "hash" },
  { table: "ledger_checkpoints", key: "size", column: "note" },
];

/** Every way we know to change, remove, hide or put off what is in a table, or to get the right to. */
const waysAround = (
  { table, key, column: c }: (typeof TABLES)[number],
  keeper: string,
  login: string,
): string[] => {
  const t = `ambit.${table}`;
  return [
    `update ${t} set ${c} = ${c}`,
    `delete from ${t}`,
    `truncate ${t}`,
    `with gone as (delete from ${t} returning 1) select count(*) from gone`,
    `merge into ${t} t using (select 1) s on true when matched then delete`,
    `insert into ${t} overriding system value select * from ${t} on conflict (${key}) do update set ${c} = excluded.${c}`,
    `select 1 from ${t} for update`,
    `lock table ${t} in access exclusive mode`,
    `drop table ${t}`,
    `drop table ${t} cascade`,
    `alter table ${t} rename to gone`,
    `alter table ${t} rename column ${c} to gone`,
    `alter table ${t} drop column ${c}`,
    `alter table ${t} add column more int`,
    `alter table ${t} set schema public`,
    `alter table ${t} owner to ${login}`,
    `alter table ${t} disable trigger all`,
    `alter table ${t} enable row level security`,
    `alter table ${t} replica identity full`,
    `alter table ${t} set unlogged`,
    `create trigger t before insert on ${t} for each row execute function suppress_redundant_updates_trigger()`,
    `create rule r as on insert to ${t} do instead nothing`,
    `create policy p on ${t}`,
    `create index on ${t} (${c})`,
    `create view ambit.${table}_copy as select * from ${t}; create table ambit.child () inherits (${t})`,
    `create publication p for table ${t}`,
    `comment on table ${t} is 'mine'`,
    `grant update, delete on ${t} to ${login}; update ${t} set ${c} = ${c}`,
    `revoke insert on ${t} from ${login} cascade; set role ${keeper}`,
    `create function pg_temp.f() returns void language sql security definer begin atomic delete from ${t}; end; alter function pg_temp.f() owner to ${keeper}; select pg_temp.f()`,
  ];
};

/** The same about roles, the schema, the database and the server. */
const waysAroundAll = (keeper: string, login: string, database: string): string[] => [
  `set role ${keeper}`,
  `set local role ${keeper}`,
  `set session authorization ${keeper}`,
  "set role postgres",
  "set session authorization postgres",
  `alter role ${keeper} login`,
  `alter role ${keeper} rename to mine`,
  `drop role ${keeper}`,
  `drop owned by ${keeper}`,
  `reassign owned by ${keeper} to ${login}`,
  "reassign owned by postgres to current_user",
  "alter role current_user superuser",
  "create role mighty superuser login",
  "alter role postgres password 'mine'",
  "grant postgres to current_user",
  "grant pg_write_all_data to current_user",
  "grant pg_write_server_files to current_user",
  "drop schema ambit",
  "drop schema ambit cascade",
  "alter schema ambit rename to gone",
  `alter schema ambit owner to ${login}`,
  `alter database ${database} owner to ${login}`,
  `alter database ${database} rename to gone`,
  "set session_replication_role = replica",
  "alter sequence ambit.ledger_entries_seq_seq restart",
  "drop sequence ambit.ledger_entries_seq_seq cascade",
  "select setval('ambit.ledger_entries_seq_seq', 1)",
  "insert into ambit.ledger_entries (seq, id, kind, at, entry) overriding system value values (0, 'x', 'x', now(), '{}')",
  `alter default privileges for role ${keeper} grant all on tables to current_user`,
  "create event trigger e on sql_drop execute function suppress_redundant_updates_trigger()",
  "copy ambit.ledger_entries to program 'id'",
  "copy (select 1) to '/tmp/ambit-was-here'",
  "select pg_read_file('postgresql.conf')",
  "select lo_import('/etc/passwd')",
  "create extension dblink schema ambit",
  "create extension postgres_fdw schema ambit",
  "create extension file_fdw schema ambit",
  "create language plpython3u",
  "create function pg_temp.f() returns int language c as '/lib/x86_64-linux-gnu/libc.so.6', 'getpid'",
  "create subscription s connection 'host=/tmp user=postgres' publication p with (connect = false)",
  "update pg_class set relowner = 10",
  "delete from pg_auth_members",
  "load '/tmp/evil.so'",
  `grant ${keeper} to current_user; set role ${keeper}; delete from ambit.ledger_entries`,
];

/** What has to stand by itself. */
const OUTSIDE = ["alter system set session_replication_role = replica"];

/** SQLSTATE: for want of permission. */
const REFUSED = "42501";

/** The statements this login may carry out although it must not. Each is tried by itself and undone. */
export async function allowedTo(client: pg.Client, keeper: string): Promise<string[]> {
  const { rows } = await client.query("select current_user as login, current_database() as database");
  const { login, database } = rows[0];
  const statements = [
    ...TABLES.flatMap((table) => waysAround(table, keeper, login)),
    ...waysAroundAll(keeper, login, database),
  ];
  const allowed: string[] = [];
  const attempt = (statement: string) =>
    client.query(statement).then(
      () => allowed.push(statement),
      ({ code, message }) => code !== REFUSED && allowed.push(`${statement}: ${code} ${message}`),
    );
  for (const statement of statements) {
    await client.query("begin");
    await attempt(statement);
    await client.query("rollback");
  }
  for (const statement of OUTSIDE) await attempt(statement);
  return allowed;
}
