import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseFilter } from "./parse.ts";
import { type FilterWorld, filterWorld, reader, type Texts } from "./testing/world.ts";
import type { FilterTable, RowFilter } from "./types.ts";

/**
 * Random filters on random rows of every type: what a filter says by itself, what Postgres says of it over texts, and
 * what a request for rows with the same query gives are one and the same.
 */
let world: FilterWorld;
let table: FilterTable;
beforeAll(async () => {
  world = await filterWorld();
  await world.owner("create type mood as enum ('fine', 'so so', 'ü')");
  await world.owner(
    "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
  );
  await world.owner("create domain tag as text check (value <> 'never')");
  await world.owner(`create table "Things" (
    id int primary key, b boolean, i2 int2, i4 int4, i8 int8, n numeric, n2 numeric(12,2), f8 float8, f4 real, u uuid,
    s text, v varchar(20), c char(3), sc text collate "C", si text collate "unicode", sn text collate nocase, ci extensions.citext,
    d date, ts timestamp, tz timestamptz, m mood, t tag, tags text[], doc jsonb, raw json, "od""d" text)`);
  table = await world.table("Things");
});
afterAll(() => world?.test.stop());

const words = [
  ...[
    "",
    "a",
    "ab",
    "abc",
    "A",
    "Ab",
    "aB",
    'q"',
    "x,y",
    "(z)",
    "back\\slash",
    "ü",
    "Ü",
    "straße",
    "50%",
    "a_c",
  ],
  ...[
    "it's",
    " pad ",
    "pad",
    "\u{1f600}",
    "\ufffd",
    "a\u{1f600}c",
    "İ",
    "i",
    "I",
    "K",
    "\u212a",
    "'; drop table x;--",
  ],
];
const uuids = ["00000000-0000-4000-8000-00000000000a", "ffffffff-ffff-4fff-8fff-fffffffffff0"];

