import { describe, expect, test } from "vitest";
import type { ProblemCode } from "./problems.ts";
import { checkStatement } from "./statement.ts";

const read = (sql: string) => checkStatement(sql, { appSchema: "app_x", allow: "read" });
const write = (sql: string) => checkStatement(sql, { appSchema: "app_x", allow: "write" });

const READS: [string, string][] = [
  ["SELECT", "select * from todos where id = 1 order by title limit 10"],
  ["SELECT", "select 1;"],
  ["SELECT", ";; select ';' as a;"],
  ["SELECT", "/* first */ select 1 -- last"],
  ["SELECT", "table todos"],
  ["VALUES", "values (1, 'a'), (2, 'b')"],
  [
    "SELECT",
    "select count(*), string_agg(title, ', ' order by title) from app_x.todos group by rollup (owner)",
  ],
  [
    "SELECT",
    "select row_number() over w, lag(id) over (partition by owner) from todos window w as (order by id)",
  ],
  ["SELECT", "with recursive t(n) as (select 1 union all select n + 1 from t where n < 9) select * from t"],
  ["SELECT", "with pg_mine as (select 1) select * from pg_mine"],
  ["SELECT", "select * from generate_series(1, 10) as g(n), lateral (select g.n * 2) d"],
  ["SELECT", "select * from jsonb_to_recordset('[]') as r(a int, b text) where r.a > 1"],
  ["SELECT", "select e.key, e.value from todos t cross join lateral jsonb_each(t.meta) e"],
  [
    "SELECT",
    "select * from rows from (unnest(array[1]), generate_series(1, 2)) with ordinality as f(a, b, n)",
  ],
  ["SELECT", "select version(), current_user, current_database(), pg_typeof(1)"],
  [
    "SELECT",
    "select table_name from information_schema.tables where information_schema.tables.table_name = 'x'",
  ],
  ["SELECT", "select * from todos where id = $1"],
  [
    "SELECT",
    "select percentile_cont(0.5) within group (order by price) from todos tablesample bernoulli (10)",
  ],
  ["SELECT", "select currval('todos_id_seq'), ctid from todos"],
  ["SELECT", "select a from t1 union all (select b from t2 except select c from t3)"],
  ["EXPLAIN", "explain (analyze, format json) select * from todos"],
  ["EXPLAIN", "explain delete from todos"],
];

describe("reading", () => {
  test.each(READS)("%s: %s", async (command, sql) => {
    const verdict = await read(sql);
    expect(verdict).toMatchObject({ ok: true, problems: [], kind: "read", command });
    expect(await read(verdict.normalized!)).toEqual(verdict);
  });
});

const WRITES: [string, string][] = [
  ["INSERT", "insert into todos (title, owner) values ('a', default) returning id"],
  ["INSERT", "insert into todos default values"],
  [
    "INSERT",
    "insert into todos (id, a, b) values (1, 2, 3) on conflict (id) do update set (a, b) = (excluded.a, excluded.b)",
  ],
  ["INSERT", "insert into todos (id) select nextval('todos_id_seq') from generate_series(1, 3)"],
  [
    "UPDATE",
    "update todos set tags[1] = 'x', at = default from users u where u.id = owner returning old.at, new.at",
  ],
  ["UPDATE", "update todos set (a, b) = (select 1, 2)"],
  ["DELETE", "delete from todos using users u where u.id = owner"],
  [
    "MERGE",
    "merge into todos t using users u on u.id = t.owner when matched then delete when not matched then insert (id) values (u.id) returning merge_action()",
  ],
  ["SELECT", "with gone as (delete from todos returning *) select count(*) from gone"],
  ["SELECT", "select * from todos for update of todos skip locked"],
  ["SELECT", "select setval('todos_id_seq', (select max(id) from todos))"],
  ["EXPLAIN", "explain analyze delete from todos"],
  ["EXPLAIN", "explain (analyze false) delete from todos"],
];

