import type { ColumnType } from "./column-type.ts";

/** Types each of which holds every value of those before it. */
const WIDENING: readonly (readonly string[])[] = [
  ["smallint", "integer", "bigint", "numeric"],
  ["smallint", "integer", "double precision"],
  ["smallint", "real", "double precision"],
  ["varchar", "text"],
  ["varchar", "citext"],
  ["text", "citext"],
  ["citext", "text"],
  ["date", "timestamp"],
];

const FRACTIONAL = new Set(["timestamptz", "timestamp", "time", "timetz", "interval"]);

/**
 * Whether every value of `from` survives in `to`. `isEnum` tells the app's own types, which survive as text.
 * Pure and cautious: what is not known to be safe is not.
 */
export function keepsValues(from: ColumnType, to: ColumnType, isEnum: (base: string) => boolean): boolean {
  if (from.array !== to.array) return false;
  if (from.base === to.base) return keepsLength(from, to);
  if (isEnum(from.base)) return to.base === "text";
  if (from.base === "bigint" && to.base === "numeric") return to.args.length === 0;
  if (to.args.length > 0) return false;
  return WIDENING.some((chain) => {
    const start = chain.indexOf(from.base);
    return start >= 0 && chain.indexOf(to.base) > start;
  });
}

function keepsLength(from: ColumnType, to: ColumnType): boolean {
  if (to.args.length === 0) return true;
  if (from.args.length === 0) return FRACTIONAL.has(to.base) && to.args[0] === 6;
  if (to.base === "numeric") {
    const [precision = 0, scale = 0] = from.args;
    const [nextPrecision = 0, nextScale = 0] = to.args;
    return nextScale >= scale && nextPrecision - nextScale >= precision - scale;
  }
  return to.base !== "vector" && to.args[0]! >= from.args[0]!;
}