/** Values of a column as a client or a row may have them: all of them are valid. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  b: ["true", "false", "t", "f", "yes", "off", "TRUE", "1"],
  i2: ["0", "-1", "32767", "-32768", "+7", " 7 ", "007"],
  i4: ["0", "-1", "2147483647", "-2147483648", "18", "0x12"],
  i8: ["0", "-1", "9007199254740993", "9007199254740992", "-9223372036854775808", "1_000"],
  n: [
    "0",
    "-0",
    "1.5",
    "1.50",
    "-1.5",
    "01.5",
    ".5",
    "5.",
    "1e3",
    "1000",
    "NaN",
    "Infinity",
    "-Infinity",
    "9007199254740993.000000001",
    "12",
    "21.05",
    "-21.5",
  ],
  n2: ["0", "1.5", "-1.50", "99999.99", "1.505"],
  f8: ["0", "-0", "1.5", "0.1", "1e10", "1e300", "NaN", "Infinity", "-2.25", "0.30000000000000004"],
  f4: ["0", "1.5", "0.1", "NaN"],
  u: [...uuids, uuids[1]!.toUpperCase(), `{${uuids[0]}}`, uuids[0]!.replaceAll("-", "")],
  s: words,
  v: words.filter((word) => word.length <= 20),
  c: ["a", "ab", "abc", "a  ", ""],
  sc: words,
  si: words,
  sn: words,
  ci: words,
  'od"d': words,
  d: ["2024-02-29", "2024-03-01", "0044-03-15 BC", "infinity", "10000-01-01", "20240229", "0099-01-01"],
  ts: [
    "2024-02-29 12:00:00",
    "2024-02-29T12:00:00.5",
    "2024-02-29 12:00:00.500001",
    "infinity",
    "2024-02-29",
    "2024-02-28 24:00:00",
  ],
  tz: [
    "2024-02-29 12:00:00Z",
    "2024-02-29T14:00:00+02:00",
    "2024-02-29 12:00:00.5+00",
    "2024-02-29 06:30:00-05:30",
    "2024-02-29 12:00:00",
    "-infinity",
    "0099-01-01 00:00:00+00",
  ],
  m: ["fine", "so so", "ü"],
  t: words,
};
const scalars = Object.keys(VALUES);
const TEXTS = ["s", "v", "sc", "si", "t", 'od"d', "ci", "c"];

const lists = fc.array(fc.constantFrom("a", "b", 'q"', "x,y"), { maxLength: 3 });
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4, nil: null });
const rowOf = fc.record({
  ...Object.fromEntries(scalars.map((name) => [name, orNull(fc.constantFrom(...VALUES[name]!))])),
  tags: orNull(lists),
  doc: orNull(fc.record({ k: orNull(fc.constantFrom("a", "1", "ü")), n: fc.integer({ min: -1, max: 1 }) })),
  raw: orNull(fc.constantFrom({ k: "a" }, { k: 1 }, [1, 2])),
});

const quote = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
const named = (name: string) => (name.includes('"') ? quote(name) : name);
const not = fc.constantFrom("", "not.");
const scalar = fc.constantFrom(...scalars).chain((name) =>
  fc.oneof(
    fc
      .tuple(not, fc.constantFrom("eq", "neq", "gt", "gte", "lt", "lte"), fc.constantFrom(...VALUES[name]!))
      .map(([n, op, value]) => `${named(name)}.${n}${op}.${quote(value)}`),
    fc
      .tuple(not, fc.array(fc.constantFrom(...VALUES[name]!), { maxLength: 3 }))
      .map(([n, values]) => `${named(name)}.${n}in.(${values.map(quote).join(",")})`),
    fc.tuple(not, fc.constantFrom("null", "not_null")).map(([n, value]) => `${named(name)}.${n}is.${value}`),
  ),
);
const pattern = fc
  .array(fc.constantFrom("%", "_", "a", "A", "b", "ü", "\\\\", "\\%", "\\a", "i", "\u{1f600}", "k", "*"), {
    maxLength: 6,
  })
  .map((parts) => parts.join(""));
const like = fc
  .tuple(
    fc.constantFrom(...TEXTS),
    not,
    fc.constantFrom("like", "ilike"),
    fc.oneof(pattern, fc.constantFrom(...words.filter((word) => !word.endsWith("\\")))),
  )
  .map(([name, n, op, value]) => `${named(name)}.${n}${op}.${quote(value)}`);
const others = fc.oneof(
  fc.tuple(not, fc.constantFrom("true", "false", "unknown", "null")).map(([n, value]) => `b.${n}is.${value}`),
  fc
    .tuple(not, fc.constantFrom("cs", "cd"), lists)
    .map(([n, op, value]) => `tags.${n}${op}.${quote(JSON.stringify(value))}`),
  fc
    .tuple(not, fc.constantFrom("eq", "neq"), fc.constantFrom("a", "1", "ü"))
    .map(([n, op, value]) => `doc->>k.${n}${op}.${value}`),
  fc.tuple(not, fc.constantFrom("1", "0")).map(([n, value]) => `doc->n.${n}gt.${value}`),
  fc.constantFrom(
    'doc.cs.{"n":1}',
    "raw.is.null",
    "raw->>k.eq.a",
    "s.fts.ab",
    "tags.is.null",
    "doc->0.is.null",
  ),
);
const condition = fc.letrec<{ any: string; group: string }>((tie) => ({
  any: fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalar, like, scalar, others, tie("group")),
  group: fc
    .tuple(not, fc.constantFrom("and", "or"), fc.array(tie("any"), { minLength: 1, maxLength: 3 }))
    .map(([n, join, terms]) => `${n}${join}(${terms.join(",")})`),
})).any;

async function store(rows: readonly Record<string, unknown>[]): Promise<Texts[]> {
  await world.owner('truncate "Things"');
  const json = JSON.stringify(rows.map((row, at) => ({ ...row, id: at + 1 })));
  await world.owner('insert into "Things" select * from json_populate_recordset(null::"Things", $1::json)', [
    json,
  ]);
  return world.texts(table);
}

async function asApi(text: string): Promise<number[]> {
  const page = await world.data.list(
    { appId: world.appId, identity: { role: "service", claims: null }, table: "Things" },
    `${text}&select=id&order=id`,
    { count: false, cursor: false },
  );
  return (JSON.parse(page.body) as { id: number }[]).map(({ id }) => id);
}

const seed = Number(process.env.SEED ?? 20_260_101);

it("says of every row what Postgres says, itself, over texts, and through the data API", async () => {
  const count = { own: 0, asked: 0, through: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(rowOf, { minLength: 1, maxLength: 8 }),
      fc.array(condition, { minLength: 6, maxLength: 12 }),
      async (rows, conditions) => {
        const texts = await store(rows);
        const queries = conditions.map((text) => `and=${encodeURIComponent(`(${text})`)}`);
        const filters = queries.map((query) => parseFilter(query, table) as RowFilter);
        const judged = await world.judge.judge(world.appId, viewOf(table), filters, texts);
        for (const [at, filter] of filters.entries()) {
          const shown = `${conditions[at]} → ${filter.condition}`;
          const expected = await world.truth(table, filter);
          expect(judged[at], shown).toEqual(expected);
          expect(await asApi(queries[at]!), shown).toEqual(
            expected.flatMap((one, row) => (one ? [row + 1] : [])),
          );
          for (const [row, cells] of texts.entries()) {
            const own = filter.test(reader(table, cells));
            if (own === "sql") expect(filter.needsSql, shown).toBe(true);
            else expect(own, `${shown} of ${JSON.stringify(cells)}`).toBe(expected[row]);
            count[own === "sql" ? "asked" : "own"] += 1;
            if (own === true) count.through += 1;
          }
        }
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 60), seed },
  );
  expect(world.problems).toEqual([]);
  // Not by saying nothing.
  expect(count.own).toBeGreaterThan(count.asked / 2);
  expect(count.through).toBeGreaterThan(count.own / 10);
});

it("compares every value of a type with every other, and every text with every pattern", async () => {
  const length = Math.max(...Object.values(VALUES).map((values) => values.length));
  const rows = Array.from({ length }, (_, at) =>
    Object.fromEntries(scalars.map((name) => [name, VALUES[name]![at % VALUES[name]!.length]])),
  );
  const texts = await store(rows);
  const patterns = words.filter((word) => !word.endsWith("\\"));
  const queries = scalars.flatMap((name) => [
    ...VALUES[name]!.flatMap((value) =>
      ["eq", "lt", "gte"].map((op) => `and=${encodeURIComponent(`(${named(name)}.${op}.${quote(value)})`)}`),
    ),
    ...(TEXTS.includes(name) ? patterns : []).map(
      (value) => `and=${encodeURIComponent(`(${named(name)}.ilike.${quote(`%${value}_`)})`)}`,
    ),
    ...(TEXTS.includes(name) ? patterns : []).map(
      (value) => `and=${encodeURIComponent(`(${named(name)}.ilike.${quote(value)})`)}`,
    ),
  ]);
  const filters = queries.map((query) => parseFilter(query, table) as RowFilter);
  const judged = await world.judge.judge(world.appId, viewOf(table), filters, texts);
  for (const [at, filter] of filters.entries()) {
    for (const [row, cells] of texts.entries()) {
      expect(judged[at]![row], filter.condition).not.toBeNull();
      const own = filter.test(reader(table, cells));
      if (own !== "sql")
        expect(own, `${filter.condition} of ${JSON.stringify(cells)}`).toBe(judged[at]![row]);
    }
  }
  expect(world.problems).toEqual([]);
});

it("asks Postgres only where it has to", () => {
  const own = [
    ...["b=eq.true", "b=is.unknown", "i2=lt.7", "i4=in.(1,2)", "i8=gte.9007199254740993", `u=lt.${uuids[0]}`],
    ...["s=eq.ü", "s=gt.ü", "v=neq.a", "sc=lte.a", "si=eq.a", "si=in.(a,b)", "m=is.null", "i4=in.()"],
  ];
  // By itself wherever the row is not out of the ordinary.
  const mostly = [
    ...[
      "n=eq.1.5",
      "f8=lt.0.1",
      "d=gte.2024-02-29",
      "ts=lt.2024-02-29T12:00:00.5",
      "tz=eq.2024-02-29T12:00:00Z",
    ],
    ...["m=eq.fine", "m=in.(fine,so so)", "s=like.a%25", "si=like._b", "s=ilike.aB%25"],
  ];
  const always = [
    ...[
      "c=eq.a",
      "si=lt.a",
      "si=ilike.a",
      "ci=eq.a",
      "m=lt.fine",
      "t=eq.a",
      "f4=eq.1",
      "tags=cs.{a}",
      "doc=is.null&raw->>k=eq.a",
    ],
    ...["s=ilike.ü", "s=fts.a", "n=eq.NaN", "i4=eq.x", "tz=eq.2024-02-29 12:00:00", "doc->>k=eq.a"],
  ];
  const ordinary: Record<string, string> = {
    ...{
      b: "t",
      i2: "1",
      i4: "1",
      i8: "1",
      n: "1.5",
      f8: "0.1",
      u: uuids[0]!,
      s: "ab",
      v: "a",
      sc: "a",
      si: "ab",
    },
    ...{ m: "fine", d: "2024-02-29", ts: "2024-02-29 12:00:00", tz: "2024-02-29 12:00:00+00" },
  };
  const row = (column: string) => ordinary[column] ?? "a";
  for (const text of [...own, ...mostly, ...always]) {
    const filter = parseFilter(text, table) as RowFilter;
    expect(filter.needsSql, text).toBe(!own.includes(text));
    expect(typeof filter.test(row), text).toBe(always.includes(text) ? "string" : "boolean");
  }
});

it("says the same of operations given as an object as of the text", async () => {
  const operation = fc.constantFrom(...scalars).chain((column) =>
    fc.record({
      column: fc.constant(column),
      op: fc.constantFrom("eq", "neq", "gt", "gte", "lt", "lte"),
      value: fc.constantFrom(...VALUES[column]!),
      not: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 5 }), (operations) => {
      const object: Record<string, object[]> = {};
      for (const { column, ...rest } of operations) object[column] = [...(object[column] ?? []), rest];
      const given = parseFilter(object, table) as RowFilter;
      const text = Object.entries(object)
        .flatMap(([column, list]) => (list as typeof operations).map((one) => ({ ...one, column })))
        .map(({ column, op, value, not: n }) => `${named(column)}.${n ? "not." : ""}${op}.${quote(value)}`);
      const written = parseFilter(`and=${encodeURIComponent(`(${text.join(",")})`)}`, table) as RowFilter;
      expect(given.condition.replaceAll(/[()]/g, "")).toBe(written.condition.replaceAll(/[()]/g, ""));
    }),
    { seed, numRuns: 200 },
  );
});

it("lets through of plain values what it says, by itself and in SQL", async () => {
  const plain = fc.oneof(
    fc.constantFrom(...words, "1.50", "1", "007", "1e3", "true", "null", "-0"),
    fc.constantFrom(0, -0, 1.5, 18, 1e21, -1, 1000, true, false, null),
    fc.constantFrom({ k: "a", n: 0 }, ["a", "b"], [], [1, 2], { k: 1 }, { k: "a" }),
  );
  const fields = fc.array(fc.tuple(fc.constantFrom(...scalars, "tags", "doc", "raw"), plain), {
    minLength: 1,
    maxLength: 2,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(rowOf, { minLength: 1, maxLength: 8 }),
      fc.array(fields, { minLength: 20, maxLength: 40 }),
      async (rows, filters) => {
        const texts = await store(rows);
        for (const given of filters) {
          const filter = parseFilter(Object.fromEntries(given), table) as RowFilter;
          expect(filter.needsSql).toBe(false);
          const own = texts.map((cells) => filter.test(reader(table, cells)));
          expect(own, `${JSON.stringify(given)} ${filter.condition}`).toEqual(
            await world.truth(table, filter),
          );
        }
      },
    ),
    { numRuns: 15, seed },
  );
});

const viewOf = ({ name, columns }: FilterTable) => ({ table: name, columnTypes: columns });
