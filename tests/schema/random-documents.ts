import fc from "fast-check";
import type { Document } from "./schema-app.ts";

/** What a column of a type may carry besides; every one of them fits whatever the rest of the table is. */
const KINDS: readonly { type: string; defaults: readonly unknown[]; checks: readonly string[] }[] = [
  { type: "int", defaults: [0, "-7", "1+1"], checks: ["# > 0", "#>=-100 and # <100", "# in (1,2,3)"] },
  { type: "bigint", defaults: ["9007199254740993"], checks: ["# <> 5"] },
  { type: "numeric(12,3)", defaults: ["1.5", -2], checks: ["round(#) = #"] },
  { type: "float8", defaults: ["0.1", "random()"], checks: ["abs(#)<1e10"] },
  {
    type: "text",
    defaults: ["'x'", "'it''s'", "upper('a')"],
    checks: ["length(#)<9", "# ~ '^a'", "# is not null or 1=2"],
  },
  { type: "varchar(9)", defaults: ["'abc'", "''"], checks: ["# <> ''", "lower(#) = #"] },
  { type: "char(4)", defaults: ["'ab'"], checks: ["# > 'a'"] },
  { type: "bool", defaults: [true, "not false"], checks: ["#"] },
  { type: "timestamptz", defaults: ["now()", "now()-interval '1 day'"], checks: ["# > '2020-01-01'"] },
  { type: "date", defaults: ["current_date", "'2026-01-02'"], checks: ["extract(year from #) > 2000"] },
  { type: "interval", defaults: ["'1 hour'"], checks: ["# > interval '0'"] },
  { type: "uuid", defaults: ["gen_random_uuid()"], checks: ["# is not null"] },
  { type: "jsonb", defaults: ["'{}'", "'[1]'"], checks: ["jsonb_typeof(#) = 'object'", "# ? 'a'"] },
  { type: "text[]", defaults: ["'{}'", "array['a']"], checks: ["cardinality(#) < 5", "'a' = any(#)"] },
  { type: "bytea", defaults: ["'\\x00'"], checks: ["length(#) < 10"] },
  { type: "mood", defaults: ["'low'"], checks: ["# <> 'low'", "#::text like 'l%'"] },
];

const flag = fc.boolean();
/** `value` in one case out of `oneIn`, and nothing otherwise. */
const sometimes = <T>(value: fc.Arbitrary<T>, oneIn = 3): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq: oneIn - 1 });
const pruned = (value: Document): Document =>
  Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined));

const column = (name: string): fc.Arbitrary<Document> =>
  fc.constantFrom(...KINDS).chain((kind) =>
    fc
      .record({
        type: fc.constant(kind.type),
        nullable: sometimes(flag),
        default: sometimes(fc.constantFrom(...kind.defaults)),
        check: sometimes(
          fc.constantFrom(...kind.checks).map((check) => check.replaceAll("#", name)),
          4,
        ),
        unique: sometimes(fc.constant(true), 6),
        comment: sometimes(fc.constantFrom("a comment", "it's \\ odd"), 6),
        readableBy: sometimes(
          fc.subarray(["anon", "user"]).map((readers) => [...readers, "service"]),
          6,
        ),
      })
      .map((made) => {
        // JSON and arrays of it have no order, so nothing unique can rest on them.
        const plain = pruned(made);
        if (/bytea|json|\[\]/.test(kind.type)) delete plain.unique;
        return plain;
      }),
  );

const KEYS: readonly Document[] = [
  { type: "serial" },
  { type: "bigint", identity: "always" },
  { type: "uuid", default: "gen_random_uuid()" },
  { type: "int" },
];

/** A table over the columns a…e with a key, and what may hang on them. */
const table = (name: string, others: readonly string[]): fc.Arbitrary<Document> =>
  fc
    .record({
      key: fc.constantFrom(...KEYS),
      names: fc.subarray(["a", "b", "c", "d", "e"], { minLength: 1 }),
      columns: fc.record({ a: column("a"), b: column("b"), c: column("c"), d: column("d"), e: column("e") }),
      reference: sometimes(fc.constantFrom("CASCADE", "SET NULL", "RESTRICT", undefined)),
      target: fc.constantFrom(...others),
      generated: sometimes(fc.constant(true)),
      indexed: fc.array(
        fc.record({ unique: flag, descending: flag, nullsFirst: flag, part: flag, lowered: flag }),
        { maxLength: 2 },
      ),
      comment: sometimes(fc.constant("of the table"), 4),
    })
    .map(({ key, names, columns, reference, target, generated, indexed, comment }) => {
      const own = Object.fromEntries(names.map((each) => [each, columns[each as "a"]]));
      const first = names[0]!;
      // No index rests on JSON, arrays or bytes: not every method orders them.
      const sortable = names.filter((each) => !/bytea|json|\[\]/.test(own[each]!.type));
      const indexes = indexed.flatMap(({ unique, descending, nullsFirst, part, lowered }, i) => {
        const on = sortable[i % Math.max(1, sortable.length)];
        if (on === undefined) return [];
        const keyed = lowered
          ? { expression: `lower(${on}::text)` }
          : { column: on, ...(nullsFirst ? { nulls: "first" } : {}) };
        const usable =
          lowered && !/^(int|bigint|numeric.*|text|varchar.*|uuid)$/.test(own[on]!.type)
            ? { column: on }
            : keyed;
        return [
          [
            `${name}_i${i}`,
            pruned({
              columns: [descending ? { ...usable, order: "desc" } : usable, "id"],
              unique: unique ? true : undefined,
              where: part ? `${on} is not null` : undefined,
            }),
          ] as const,
        ];
      });
      return pruned({
        comment,
        columns: {
          id: { ...key, primaryKey: true },
          ...own,
          ...(generated ? { made: { type: "bool", generated: `${first} is null` } } : {}),
          ...(reference === undefined && target === name
            ? {}
            : {
                ref: {
                  type: "int",
                  references: pruned({ table: target, column: "code", onDelete: reference }),
                },
              }),
          code: { type: "int", unique: true },
        },
        indexes: indexes.length > 0 ? Object.fromEntries(indexes) : undefined,
      });
    });

const NAMES = ["one", "two", "three"];

/** A document that an empty app can take over. */
export const documents: fc.Arbitrary<Document> = fc
  .record({ one: table("one", NAMES), two: table("two", NAMES), three: table("three", NAMES) })
  .map((tables) => ({ enums: { mood: ["low", "mid", "high"] }, tables }));

/**
 * What of the second document can be reached from the first without a loss: its tables without the columns whose type
 * or source of values is another one.
 */
export function reachable(first: Document, second: Document): Document {
  const tables = structuredClone(second.tables);
  for (const [name, part] of Object.entries<Document>(tables)) {
    const before: Document = first.tables[name].columns;
    for (const [column, wanted] of Object.entries<Document>(part.columns)) {
      const now = before[column];
      if (now === undefined) continue;
      if (now.type !== wanted.type || now.generated !== wanted.generated || column === "id")
        part.columns[column] = now;
    }
  }
  return { ...second, tables };
}
