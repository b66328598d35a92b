import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Filter } from "./ast.ts";
import { parsePairs } from "./query-params.ts";
import { type Library, openLibrary } from "./testing/library.ts";

/** Random requests on random rows, NULLs included: Postgres has to answer what plain JavaScript computes. */
let library: Library;
beforeAll(async () => {
  library = await openLibrary();
  await library.owner(
    "create table facts (id integer primary key, n integer, s text, b boolean, tags text[], doc jsonb)",
  );
});
afterAll(() => library.stop());

interface Fact {
  id: number;
  n: number | null;
  s: string | null;
  b: boolean | null;
  tags: string[] | null;
  doc: { k: string | null } | null;
}

const words = fc.constantFrom(
  "",
  "a",
  "b",
  "ab",
  "A",
  'q"',
  "x,y",
  "(z)",
  "back\\slash",
  "ü",
  "50%",
  "it's",
  " pad ",
);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 3, nil: null });
const facts = fc
  .array(
    fc.record({
      n: maybe(fc.integer({ min: -3, max: 3 })),
      s: maybe(words),
      b: maybe(fc.boolean()),
      tags: maybe(fc.array(words, { maxLength: 3 })),
      doc: maybe(fc.record({ k: maybe(words) })),
    }),
    { maxLength: 12 },
  )
  .map((rows): Fact[] => rows.map((row, index) => ({ id: index + 1, ...row })));

const quote = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
const not = fc.constantFrom("", "not.");
const comparison = fc.constantFrom("eq", "neq", "gt", "gte", "lt", "lte");

/** A condition as `column.operation.value`, quoted as inside a group. */
const term = fc.oneof(
  fc.tuple(not, comparison, fc.integer({ min: -3, max: 3 })).map(([n, op, v]) => `n.${n}${op}.${v}`),
  fc.tuple(not, comparison, words).map(([n, op, v]) => `s.${n}${op}.${quote(v)}`),
  fc.tuple(not, fc.constantFrom("eq", "neq"), words).map(([n, op, v]) => `doc->>k.${n}${op}.${quote(v)}`),
  fc.tuple(not, fc.array(words, { maxLength: 3 })).map(([n, v]) => `s.${n}in.(${v.map(quote).join(",")})`),
  fc
    .tuple(not, fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 3 }))
    .map(([n, v]) => `n.${n}in.(${v.join(",")})`),
  fc
    .tuple(not, fc.constantFrom("s", "n", "b", "tags", "doc", "doc->>k"), fc.constantFrom("null", "not_null"))
    .map(([n, c, v]) => `${c}.${n}is.${v}`),
  fc.tuple(not, fc.constantFrom("true", "false", "unknown")).map(([n, v]) => `b.${n}is.${v}`),
  fc
    .tuple(not, fc.constantFrom("cs", "cd"), fc.array(words, { maxLength: 2 }))
    .map(([n, op, v]) => `tags.${n}${op}.${quote(JSON.stringify(v))}`),
);
const condition = fc.letrec<{ any: string; group: string }>((tie) => ({
  any: fc.oneof({ maxDepth: 4, withCrossShrink: true }, term, tie("group")),
  group: fc
    .tuple(not, fc.constantFrom("and", "or"), fc.array(tie("any"), { minLength: 1, maxLength: 3 }))
    .map(([n, join, terms]) => `${n}${join}(${terms.join(",")})`),
})).any;

/** SQL's truth: null is unknown. */
type Truth = boolean | null;
const negate = (value: Truth): Truth => (value === null ? null : !value);

function holds(filter: Filter, fact: Fact): Truth {
  const plain = meaning(filter, fact);
  return filter.negated ? negate(plain) : plain;
}

function meaning(filter: Filter, fact: Fact): Truth {
  if (filter.kind === "group") {
    const truths = filter.terms.map((one) => holds(one, fact));
    const decisive = filter.join === "or";
    if (truths.includes(decisive)) return decisive;
    return truths.includes(null) ? null : !decisive;
  }
  const { column, steps } = filter.path;
  const value = steps.length > 0 ? (fact.doc?.k ?? null) : fact[column as keyof Fact];
  if (filter.kind === "is") {
    if (filter.value === "null") return value === null;
    if (filter.value === "not_null") return value !== null;
    return filter.value === "unknown" ? value === null : value === (filter.value === "true");
  }
  if (filter.kind === "in") {
    if (filter.values.length === 0) return false;
    return value === null ? null : filter.values.includes(String(value));
  }
  if (value === null) return null;
  if (filter.op === "cs")
    return (JSON.parse(filter.value) as string[]).every((one) => (value as string[]).includes(one));
  if (filter.op === "cd")
    return (value as string[]).every((one) => (JSON.parse(filter.value) as string[]).includes(one));
  const order =
    typeof value === "number" ? value - Number(filter.value) : byteOrder(String(value), filter.value);
  return {
    eq: order === 0,
    neq: order !== 0,
    gt: order > 0,
    gte: order >= 0,
    lt: order < 0,
    lte: order <= 0,
  }[filter.op as "eq"];
}

/** The order of text in the database: code points (C.UTF-8). */
const byteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function store(rows: readonly Fact[]): Promise<void> {
  await library.owner("truncate facts");
  const target = {
    appId: library.app.id,
    identity: { role: "service" as const, claims: null },
    table: "facts",
  };
  const options = { minimal: true, resolution: null };
  await library.data.insert(target, JSON.stringify(rows), parsePairs([]), options);
}

async function ids(query: string): Promise<{ ids: number[]; cursor: string | undefined }> {
  const answer = await library.send("GET", `facts?${query}`, { as: "service" });
  expect(answer.status, answer.text).toBe(200);
  return { ids: answer.json.map((row: Fact) => row.id), cursor: answer.headers["x-ambit-next-cursor"] };
}

it("filters as three-valued logic says", async () => {
  await fc.assert(
    fc.asyncProperty(
      facts,
      fc.array(condition, { minLength: 1, maxLength: 12 }),
      async (rows, conditions) => {
        await store(rows);
        for (const text of conditions) {
          const and = `(${text})`;
          const { filters } = parsePairs([["and", and]]);
          const expected = rows.filter((row) => holds(filters[0]!, row) === true).map((row) => row.id);
          expect((await ids(`order=id&and=${encodeURIComponent(and)}`)).ids, text).toEqual(expected);
        }
      },
    ),
    { numRuns: 40 },
  );
});

it("reaches every row exactly once by cursor, whatever the order", async () => {
  const key = fc.tuple(
    fc.constantFrom("n", "s", "b", "doc->>k", "id"),
    fc.constantFrom("", ".asc", ".desc"),
    fc.constantFrom("", ".nullsfirst", ".nullslast"),
  );
  const order = fc.uniqueArray(key, { minLength: 1, maxLength: 3, selector: ([column]) => column });
  await fc.assert(
    fc.asyncProperty(facts, order, fc.integer({ min: 1, max: 5 }), async (rows, keys, limit) => {
      await store(rows);
      const text = keys.map((parts) => parts.join("")).join(",");
      const whole = (await ids(`order=${text},id`)).ids;
      const seen: number[] = [];
      let cursor: string | undefined = "";
      for (let page = 0; cursor !== undefined && page <= rows.length; page++) {
        const next = await ids(`order=${text}&limit=${limit}${cursor === "" ? "" : `&after=${cursor}`}`);
        seen.push(...next.ids);
        cursor = next.cursor;
      }
      expect(seen).toEqual(whole);
      expect(seen).toHaveLength(rows.length);
    }),
    { numRuns: 60 },
  );
});