describe("writing", () => {
  test.each(WRITES)("%s: %s", async (command, sql) => {
    const verdict = await write(sql);
    expect(verdict).toMatchObject({ ok: true, problems: [], kind: "write", command });
    expect(await write(verdict.normalized!)).toEqual(verdict);
    const refusal = await read(sql);
    expect(refusal).toMatchObject({ ok: false, kind: "write", command });
    expect(refusal.problems.map(({ code }) => code)).toContain("WRITE_NOT_ALLOWED");
  });
});

const REFUSED: [ProblemCode, string][] = [
  ["NOT_ONE_STATEMENT", "select 1; drop table todos"],
  ["NOT_ONE_STATEMENT", "select 1; select 2"],
  ["NOT_ONE_STATEMENT", "begin; delete from todos; commit"],
  ["EMPTY", ""],
  ["EMPTY", ";;"],
  ["EMPTY", "-- nothing"],
  ["SYNTAX", "selec 1"],
  ["SYNTAX", "select 'x"],
  ["BAD_CHARACTER", "select 1\0; drop table todos"],
  ["TOO_COMPLEX", "with a as (with b as (update t set (x, y) = (select 1, 2)) select 1) select 1"],
  ["STATEMENT_NOT_ALLOWED", "select * into stolen from todos"],
  ["STATEMENT_NOT_ALLOWED", "create table t (id int)"],
  ["STATEMENT_NOT_ALLOWED", "create table t as select 1"],
  ["STATEMENT_NOT_ALLOWED", "create function f() returns int language sql as 'select 1'"],
  ["STATEMENT_NOT_ALLOWED", "create or replace view v as select 1"],
  ["STATEMENT_NOT_ALLOWED", "create extension dblink"],
  ["STATEMENT_NOT_ALLOWED", "create policy p on todos using (true)"],
  ["STATEMENT_NOT_ALLOWED", "alter table todos disable row level security"],
  ["STATEMENT_NOT_ALLOWED", "alter role app_x superuser"],
  ["STATEMENT_NOT_ALLOWED", "alter system set log_statement = 'all'"],
  ["STATEMENT_NOT_ALLOWED", "drop schema app_y cascade"],
  ["STATEMENT_NOT_ALLOWED", "truncate todos"],
  ["STATEMENT_NOT_ALLOWED", "grant all on todos to public"],
  ["STATEMENT_NOT_ALLOWED", "set role app_y_owner"],
  ["STATEMENT_NOT_ALLOWED", "set local request.jwt.claim.sub = 'x'"],
  ["STATEMENT_NOT_ALLOWED", "reset role"],
  ["STATEMENT_NOT_ALLOWED", "show all"],
  ["STATEMENT_NOT_ALLOWED", "do $$ begin execute 'drop table todos'; end $$"],
  ["STATEMENT_NOT_ALLOWED", "call p()"],
  ["STATEMENT_NOT_ALLOWED", "copy todos to program 'sh'"],
  ["STATEMENT_NOT_ALLOWED", "copy (select 1) to '/tmp/x'"],
  ["STATEMENT_NOT_ALLOWED", "listen x"],
  ["STATEMENT_NOT_ALLOWED", "notify x, 'y'"],
  ["STATEMENT_NOT_ALLOWED", "lock todos"],
  ["STATEMENT_NOT_ALLOWED", "prepare p as select 1"],
  ["STATEMENT_NOT_ALLOWED", "execute p"],
  ["STATEMENT_NOT_ALLOWED", "declare c cursor for select 1"],
  ["STATEMENT_NOT_ALLOWED", "commit"],
  ["STATEMENT_NOT_ALLOWED", "rollback to savepoint a"],
  ["STATEMENT_NOT_ALLOWED", "vacuum"],
  ["STATEMENT_NOT_ALLOWED", "discard all"],
  ["STATEMENT_NOT_ALLOWED", "load 'x'"],
  ["STATEMENT_NOT_ALLOWED", "explain create table t as select 1"],
  ["STATEMENT_NOT_ALLOWED", "explain execute p"],
  ["TABLE_NOT_ALLOWED", "select * from pg_authid"],
  ["TABLE_NOT_ALLOWED", 'select * from "pg_stat_activity"'],
  ["TABLE_NOT_ALLOWED", "with x as (select * from pg_authid), pg_authid as (select 1) select * from x"],
  ["TABLE_NOT_ALLOWED", "select (with pg_authid as (select 1) select 1), rolname from pg_authid"],
  ["TABLE_NOT_ALLOWED", "with pg_authid as (select 1) delete from pg_authid"],
  ["TABLE_NOT_ALLOWED", "table pg_shadow"],
  ["SCHEMA_NOT_ALLOWED", "select * from pg_catalog.pg_authid"],
  ["SCHEMA_NOT_ALLOWED", "select * from app_y.todos"],
  ["SCHEMA_NOT_ALLOWED", "select * from ambit.keys"],
  ["SCHEMA_NOT_ALLOWED", "select (select max(id) from app_y.todos)"],
  ["SCHEMA_NOT_ALLOWED", "insert into app_y.todos default values"],
  ["SCHEMA_NOT_ALLOWED", "insert into information_schema.sql_features default values"],
  ["SCHEMA_NOT_ALLOWED", "merge into todos t using app_y.todos u on true when matched then delete"],
  ["SCHEMA_NOT_ALLOWED", "select app_y.todos.id from todos"],
  ["FUNCTION_NOT_ALLOWED", "select set_config('role', 'app_y_owner', true)"],
  ["FUNCTION_NOT_ALLOWED", "select 1 from todos where pg_sleep(10) is null"],
  ["FUNCTION_NOT_ALLOWED", "select * from pg_ls_dir('/')"],
  ["FUNCTION_NOT_ALLOWED", "select * from todos, lateral pg_read_file(title)"],
  ["FUNCTION_NOT_ALLOWED", "select * from rows from (unnest(array[1]), pg_sleep(1)) f"],
  ["FUNCTION_NOT_ALLOWED", "select 1 limit (select pg_sleep(1)::text::int)"],
  ["FUNCTION_NOT_ALLOWED", "select 1 order by pg_sleep(1)"],
  ["FUNCTION_NOT_ALLOWED", "values (pg_sleep(1))"],
  [
    "FUNCTION_NOT_ALLOWED",
    "insert into todos (title) values (query_to_xml('select 1', true, true, '')::text)",
  ],
  [
    "FUNCTION_NOT_ALLOWED",
    "insert into todos (id) values (1) on conflict (id) do update set id = lo_create(1)",
  ],
  ["FUNCTION_NOT_ALLOWED", "delete from todos returning pg_notify('a', 'b')"],
  [
    "FUNCTION_NOT_ALLOWED",
    "merge into todos t using todos u on true when matched and pg_sleep(1) is null then delete",
  ],
  ["FUNCTION_NOT_ALLOWED", "update todos set a[pg_backend_pid()] = 1"],
  ["FUNCTION_NOT_ALLOWED", "select f.pg_sleep from generate_series(1, 10) f"],
  ["FUNCTION_NOT_ALLOWED", "select f.pg_advisory_lock from generate_series(1, 10) f(n)"],
  ["FUNCTION_NOT_ALLOWED", "select (f).announce_change from unnest(array['x']) f"],
  ["FUNCTION_NOT_ALLOWED", "select ('x'::text).announce_change"],
  ["FUNCTION_NOT_ALLOWED", "select pg_sleep.pg_sleep from generate_series(1, 10) pg_sleep(n)"],
  [
    "FUNCTION_NOT_ALLOWED",
    "select announce_change.announce_change from unnest(array['x']) announce_change(n)",
  ],
  ["FUNCTION_NOT_ALLOWED", "select count(*) over (partition by pg_sleep(1)) from todos"],
  ["FUNCTION_NOT_ALLOWED", "select * from json_table(pg_read_file('x'), '$' columns (a int)) j"],
  ["FUNCTION_NOT_ALLOWED", "select * from todos tablesample app_y.evil(1)"],
  ["TYPE_NOT_ALLOWED", "select 'pg_authid'::regclass::oid"],
  ["TYPE_NOT_ALLOWED", "select * from jsonb_to_recordset('[]') as r(a regclass)"],
  ["TYPE_NOT_ALLOWED", "select * from json_table('1', '$' columns (a regproc path '$')) j"],
  ["CONSTRUCT_NOT_ALLOWED", "select * from xmltable('/a' passing '<a/>' columns b text)"],
  ["CONSTRUCT_NOT_ALLOWED", "update todos set a = 1 where current of c"],
  ["ARGUMENT_NOT_ALLOWED", "select nextval('app_y.todos_id_seq')"],
  ["ARGUMENT_NOT_ALLOWED", "select current_setting('is_superuser')"],
  ["OPERATOR_NOT_ALLOWED", "select * from todos order by id using operator(app_y.<)"],
];

