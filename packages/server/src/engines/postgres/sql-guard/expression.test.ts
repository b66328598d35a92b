import { describe, expect, test } from "vitest";
import { checkExpression, type ExpressionUse } from "./expression.ts";
import type { ProblemCode } from "./problems.ts";

const options = { appSchema: "app_x" };

const ALLOWED: Record<ExpressionUse, string[]> = {
  default: [
    "0",
    "-1.5e3",
    "true",
    "null",
    "'draft'",
    "'draft'::text",
    "'{}'::jsonb",
    "'{}'::text[]",
    "array[]::integer[]",
    "now()",
    "pg_catalog.now()",
    "(now() at time zone 'utc')",
    "now() + interval '7 days'",
    "current_timestamp",
    "current_date",
    "localtimestamp(3)",
    "gen_random_uuid()",
    "uuidv7()",
    "current_user_id()",
    "ambit_helpers.current_user_id()",
    "(current_user_id())::uuid",
    "nextval('todos_id_seq')",
    "nextval('todos_id_seq'::regclass)",
    "nextval('app_x.todos_id_seq'::regclass)",
    `nextval('"Todos_id_seq"')`,
    "current_setting('request.jwt.claim.sub', true)",
    "md5(random()::text)",
    "encode(sha256('x'::bytea), 'hex')",
    "date_trunc('month', now())",
    "extract(year from now())::int",
    "jsonb_build_object('a', 1, 'b', array[1,2])",
    "json_object('a': 1 returning jsonb)",
    "case when random() > 0.5 then 'a' else 'b' end",
    "lpad('7', 3, '0')",
    "format('%s-%s', 'a', 'b')",
    "U&'\\0041'",
    "E'tab\\t'",
    "$$it's$$",
    "/* why */ 1 -- one",
    "B'101'",
    "'x' collate \"C\"",
    "cast('1' as numeric(10,2))",
  ],
  check: [
    "price > 0",
    "length(trim(both from title)) between 1 and 200",
    "status in ('open', 'closed')",
    "status = any (array['open'::text, 'closed'::text])",
    "todos.ends_at > todos.starts_at",
    "app_x.todos.price is not null",
    "email ~* '^[^@]+@[^@]+$'",
    "email like '%@%' and not deleted",
    "a similar to 'x+'",
    "(a, b) is distinct from (b, a)",
    "coalesce(a, b) is not null or num_nonnulls(a, b) = 1",
    "greatest(a, b) < nullif(c, 0)",
    "meta ? 'kind' and meta->>'kind' = 'x' and meta #> '{a,b}' is not null",
    "tags && array['a'] and tags[1] <> 'b' and cardinality(tags[1:2]) = 2",
    "a operator(pg_catalog.+) b > 0",
    "a operator(extensions.%) b and email::extensions.citext = 'x'",
    "json_exists(meta, '$.a') and meta is json object",
    '"select" > 0',
    '"Größe" = 1',
  ],
  index: ["lower(email)", "(meta->>'kind')", "to_tsvector('english', body)", "date_trunc('day', at, 'utc')"],
  generated: ["price * quantity", "to_tsvector('english'::regconfig, coalesce(title, '') || ' ' || body)"],
  policy: [
    "true",
    "user_id = current_user_id()",
    "user_id::text = (select current_user_id())",
    "(current_setting('request.jwt.claims', true)::json ->> 'role') = 'admin'",
    "((current_setting('request.jwt.claims'::text, true))::jsonb ->> 'org'::text) = org",
    "exists (select 1 from members m where m.team_id = todos.team_id and m.user_id = current_user_id())",
    "team_id in (select team_id from app_x.members where user_id = current_user_id())",
    "(select count(*) from members) < 10",
    "id = any (array(select m.todo_id from members m))",
    "exists (with mine as (select * from members) select from mine)",
    "exists (select from jsonb_array_elements(meta) e(v) where e.v->>'id' = current_user_id())",
    "exists (select from jsonb_each(meta) e where e.key = 'a' and e.value is not null)",
    "owner = (select max(x) over (order by y) from members limit 1)",
    "exists (select from json_table(meta, '$[*]' columns (a int path '$.a')) j where j.a = 1)",
  ],
};

