import fc from "fast-check";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arrayTypes } from "./array-types.ts";
import { jsonRenderer, renderJson } from "./json-text.ts";
import { type PostgresFixture, startPostgres } from "./testing/postgres-fixture.ts";
import { loadUserTypes, type UserTypes } from "./user-types.ts";

const seed = Number(process.env.AMBIT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const perType = 120;

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }).map((value) => value.replaceAll("\0", "")),
  fc.string({
    unit: fc.constantFrom(..."ab\"\\{},;' \t\n\r\b\f\u0001\u001f\u007fé😀\u2028NUL".split("")),
    maxLength: 12,
  }),
  fc.constantFrom("", "NULL", "null", "{}", "\\", '"', " ", "\\x00", "[1:2]={1,2}"),
);
const pad = (value: number, width = 2) => String(value).padStart(width, "0");
const int = (min: number, max: number) => fc.integer({ min, max });
const clock = fc
  .tuple(int(0, 23), int(0, 59), int(0, 59), fc.oneof(fc.constant(0), int(0, 999_999)))
  .map(([h, m, s, us]) => `${pad(h)}:${pad(m)}:${pad(s)}.${pad(us, 6)}`);
const era = fc.constantFrom("", "", "", " BC");
const day = fc
  .tuple(int(1, 4712), int(1, 12), int(1, 28))
  .map(([y, m, d]) => `${pad(y, 4)}-${pad(m)}-${pad(d)}`);
const infinite = fc.constantFrom("infinity", "-infinity");
const date = fc.oneof(
  fc.tuple(day, era).map((parts) => parts.join("")),
  infinite,
  fc.constantFrom("294276-12-31", "epoch"),
);
const timestamp = fc.oneof(
  fc.tuple(day, clock, era).map(([d, t, bc]) => `${d} ${t}${bc}`),
  infinite,
);
const zone = fc
  .tuple(fc.constantFrom("+", "-"), int(0, 15), int(0, 59))
  .map(([s, h, m]) => `${s}${pad(h)}:${pad(m)}`);
const timestamptz = fc.oneof(
  fc.tuple(day, clock, zone, era).map(([d, t, z, bc]) => `${d} ${t}${z}${bc}`),
  infinite,
);
const interval = fc
  .tuple(int(-9999, 9999), int(-11, 11), int(-99, 99), fc.constantFrom("", "-"), clock)
  .map(([y, mon, d, sign, t]) => `${y} years ${mon} mons ${d} days ${sign}${t}`);
const numeric = fc.oneof(
  fc
    .tuple(fc.constantFrom("", "-"), fc.stringMatching(/^\d{1,30}$/), fc.stringMatching(/^(\.\d{0,30})?$/))
    .map((p) => p.join("")),
  fc.tuple(int(-999, 999), int(-60, 60)).map(([m, e]) => `${m}e${e}`),
  fc.constantFrom("NaN", "Infinity", "-Infinity", "0.000", "-0.0", "1e400"),
);
const float8 = fc.double().map((value) => (Object.is(value, -0) ? "-0" : String(value)));
const float4 = fc.float().map((value) => (Object.is(value, -0) ? "-0" : String(value)));
const json = fc.json({ stringUnit: "binary" }).filter((value) => !value.includes("\\u0000"));
const hex = fc.uint8Array({ maxLength: 20 }).map((bytes) => `\\x${Buffer.from(bytes).toString("hex")}`);
const range = fc.tuple(int(-99, 99), int(0, 99)).map(([low, width]) => `[${low},${low + width})`);
const point = fc.tuple(int(-99, 99), int(-99, 99)).map((p) => `(${p.join(",")})`);
const box = fc.tuple(point, point).map((p) => p.join(","));
const small = int(-32_768, 32_767).map(String);
const bits = fc.stringMatching(/^[01]{5}$/);
const word = fc.stringMatching(/^[a-z]{1,8}$/);
const mood = fc.constantFrom("happy", "not so, {sad}", 'the "third"');

/** Postgres types and how to write random values of them. */
const scalars: Record<string, fc.Arbitrary<string>> = {
  bool: fc.constantFrom("true", "false"),
  int2: small,
  int4: int(-(2 ** 31), 2 ** 31 - 1).map(String),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  float4,
  float8,
  numeric,
  "numeric(12,4)": int(-99_999_999, 99_999_999).map((value) => String(value / 1000)),
  text,
  "varchar(60)": text,
  "char(50)": text.map((value) => [...value].slice(0, 40).join("")),
  name: word,
  '"char"': word,
  bytea: hex,
  uuid: fc.uuid(),
  date,
  time: clock,
  timetz: fc.tuple(clock, zone).map((parts) => parts.join("")),
  timestamp,
  timestamptz,
  "timestamptz(3)": timestamptz,
  interval,
  jsonb: json,
  inet: fc.oneof(fc.ipV4(), fc.ipV6()),
  cidr: fc.ipV4().map((ip) => `${ip}/32`),
  macaddr: fc.constantFrom("08:00:2b:01:02:03", "ff:ff:ff:00:00:01"),
  "bit(5)": bits,
  varbit: bits,
  money: int(-9_999_999, 9_999_999).map((cents) => String(cents / 100)),
  tsvector: fc.array(word, { maxLength: 5 }).map((words) => words.map((w) => `'${w} "x'`).join(" ")),
  tsquery: fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(" & ")),
  point,
  box,
  int4range: range,
  tstzrange: fc.tuple(day, day).map((days) => `[${days.sort().join(",")}]`),
  int4multirange: range.map((value) => `{${value}}`),
  oid: fc.nat().map(String),
  regclass: fc.constantFrom("pg_class", "public.thing"),
  pg_lsn: fc.constantFrom("0/0", "16/B374D848"),
  jsonpath: fc.constantFrom("$.a", '$."b c"[*] ? (@ > 1)'),
  int2vector: fc.array(small, { maxLength: 4 }).map((list) => list.join(" ")),
  oidvector: fc.array(fc.nat().map(String), { maxLength: 4 }).map((list) => list.join(" ")),
  mood,
  positive: int(1, 9999).map(String),
  labels: fc.array(text, { maxLength: 3 }).map(literal),
};