describe("refused even where writing is allowed", () => {
  test.each(REFUSED)("%s: %s", async (code, sql) => {
    const verdict = await write(sql);
    expect(verdict.ok).toBe(false);
    expect(verdict.normalized).toBeUndefined();
    expect(verdict.problems.map((problem) => problem.code)).toContain(code);
  });
});

const list = (length: number, item: string) => Array(length).fill(item).join(", ");

test.each([
  ["TOO_LONG", "a string", `select '${"x".repeat(70_000)}'`],
  ["TOO_COMPLEX", "nested subqueries", `select ${"(select ".repeat(900)}1${")".repeat(900)}`],
  ["TOO_COMPLEX", "a chain of UNION", `select 1${" union select 1".repeat(900)}`],
  ["TOO_COMPLEX", "a chain of UNION with lists", `select 1${" union select 1, 1".repeat(1200)}`],
  [
    "TOO_COMPLEX",
    "one assignment of many",
    `update t set (${list(5000, "a")}) = (select ${list(5000, "1")})`,
  ],
])("%s: %s", async (code, _title, sql) => {
  expect((await write(sql)).problems).toMatchObject([{ code }]);
});

test("many rows and many conditions are not too complex", async () => {
  const rows = `insert into todos values ${list(2000, "(1, 'some title', now())")}`;
  expect((await write(rows)).problems).toEqual([]);
  const conditions = `select * from todos where ${Array(200).fill("a = 1").join(" and ")}`;
  expect((await read(conditions)).problems).toEqual([]);
});