describe.each(Object.entries(ALLOWED))("allowed as %s", (use, texts) => {
  test.each(texts)("%s", async (text) => {
    const verdict = await checkExpression(text, use as ExpressionUse, options);
    expect(verdict.problems).toEqual([]);
    expect(verdict.ok).toBe(true);
    const again = await checkExpression(verdict.normalized!, use as ExpressionUse, options);
    expect(again).toEqual(verdict);
  });
});

const REFUSED: [ExpressionUse, string, ProblemCode][] = [
  // Another role, other settings.
  ["default", "set_config('role', 'app_y_owner', true)", "FUNCTION_NOT_ALLOWED"],
  ["default", "pg_catalog.set_config('role', 'app_y_owner', true)", "FUNCTION_NOT_ALLOWED"],
  ["default", "\"set_config\"('role', 'app_y_owner', true)", "FUNCTION_NOT_ALLOWED"],
  ["default", "U&\"\\0073et_config\"('role', 'x', true)", "FUNCTION_NOT_ALLOWED"],
  ["default", "SET_CONFIG('role', 'x', true)", "FUNCTION_NOT_ALLOWED"],
  ["default", "set_config/**/('role', 'x', true)", "FUNCTION_NOT_ALLOWED"],
  ["policy", "set_config('role', 'x', true) = 'x' or true", "FUNCTION_NOT_ALLOWED"],
  ["policy", "(select set_config('role', 'x', true)) is not null", "FUNCTION_NOT_ALLOWED"],
  ["policy", "exists (select from members order by set_config('a', 'b', true))", "FUNCTION_NOT_ALLOWED"],
  [
    "policy",
    "(select count(*) filter (where set_config('a','b',true) = '') from members) > 0",
    "FUNCTION_NOT_ALLOWED",
  ],
  ["default", "current_setting('ssl_key_file')", "ARGUMENT_NOT_ALLOWED"],
  ["default", "current_setting('request' || '.x')", "ARGUMENT_NOT_ALLOWED"],
  ["default", "current_setting(variadic array['request.x'])", "ARGUMENT_NOT_ALLOWED"],
  ["default", "other.lower('x')", "SCHEMA_NOT_ALLOWED"],
  ["default", "app_x.lower('x')", "SCHEMA_NOT_ALLOWED"],
  ["default", "app_y.current_user_id()", "SCHEMA_NOT_ALLOWED"],
  ["default", "postgres.pg_catalog.now()", "SCHEMA_NOT_ALLOWED"],
  ["policy", "auth.uid() = user_id", "FUNCTION_NOT_ALLOWED"],
  // Time, locks, files, sessions, messages, dynamic SQL.
  ["default", "pg_sleep(10)", "FUNCTION_NOT_ALLOWED"],
  ["default", "(10.0::float8).pg_sleep", "FUNCTION_NOT_ALLOWED"],
  ["check", "(price).pg_sleep is null", "FUNCTION_NOT_ALLOWED"],
  ["check", "(tags[1]).pg_read_file is null", "FUNCTION_NOT_ALLOWED"],
  ["check", "todos.pg_sleep is null", "FUNCTION_NOT_ALLOWED"],
  ["default", "treat(10 as pg_sleep)", "FUNCTION_NOT_ALLOWED"],
  ["policy", "exists (select f.pg_sleep from unnest(array[10.0::float8]) f)", "FUNCTION_NOT_ALLOWED"],
  ["policy", "exists (select f.lo_unlink from unnest(array[1]) f(a))", "FUNCTION_NOT_ALLOWED"],
  ["policy", "exists (select unnest.announce_change from unnest(array['x']))", "FUNCTION_NOT_ALLOWED"],
  ["policy", "exists (select from cast(10.0 as float8) f where f.pg_sleep is null)", "CONSTRUCT_NOT_ALLOWED"],
  [
    "policy",
    "exists (select f.a, f.b from unnest(array[1]) f(a), unnest(array[2]) f(b))",
    "FUNCTION_NOT_ALLOWED",
  ],
  ["default", "pg_read_file('/etc/passwd')", "FUNCTION_NOT_ALLOWED"],
  ["default", "pg_ls_dir('/')", "FUNCTION_NOT_ALLOWED"],
  ["default", "lo_import('/etc/passwd')", "FUNCTION_NOT_ALLOWED"],
  ["default", "lo_export(1, '/tmp/x')", "FUNCTION_NOT_ALLOWED"],
  ["default", "pg_advisory_lock(1)", "FUNCTION_NOT_ALLOWED"],
  ["default", "pg_notify('a', 'b')", "FUNCTION_NOT_ALLOWED"],
  ["default", "pg_terminate_backend(1)", "FUNCTION_NOT_ALLOWED"],
  ["default", "pg_logical_emit_message(true, 'ambit.change', 'x')", "FUNCTION_NOT_ALLOWED"],
  ["default", "announce_change('x')", "FUNCTION_NOT_ALLOWED"],
  ["default", "query_to_xml('select 1', true, true, '')", "FUNCTION_NOT_ALLOWED"],
  ["default", "table_to_xml('pg_class', true, true, '')", "FUNCTION_NOT_ALLOWED"],
  ["default", "ts_stat('select 1')", "FUNCTION_NOT_ALLOWED"],
  ["default", "ts_rewrite('a'::tsquery, 'select 1')", "FUNCTION_NOT_ALLOWED"],
  ["default", "dblink('dbname=x', 'select 1')", "FUNCTION_NOT_ALLOWED"],
  ["default", "current_query()", "FUNCTION_NOT_ALLOWED"],
  ["default", "version()", "FUNCTION_NOT_ALLOWED"],
  ["default", "xmlelement(name a)", "CONSTRUCT_NOT_ALLOWED"],
  ["default", "xmlserialize(content '<a/>' as text)", "CONSTRUCT_NOT_ALLOWED"],
  // The catalogue by way of types and sequences.
  ["default", "'pg_class'::regclass", "TYPE_NOT_ALLOWED"],
  ["default", "regclass 'pg_class'", "TYPE_NOT_ALLOWED"],
  ["default", "cast('now' as pg_catalog.regproc)", "TYPE_NOT_ALLOWED"],
  ["default", "'{pg_class}'::regclass[]", "TYPE_NOT_ALLOWED"],
  ["default", "regclass('pg_class')", "FUNCTION_NOT_ALLOWED"],
  ["default", "json_value('1', '$' returning regclass)", "TYPE_NOT_ALLOWED"],
  ["default", "'x'::app_y.secret", "TYPE_NOT_ALLOWED"],
  ["default", "'x'::app_y.text", "TYPE_NOT_ALLOWED"],
  ["default", "'x'::setof text", "TYPE_NOT_ALLOWED"],
  ["index", "to_tsvector('english'::app_y.regconfig, body)", "TYPE_NOT_ALLOWED"],
  ["default", "null::todos", "TYPE_NOT_ALLOWED"],
  ["check", "name::regconfig is not null", "TYPE_NOT_ALLOWED"],
  ["default", "'<a/>'::xml", "TYPE_NOT_ALLOWED"],
  ["default", "nextval('app_y.todos_id_seq')", "ARGUMENT_NOT_ALLOWED"],
  ["default", "nextval('APP_Y.todos_id_seq')", "ARGUMENT_NOT_ALLOWED"],
  ["default", "nextval('\"app_y\".todos_id_seq'::regclass)", "ARGUMENT_NOT_ALLOWED"],
  ["default", "nextval('a' || 'b')", "ARGUMENT_NOT_ALLOWED"],
  ["default", "nextval(12345)", "ARGUMENT_NOT_ALLOWED"],
  ["default", "setval('todos_id_seq', 1)", "ARGUMENT_NOT_ALLOWED"],
  ["check", "nextval('todos_id_seq') > 0", "ARGUMENT_NOT_ALLOWED"],
  ["policy", "exists (select nextval('todos_id_seq'))", "ARGUMENT_NOT_ALLOWED"],
  // Leaving the place it is put into.
  ["default", "1; drop table todos", "NOT_ONE_EXPRESSION"],
  ["default", "1); drop table todos --", "SYNTAX"],
  ["default", "1) ; drop table todos ; select (1", "SYNTAX"],
  ["default", "1), (2", "SYNTAX"],
  ["default", "1, 2", "NOT_ONE_EXPRESSION"],
  ["default", "1 as x", "NOT_ONE_EXPRESSION"],
  ["default", "1 x", "NOT_ONE_EXPRESSION"],
  ["default", "1 from pg_authid", "NOT_ONE_EXPRESSION"],
  ["default", "1 into stolen", "NOT_ONE_EXPRESSION"],
  ["default", "1 where true", "NOT_ONE_EXPRESSION"],
  ["default", "1 union select 2", "NOT_ONE_EXPRESSION"],
  ["default", "1 limit 1", "NOT_ONE_EXPRESSION"],
  ["default", "all 1", "NOT_ONE_EXPRESSION"],
  ["default", "distinct 1", "NOT_ONE_EXPRESSION"],
  ["default", "now();", "NOT_ONE_EXPRESSION"],
  ["default", "select 1", "SYNTAX"],
  ["default", "1 /*", "SYNTAX"],
  ["default", "'", "SYNTAX"],
  ["default", "$$", "SYNTAX"],
  ["default", "", "EMPTY"],
  ["default", " -- nothing", "EMPTY"],
  ["default", "1\0; drop table todos", "BAD_CHARACTER"],
  ["default", "1 \u0007", "BAD_CHARACTER"],
  ["default", "'\ud800'", "BAD_CHARACTER"],
  ["check", "*", "NOT_ONE_EXPRESSION"],
  ["check", "default", "STATEMENT_NOT_ALLOWED"],
  ["default", "$1", "PARAMETER_NOT_ALLOWED"],
  // What the place does not carry.
  ["default", "price", "COLUMN_NOT_ALLOWED"],
  ["default", "draft", "COLUMN_NOT_ALLOWED"],
  ["default", "(select 1)", "SUBQUERY_NOT_ALLOWED"],
  ["check", "exists (select 1 from todos)", "SUBQUERY_NOT_ALLOWED"],
  ["index", "array(select 1)", "SUBQUERY_NOT_ALLOWED"],
  ["generated", "1 in (values (1))", "SUBQUERY_NOT_ALLOWED"],
  ["default", "json_array(select 1)", "SUBQUERY_NOT_ALLOWED"],
  ["check", "ctid is not null", "COLUMN_NOT_ALLOWED"],
  ["check", "todos.xmin is not null", "COLUMN_NOT_ALLOWED"],
  ["policy", "exists (select m.tableoid from members m)", "COLUMN_NOT_ALLOWED"],
  ["check", "app_y.todos.price > 0", "SCHEMA_NOT_ALLOWED"],
  ["check", "db.app_x.todos.price > 0", "SCHEMA_NOT_ALLOWED"],
  ["check", "count(*) > 0", "FUNCTION_NOT_ALLOWED"],
  ["check", "row_number() over () > 0", "FUNCTION_NOT_ALLOWED"],
  ["check", "lower(a) over (order by b) = 'x'", "CONSTRUCT_NOT_ALLOWED"],
  ["check", "json_arrayagg(a) is not null", "CONSTRUCT_NOT_ALLOWED"],
  ["default", "unnest(array[1])", "FUNCTION_NOT_ALLOWED"],
  ["policy", "exists (select from generate_series(1, 1000000000))", "FUNCTION_NOT_ALLOWED"],
  ["check", "a operator(app_y.+) b", "OPERATOR_NOT_ALLOWED"],
  ["policy", "a operator(app_y.=) any (select 1)", "OPERATOR_NOT_ALLOWED"],
  ["check", "a collate app_y.c = 'x'", "SCHEMA_NOT_ALLOWED"],
  // Other tables.
  ["policy", "exists (select from pg_authid)", "TABLE_NOT_ALLOWED"],
  ["policy", 'exists (select from "pg_authid")', "TABLE_NOT_ALLOWED"],
  ["policy", "exists (select from pg_catalog.pg_authid)", "SCHEMA_NOT_ALLOWED"],
  ["policy", "exists (select from information_schema.tables)", "SCHEMA_NOT_ALLOWED"],
  ["policy", "exists (select from app_y.members)", "SCHEMA_NOT_ALLOWED"],
  ["policy", "exists (select from db.app_x.members)", "SCHEMA_NOT_ALLOWED"],
  ["policy", "exists (select from members join app_y.secrets s on true)", "SCHEMA_NOT_ALLOWED"],
  ["policy", "exists (table app_y.secrets)", "SCHEMA_NOT_ALLOWED"],
  ["policy", "exists (select 1 union select 1 from app_y.secrets)", "SCHEMA_NOT_ALLOWED"],
  ["policy", "exists (with a as (delete from todos returning 1) select from a)", "STATEMENT_NOT_ALLOWED"],
  ["policy", "exists (select from members for update)", "WRITE_NOT_ALLOWED"],
  ["policy", "exists (select 1 into stolen from members)", "STATEMENT_NOT_ALLOWED"],
  ["policy", "exists (select from xmltable('/a' passing '<a/>' columns b text))", "CONSTRUCT_NOT_ALLOWED"],
  ["policy", "exists (select from members tablesample system_time(1000))", "FUNCTION_NOT_ALLOWED"],
  // Too much.
  ["default", "repeat('x', 1000000000)", "ARGUMENT_NOT_ALLOWED"],
  ["default", "repeat('x', 10 ^ 9)", "ARGUMENT_NOT_ALLOWED"],
  ["default", "rpad('x', 1000000000)", "ARGUMENT_NOT_ALLOWED"],
  ["default", "format('%1$-1000000000s', 'x')", "ARGUMENT_NOT_ALLOWED"],
  ["default", "format('%*s', 1000000000, 'x')", "ARGUMENT_NOT_ALLOWED"],
];

