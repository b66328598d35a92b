import fc from "fast-check";

/** Random documents whose parts can follow each other on the same tables without losing a cast. */

type Json = Record<string, unknown>;
export interface TestDocument {
  readonly tables: Record<string, TestTable>;
  readonly enums: { mood: string[] };
}
export interface TestTable {
  readonly columns: Record<string, Json>;
  readonly primaryKey?: string[];
  readonly uniques?: Json;
  readonly checks?: Record<string, string>;
  readonly indexes?: Json;
  readonly foreignKeys?: Json;
  readonly comment?: string;
}

const pick = <T>(...values: T[]) => fc.constantFrom(...values);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const defined = (value: Json): Json =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));

const common = {
  nullable: maybe(fc.boolean()),
  unique: maybe(fc.boolean()),
  comment: maybe(pick("a note", "it's", "")),
  readableBy: maybe(pick(["user"], ["anon", "user", "service"], ["service"], ["anon"], [])),
};
const column = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ ...common, ...fields }).map(defined);

const COLUMNS: Record<string, fc.Arbitrary<Json>> = {
  title: column({
    type: pick("text", "varchar(20)", "VARCHAR (50)", "character varying(20)", "char(4)", "citext"),
    default: maybe(pick("'x'", "'it''s'", "'(a'", "upper('q')", "''")),
    check: maybe(pick("length(title) > 2", "title  <>'no' OR title IS NULL")),
  }),
  note: column({ type: pick("text", "varchar"), default: maybe(pick("null", "NULL", "'a' || 'b'")) }),
  amount: column({
    type: pick(
      "int",
      "int4",
      "INTEGER",
      "smallint",
      "int2",
      "bigint",
      "decimal(8,2)",
      "numeric(10)",
      "numeric",
      "float8",
      "real",
      "double precision",
    ),
    default: maybe(pick<unknown>(0, "1", -1, "(2 + 3)", "abs(-4)")),
    check: maybe(pick("amount >= 0", "(amount > 0) and amount < 1000")),
  }),
  at: column({
    type: pick("timestamptz", "timestamp with time zone", "timestamp", "timestamptz(3)"),
    default: maybe(pick("now()", "CURRENT_TIMESTAMP", "NOW() + interval '1 day'")),
  }),
  day: column({ type: pick("date"), default: maybe(pick("current_date")) }),
  feeling: column({
    type: pick("mood", "text"),
    default: maybe(pick("'ok'")),
    check: maybe(pick("feeling = 'ok'", "feeling in ('ok', 'ok')", "feeling is not null")),
  }),
  feelings: column({ type: pick("mood[]"), default: maybe(pick("'{}'")) }),
  tags: column({
    type: pick("text[]", "varchar(9)[]", "text array"),
    default: maybe(pick("'{}'", "ARRAY['a','b']", "'{}'::text[]")),
  }),
  extra: column({
    type: pick("json", "jsonb"),
    unique: fc.constant(undefined),
    default: maybe(pick("'{}'", `'{"a": 1}'`)),
  }),
  flag: column({ type: pick("bool", "boolean"), default: maybe(pick<unknown>(true, "false", "not true")) }),
  computed: column({
    type: pick("text"),
    nullable: fc.constant(undefined),
    generated: pick("md5('a')", "repeat('B', 2)"),
  }),
};

const id = fc
  .record({
    type: pick("serial", "bigserial", "int", "bigint", "SERIAL8"),
    identity: maybe(pick("always", "by_default")),
  })
  .map(({ type, identity }) => defined({ type, identity: /serial/i.test(type) ? undefined : identity }));

const KEYS: Record<string, (table: string) => Json> = {
  by_title: () => ({ columns: ["title"] }),
  by_lower: () => ({ columns: [{ expression: "lower(note)" }, "id"], unique: true }),
  recent: () => ({
    columns: [
      { column: "at", order: "desc" },
      { column: "id", nulls: "first" },
    ],
    where: "amount>1",
  }),
  trigram: () => ({ columns: ["note"], method: "gin", opclass: "gin_trgm_ops" }),
  inside: () => ({ columns: ["tags"], method: "gin" }),
};

