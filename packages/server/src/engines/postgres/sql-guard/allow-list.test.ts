import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { allowedFunctions, functionKind } from "./allow-list.ts";

/** The allow-list against the catalogue of the real server. */
let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client({ ...inject("postgres"), database: "postgres" });
  await client.connect();
});
afterAll(() => client.end());

interface Overload {
  name: string;
  signature: string;
  volatile: boolean;
}

async function overloads(): Promise<Overload[]> {
  const { rows } = await client.query<Overload>(
    `select proname as name, proname || '(' || pg_get_function_arguments(oid) || ')' as signature,
       provolatile = 'v' as volatile
     from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname = any($1) order by 2`,
    [allowedFunctions()],
  );
  return rows;
}

// From extensions, and Ambit's own.
const ELSEWHERE =
  `current_user_id digest dmetaphone gen_random_bytes hmac levenshtein metaphone similarity soundex
  strict_word_similarity unaccent uuid_generate_v4 word_similarity cosine_distance inner_product l1_distance
  l2_distance l2_normalize vector_dims vector_norm`.split(/\s+/);

test("every name on the list exists", async () => {
  const known = new Set([...(await overloads()).map(({ name }) => name), ...ELSEWHERE]);
  expect(allowedFunctions().filter((name) => !known.has(name))).toEqual([]);
});

test("what is volatile is so because of time, chance or a sequence", async () => {
  const volatile = (await overloads()).filter((overload) => overload.volatile).map(({ name }) => name);
  expect(new Set(volatile)).toEqual(
    new Set(
      "clock_timestamp currval gen_random_uuid nextval random random_normal setval uuidv4 uuidv7".split(" "),
    ),
  );
});

test("no overload takes a catalogue object, apart from text search and sequences", async () => {
  const signatures = (await overloads())
    .map(({ signature }) => signature)
    .filter((signature) => /\b(?:oid|reg(?!config|exp|r_)\w+|refcursor|internal|cstring)\b/.test(signature));
  expect(signatures).toEqual([
    "currval(regclass)",
    "int8(oid)",
    "max(oid)",
    "min(oid)",
    "nextval(regclass)",
    "setval(regclass, bigint)",
    "setval(regclass, bigint, boolean)",
  ]);
});

test("every relation of the system catalogue starts with pg_", async () => {
  const { rows } = await client.query(
    `select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relname !~ '^pg_'`,
  );
  expect(rows).toEqual([]);
});

test("no operator of the system runs code with effects", async () => {
  const { rows } = await client.query(
    `select oprname from pg_operator o join pg_proc p on p.oid = o.oprcode
     where oprnamespace = 'pg_catalog'::regnamespace and provolatile = 'v'`,
  );
  expect(rows).toEqual([]);
});

test("Postgres does read a field of a plain value as a call, which is why those names are judged", async () => {
  for (const sql of [
    "select (0.0::float8).pg_sleep as slept",
    "select f.pg_sleep as slept from unnest(array[0.0::float8]) as f",
    "select f.pg_sleep as slept from unnest(array[0.0::float8]) as f(a)",
  ]) {
    expect((await client.query(sql)).rows).toEqual([{ slept: "" }]);
  }
});

test("only exact names count", () => {
  expect(functionKind("lower")).toBe("scalar");
  for (const name of ["LOWER", "lower ", "constructor", "__proto__", ""])
    expect(functionKind(name)).toBeUndefined();
});