describe("refused", () => {
  test.each(REFUSED)("as %s: %s", async (use, text, code) => {
    const verdict = await checkExpression(text, use, options);
    expect(verdict.ok).toBe(false);
    expect(verdict.normalized).toBeUndefined();
    expect(verdict.problems.map((problem) => problem.code)).toContain(code);
  });
});

test.each([
  ["TOO_LONG", "one megabyte", `'${"x".repeat(1_000_000)}'`],
  ["TOO_COMPLEX", "parentheses", `${"(".repeat(2000)}1${")".repeat(2000)}`],
  ["TOO_COMPLEX", "prefix operators", `${"- ".repeat(2000)}1`],
  ["TOO_COMPLEX", "suffix operators", `a${" is null".repeat(900)}`],
  ["TOO_COMPLEX", "calls", `${"abs(".repeat(1200)}1${")".repeat(1200)}`],
  ["TOO_COMPLEX", "brackets left open", "(".repeat(4000)],
])("%s: %s", async (code, _title, text) => {
  expect((await checkExpression(text, "default", options)).problems).toMatchObject([{ code }]);
});

test("the verdict says what the expression uses", async () => {
  const text =
    "todos.owner = current_user_id() and at < current_timestamp and exists (select m.x from members m)";
  const verdict = await checkExpression(text, "policy", options);
  expect(verdict.columns).toEqual(["owner", "at"]);
  expect(verdict.functions).toEqual(["current_user_id", "current_timestamp"]);
  expect(verdict.hasSubquery).toBe(true);
});

