import { randomBytes } from "node:crypto";
import type { Dice } from "../../gateway/stand/dice.ts";

/** A kind of column: what the schema says of it, and values it takes, as JSON. */
export interface ColumnKind {
  readonly type: string;
  value(dice: Dice): unknown;
}

const ODD_TEXTS = [
  "",
  "plain",
  "PLAIN",
  "it's",
  'say "hi"',
  "a,b",
  "{x}",
  "back\\slash",
  "line\nbreak",
  "ü–漢🙂",
  "null",
  "\t",
];

/** Types beyond those that policies read. */
export const EXTRAS: Readonly<Record<string, ColumnKind>> = {
  num: { type: "numeric", value: (dice) => dice.pick([0, -1.5, 12.25, 1e12, 99.99, "123456789012345.678"]) },
  at: {
    type: "timestamptz",
    value: (dice) =>
      dice.pick([
        "2026-01-02T03:04:05.678901Z",
        "1999-12-31T23:59:59+05:30",
        "2026-11-22T00:00:00Z",
        "infinity",
      ]),
  },
  data: {
    type: "jsonb",
    value: (dice) =>
      dice.pick([{ a: 1, b: [true, null, "x"] }, [], {}, "text", 5, { deep: { er: { k: "ü" } } }]),
  },
  tags: {
    type: "text[]",
    value: (dice) => dice.pick([[], ["a"], ["a", "b"], ['q"u', "c,d", "{e}", "NULL"], ["b", null]]),
  },
  mood: { type: "mood", value: (dice) => dice.pick(["sad", "ok", "very happy"]) },
  nums: { type: "int[]", value: (dice) => dice.pick([[], [1, 2, 3], [-7, null]]) },
  day: { type: "date", value: (dice) => dice.pick(["2026-02-28", "0001-01-01", "9999-12-31"]) },
  ratio: { type: "double precision", value: (dice) => dice.pick([0.1, -2.5, 1e-7, 3e20]) },
  bytes: { type: "bytea", value: (dice) => dice.pick(["\\x", "\\x00ff10", "\\xdeadbeef"]) },
  code: { type: "varchar(20)", value: (dice) => dice.pick(["abc", "", "ä".repeat(20)]) },
  wide: { type: "bigint", value: (dice) => dice.pick([0, -5, 9_007_199_254_740_991]) },
  ref: { type: "uuid", value: () => "7f000001-0000-4000-8000-000000000001" },
  clock: { type: "time", value: (dice) => dice.pick(["00:00:00", "12:34:56.789", "24:00:00"]) },
  flag: { type: "boolean", value: (dice) => dice.chance(0.5) },
};

/** A text that does not shrink and is kept outside the row. */
export const bigText = (dice: Dice): string => randomBytes(6_000 + dice.int(4_000)).toString("base64");

/** Kinds of keys; each has few values, so that rows come back under the same one. */
export const KEYS: readonly {
  readonly columns: Readonly<Record<string, string>>;
  value(n: number): Record<string, unknown>;
}[] = [
  {
    columns: { id: "uuid" },
    value: (n) => ({ id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}` }),
  },
  { columns: { id: "int" }, value: (n) => ({ id: n }) },
  { columns: { id: "text" }, value: (n) => ({ id: `k${n}` }) },
  { columns: { a: "int", b: "text" }, value: (n) => ({ a: n % 3, b: `b${Math.floor(n / 3)}` }) },
];

/** A row's values but for its key. `people` are ids and addresses of those who may own it. */
export function randomValues(
  dice: Dice,
  extras: readonly string[],
  people: readonly { readonly userId: string | null; readonly email: string | null }[],
): Record<string, unknown> {
  const maybe = <T>(value: T): T | null => (dice.chance(0.12) ? null : value);
  const person = dice.pick(people);
  return {
    owner_id: maybe(dice.pick(people).userId),
    team: maybe(1 + dice.int(4)),
    public: maybe(dice.chance(0.4)),
    archived: maybe(dice.chance(0.25)),
    title: maybe(dice.chance(0.3) ? `${person.email}${dice.pick(["", " wrote"])}` : dice.pick(ODD_TEXTS)),
    secret: maybe(`secret-${dice.int(1_000)}`),
    ...Object.fromEntries(extras.map((name) => [name, maybe(EXTRAS[name]!.value(dice))])),
    ...(dice.chance(0.15) ? { big: maybe(bigText(dice)) } : {}),
  };
}