const quoted = (value: string) => `"${value.replace(/["\\]/g, "\\$&")}"`;

function literal(values: readonly (string | null)[], delimiter = ","): string {
  return `{${values.map((value) => (value === null ? "NULL" : quoted(value))).join(delimiter)}}`;
}

/** Array literals: flat ones with NULLs, two-dimensional ones, empty ones, and ones with bounds of their own. */
function arraysOf(element: fc.Arbitrary<string>, delimiter: string): fc.Arbitrary<string> {
  const cell = fc.option(element, { freq: 5 });
  const flat = fc.array(cell, { maxLength: 5 }).map((values) => literal(values, delimiter));
  const rows = (width: number) =>
    fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 3 });
  const nested = int(1, 3)
    .chain(rows)
    .map((list) => `{${list.map((values) => literal(values, delimiter)).join(delimiter)}}`);
  const bounded = fc.tuple(cell, cell).map((pair) => `[-3:-2]=${literal(pair, delimiter)}`);
  return fc.oneof(flat, nested, bounded);
}

const arrays = Object.fromEntries(
  ["int4", "text", "bool", "float8", "numeric", "jsonb", "timestamptz", "timestamp", "date", "uuid", "bytea"]
    .concat(["box", "interval", "int2vector", "mood", "positive", "tstzrange"])
    .map((type) => [`${type}[]`, arraysOf(scalars[type]!, type === "box" ? ";" : ",")]),
);

let postgres: PostgresFixture;
let client: Client;
let types: UserTypes;

beforeAll(async () => {
  postgres = await startPostgres();
  client = await postgres.connect();
  await client.query("CREATE TABLE thing (id int)");
  await client.query(`CREATE TYPE mood AS ENUM ('happy', 'not so, {sad}', 'the "third"')`);
  await client.query("CREATE DOMAIN positive AS int CHECK (value > 0)");
  await client.query("CREATE DOMAIN labels AS text[]");
  types = await loadUserTypes(client);
});

afterAll(() => postgres.stop());

const asText = { getTypeParser: () => (value: unknown) => value };

/** Each value as its output function prints it (a cast to text may differ), with its type and its `to_jsonb` form. */
async function ask(type: string, values: readonly string[]) {
  const { rows } = await client.query<{ value: string; json: string; oid: string }>({
    text: `SELECT v AS value, to_jsonb(v)::text AS json, pg_typeof(v)::oid AS oid
       FROM unnest($1::text[]) WITH ORDINALITY u(x, n), LATERAL (SELECT CAST(x AS ${type}) AS v) c ORDER BY n`,
    values: [values],
    types: asText as never,
  });
  expect(rows).toHaveLength(values.length);
  return rows;
}

describe("renderJson", () => {
  for (const [type, arbitrary] of Object.entries({ ...scalars, ...arrays })) {
    it(`prints ${type} as to_jsonb does (seed ${seed})`, async () => {
      const values = fc.sample(arbitrary, { seed, numRuns: perType });
      for (const { value, json, oid } of await ask(type, values)) {
        expect(renderJson(value, Number(oid), types), value).toBe(json);
        JSON.parse(json);
      }
    });
  }

  it(`keeps json as it was written, alone and in arrays (seed ${seed})`, async () => {
    const values = fc.sample(json, { seed, numRuns: perType });
    for (const { value, json, oid } of await ask("json", values)) {
      expect(renderJson(value, Number(oid))).toBe(value);
      expect(JSON.parse(renderJson(value, Number(oid)))).toEqual(JSON.parse(json));
    }
    const lists = fc.sample(arraysOf(json, ","), { seed, numRuns: perType });
    for (const { value, json, oid } of await ask("json[]", lists)) {
      expect(JSON.parse(renderJson(value, Number(oid)))).toEqual(JSON.parse(json));
    }
  });

  it("prints SQL NULL as null, and a type it does not know as a string", () => {
    expect(renderJson(null, 23)).toBe("null");
    expect(renderJson('(1,"a b")', 4_000_000)).toBe('"(1,\\"a b\\")"');
    expect(jsonRenderer(4_000_000)("x")).toBe('"x"');
  });

  it("refuses array text that Postgres would not print", () => {
    for (const bad of ["", "1", "{", "{1", "{1}}", '{"a', '{"a"b}', "{{1}"]) {
      expect(() => renderJson(bad, 1007), bad).toThrow("not logical replication protocol");
    }
  });

  it("knows every array type of the server", async () => {
    const { rows } = await client.query<{ array: string; element: string }>(
      `SELECT a.oid AS array, e.oid AS element FROM pg_type e JOIN pg_type a ON a.oid = e.typarray
        WHERE a.oid < 10000 AND e.typtype <> 'p' ORDER BY a.oid`,
    );
    const ours = new Map(arrayTypes);
    for (const { array, element } of rows) expect(ours.get(Number(array)), array).toBe(Number(element));
    const { rows: others } = await client.query(
      "SELECT typname FROM pg_type WHERE typdelim <> ',' AND oid < 10000 AND typelem = 0 OR typname = 'box'",
    );
    expect(others).toEqual([{ typname: "box" }]);
  });
});
