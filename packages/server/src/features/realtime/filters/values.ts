import type { FilterColumn } from "./types.ts";

/**
 * How values of a type are compared here, exactly as Postgres compares them. Null in place of a value: only Postgres can
 * tell what the text means. `T` is never null.
 */
export interface Comparing<T> {
  /** A filter's own text, as Postgres would read it. */
  literal(text: string): T | null;
  /** A text as Postgres writes it into the log. */
  cell(text: string): T | null;
  /** Below, at or above zero; of `ordered` types only the sign tells more than equality. */
  compare(a: T, b: T): number;
  /** False: nothing but equality may be asked. */
  readonly ordered: boolean;
  /** Every text of the log is understood. */
  readonly total: boolean;
}

const order = <T extends string | number | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

const TRUTHS = new Map<string, boolean>([
  ...["true", "t", "yes", "y", "on", "1"].map((text): [string, boolean] => [text, true]),
  ...["false", "f", "no", "n", "off", "0"].map((text): [string, boolean] => [text, false]),
]);

const bool: Comparing<boolean> = {
  literal: (text) => TRUTHS.get(text) ?? null,
  cell: (text) => (text === "t" ? true : text === "f" ? false : null),
  compare: (a, b) => Number(a) - Number(b),
  ordered: true,
  total: true,
};

const INTEGER = /^[+-]?\d{1,19}$/;

function integer(bits: number): Comparing<bigint> {
  const most = 2n ** BigInt(bits - 1);
  const read = (text: string): bigint | null => {
    if (!INTEGER.test(text)) return null;
    const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
    return value >= -most && value < most ? value : null;
  };
  return { literal: read, cell: read, compare: order, ordered: true, total: true };
}

/** The usual form in small letters sorts as the bytes do. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const uuid: Comparing<string> = {
  literal: (text) => (UUID.test(text.toLowerCase()) ? text.toLowerCase() : null),
  cell: (text) => (UUID.test(text) ? text : null),
  compare: order,
  ordered: true,
  total: true,
};

/** A decimal number without zeros at its ends: the digits before the point, and those behind it. */
interface Decimal {
  readonly negative: boolean;
  readonly whole: string;
  readonly fraction: string;
}

/** Numbers of moderate length; Postgres' own limits and its infinities are left to Postgres. */
const DECIMAL = /^([+-]?)(\d{1,400})(?:\.(\d{1,400}))?$/;

function decimal(text: string): Decimal | null {
  const found = DECIMAL.exec(text);
  if (found === null) return null;
  const whole = found[2]!.replace(/^0+/, "");
  const fraction = (found[3] ?? "").replace(/0+$/, "");
  return { negative: found[1] === "-" && whole + fraction !== "", whole, fraction };
}

function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.negative !== b.negative) return a.negative ? -1 : 1;
  const size = a.whole.length - b.whole.length || order(a.whole, b.whole) || order(a.fraction, b.fraction);
  return a.negative ? -size : size;
}

const numeric: Comparing<Decimal> = {
  literal: decimal,
  cell: decimal,
  compare: compareDecimals,
  ordered: true,
  total: false,
};

/** Finite numbers that every reader rounds alike; infinities, NaN and what lies near the ends is left to Postgres. */
const FLOAT = /^[+-]?(?=[\d.]{1,17}(?:e|$))\d+(?:\.\d+)?(?:e[+-]?\d{1,2})?$/;

const float8: Comparing<number> = {
  literal: (text) => (FLOAT.test(text) ? Number(text) : null),
  cell: (text) => (/^-?\d+(?:\.\d+)?(?:e[+-]?\d{1,2})?$/.test(text) ? Number(text) : null),
  compare: (a, b) => a - b,
  ordered: true,
  total: false,
};

/** Code points sort as bytes of UTF-8 do; halves of pairs sort above what they should. */
function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [one, two] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one === two) continue;
    const [pairOne, pairTwo] = [one >= 0xd800 && one < 0xe000, two >= 0xd800 && two < 0xe000];
    return pairOne === pairTwo ? one - two : pairOne ? 1 : -1;
  }
  return a.length - b.length;
}

const text = (ordered: boolean): Comparing<string> => ({
  literal: (given) => given,
  cell: (given) => given,
  compare: compareBytes,
  ordered,
  total: true,
});

const anEnum = (labels: readonly string[]): Comparing<string> => {
  const known = new Set(labels);
  const read = (given: string) => (known.has(given) ? given : null);
  return { literal: read, cell: read, compare: order, ordered: false, total: false };
};

const TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** Microseconds since 1970, of a time written with an offset (`zoned`) or without one; null for any other form. */
function instant(given: string, zoned: boolean): bigint | null {
  const found = TIME.exec(given);
  if (found === null || (found[8] !== undefined) !== zoned) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as number[];
  const [years, months] = [year!, month!];
  const milliseconds = Date.UTC(years, months - 1, day, hour, minute, second);
  const date = new Date(milliseconds);
  // Dates that roll over, the hour 24, leap seconds, and years that JavaScript takes for others.
  const asWritten = date.getUTCMonth() === months - 1 && date.getUTCDate() === day && years >= 100;
  if (!asWritten || hour! > 23 || minute! > 59 || second! > 59) return null;
  const offset = offsetMinutes(found[8] ?? "Z");
  if (offset === null) return null;
  return BigInt(milliseconds - offset * 60_000) * 1000n + BigInt((found[7] ?? "").padEnd(6, "0"));
}

function offsetMinutes(written: string): number | null {
  if (written === "Z") return 0;
  const digits = written.slice(1).replace(":", "");
  const [hours, minutes] = [Number(digits.slice(0, 2)), Number(digits.slice(2) || "0")];
  if (hours > 14 || minutes > 59) return null;
  return (written.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

const time = (read: (given: string) => bigint | null): Comparing<bigint> => ({
  literal: read,
  cell: read,
  compare: order,
  ordered: true,
  total: false,
});

const date = time((given) => (given.length === 10 ? instant(`${given} 00:00:00`, false) : null));
const timestamp = time((given) => instant(given, false));
const timestamptz = time((given) => instant(given, true));

/** Object ids Postgres fixes for its own types (pg_type.dat). */
const BUILTIN: ReadonlyMap<number, Comparing<unknown>> = new Map([
  [16, bool],
  [20, integer(64)],
  [21, integer(16)],
  [23, integer(32)],
  [701, float8],
  [1082, date],
  [1114, timestamp],
  [1184, timestamptz],
  [1700, numeric],
  [2950, uuid],
] as [number, Comparing<unknown>][]);

/** `text` and `varchar`; `char(n)` ignores spaces in some places and not in others. */
const TEXTS: ReadonlySet<number> = new Set([25, 1043]);

/** Whether texts of the column can be compared here at all. */
export const isPlainText = ({ typeOid, collation }: FilterColumn): boolean =>
  TEXTS.has(typeOid) && collation != null;

/** How values of the column are compared here; null when only Postgres can. */
export function comparingOf(column: FilterColumn): Comparing<unknown> | null {
  const { typeOid, labels, collation } = column;
  if (isPlainText(column)) return text(collation === "bytes") as Comparing<unknown>;
  if (labels != null) return anEnum(labels) as Comparing<unknown>;
  return BUILTIN.get(typeOid) ?? null;
}