test("comments and line breaks are gone from the normalised text, strings untouched", async () => {
  const verdict = await checkExpression(
    "/* a */ 'é -- no' ||\n\t lower( 'B' )::text -- b",
    "default",
    options,
  );
  expect(verdict.normalized).toBe("'é -- no' || lower( 'B' )::text");
});

test("positions count characters of the given text from 1", async () => {
  const { problems } = await checkExpression("'é😀' || pg_sleep(1)", "default", options);
  expect(problems).toMatchObject([{ code: "FUNCTION_NOT_ALLOWED", position: 9, subject: "pg_sleep" }]);
  const broken = await checkExpression("'é😀' )", "default", options);
  expect(broken.problems).toMatchObject([{ code: "SYNTAX", position: 6 }]);
});

test("every problem of a text is reported, up to a bound", async () => {
  const verdict = await checkExpression("pg_sleep(1) || pg_ls_dir('x')", "default", options);
  expect(verdict.problems.map(({ subject }) => subject)).toEqual(["pg_sleep", "pg_ls_dir"]);
  const many = await checkExpression(Array(50).fill("f()").join("||"), "default", options);
  expect(many.problems).toHaveLength(20);
});

describe("types of the app", () => {
  const options = { appSchema: "app_a", appTypes: new Set(["status", "regclass"]) };

  test("lets an expression cast to the app's enums, and to nothing Postgres would find first", async () => {
    expect((await checkExpression("'open'::status", "default", options)).ok).toBe(true);
    expect((await checkExpression("'open'::app_a.status[]", "default", options)).ok).toBe(true);
    for (const text of ["'x'::regclass", "'open'::app_b.status", "'open'::other"]) {
      expect((await checkExpression(text, "default", options)).problems[0]?.code).toBe("TYPE_NOT_ALLOWED");
    }
  });
});