test("tables are named with what happens to them; names of a WITH are not tables", async () => {
  const sql =
    "with a as (select * from users) update app_x.todos set x = a.x from a, users, information_schema.tables";
  const { tables } = await write(sql);
  expect(tables).toEqual([
    { name: "users", write: false },
    { schema: "app_x", name: "todos", write: true },
    { schema: "information_schema", name: "tables", write: false },
  ]);
});

test("a table that is read and written counts as written", async () => {
  const { tables } = await write("insert into todos select * from todos");
  expect(tables).toEqual([{ name: "todos", write: true }]);
});

test("FOR UPDATE OF names an alias, not another table", async () => {
  expect((await write("select * from todos t for update of t")).tables).toEqual([
    { name: "todos", write: false },
  ]);
});

test("a refusal names the command, its kind and the tool to use instead", async () => {
  expect(await read("alter table todos add x int")).toMatchObject({ kind: "ddl", command: "ALTER TABLE" });
  expect((await read("alter table todos add x int")).problems[0]!.message).toContain("manage_schema");
  expect((await read("drop policy p on todos")).problems[0]!.message).toContain("manage_");
  expect((await read("alter policy p on todos using (true)")).problems[0]!.message).toContain("manage_rls");
  expect(await read("set role x")).toMatchObject({ kind: "other", command: "SET" });
});