const indexes = (table: string) =>
  fc
    .uniqueArray(fc.tuple(pick(...Object.keys(KEYS)), fc.boolean()), { selector: ([name]) => name })
    .map((chosen) =>
      Object.fromEntries(
        chosen.map(([name, other]) => {
          const index = KEYS[name]!(table);
          return [
            `${table}_${name}`,
            other && index.method === undefined
              ? {
                  ...index,
                  columns: [
                    "id",
                    ...(index.columns as unknown[]).filter(
                      (key) => key !== "id" && (key as Json).column !== "id",
                    ),
                  ],
                }
              : index,
          ];
        }),
      ),
    );

const table = (name: string): fc.Arbitrary<TestTable> =>
  fc
    .record({
      id,
      chosen: fc.record(
        Object.fromEntries(Object.entries(COLUMNS).map(([key, value]) => [key, maybe(value)])),
      ),
      compositeKey: fc.boolean(),
      pair: fc.boolean(),
      rule: maybe(pick("id > 0", "id>0 and id<1000000")),
      indexes: indexes(name),
      comment: maybe(pick("rows")),
      parent: maybe(pick("CASCADE", "set null", "no action")),
    })
    .map((parts) => {
      const columns: Record<string, Json> = { id: parts.id };
      for (const [key, value] of Object.entries(parts.chosen))
        if (value !== undefined) columns[key] = value as Json;
      const composite = parts.compositeKey && columns.day !== undefined;
      if (!composite) columns.id = { ...columns.id, primaryKey: true };
      if (parts.parent !== undefined && !composite) {
        columns.parent = {
          type: "bigint",
          references: { table: name, column: "id", onDelete: parts.parent },
        };
      }
      const present = (key: unknown) =>
        typeof key === "string"
          ? key in columns
          : (key as Json).column === undefined || String((key as Json).column) in columns;
      const usable = Object.entries(parts.indexes).filter(
        ([key, index]) =>
          (index.columns as unknown[]).every(present) &&
          (!key.endsWith("by_lower") || "note" in columns) &&
          (!key.endsWith("recent") || "amount" in columns) &&
          !(key.endsWith("by_lower") && "note" in columns === false),
      );
      return {
        columns,
        ...(composite ? { primaryKey: ["day", "id"] } : {}),
        ...(parts.pair && "amount" in columns
          ? { uniques: { [`${name}_pair`]: { columns: ["amount", "id"] } } }
          : {}),
        ...(parts.rule === undefined ? {} : { checks: { [`${name}_rule`]: parts.rule } }),
        ...(usable.length > 0 ? { indexes: Object.fromEntries(usable) } : {}),
        comment: parts.comment ?? "",
      };
    });

const values = fc
  .shuffledSubarray(["ok", "bad", "it's"], { minLength: 1 })
  .map((list) => (list.includes("ok") ? list : ["ok", ...list]));

/** A document with one to three tables. */
export const document: fc.Arbitrary<TestDocument> = fc
  .record({ one: table("one"), two: maybe(table("two")), three: maybe(table("three")), mood: values })
  .map(({ mood, ...tables }) => ({
    tables: Object.fromEntries(Object.entries(tables).filter(([, value]) => value !== undefined)) as Record<
      string,
      TestTable
    >,
    enums: { mood },
  }));

const missing = (before: object = {}, after: object = {}) =>
  Object.keys(before).filter((key) => !(key in after));

/** `after` with everything in it that authorises what it takes away from `before`. */
export function authorised(before: TestDocument, after: TestDocument): Json {
  const tables = Object.entries(after.tables).map(([name, next]) => {
    const then = before.tables[name];
    const columns = Object.entries(next.columns).map(([key, value]) => [
      key,
      { ...value, allowTypeChange: true },
    ]);
    return [
      name,
      {
        ...next,
        columns: Object.fromEntries(columns),
        _dropPrimaryKey: true,
        _dropColumns: missing(then?.columns, next.columns),
        _dropIndexes: missing(then?.indexes, next.indexes),
        _dropUniques: missing(then?.uniques, next.uniques),
        _dropChecks: missing(then?.checks, next.checks),
      },
    ];
  });
  return {
    tables: Object.fromEntries(tables),
    enums: after.enums,
    _drop: missing(before.tables, after.tables),
    _dropEnumValues: { mood: before.enums.mood },
  };
}
