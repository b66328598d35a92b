import { limits } from "./limits.ts";
import type { Operand } from "./paths.ts";
import type { Regexes } from "./regexes.ts";
import type { Json, JsonObject, Operator, Predicate } from "./types.ts";

/** What an operator says of a value. */
export const FALSE = 0;
export const TRUE = 1;
/** There is a value, and the operator, a numeric one or `regex`, can't be asked of its type. */
export const WRONG_TYPE = 2;
export type Answer = typeof FALSE | typeof TRUE | typeof WRONG_TYPE;

const NUMERIC: ReadonlySet<Operator> = new Set(["lt", "lte", "gt", "gte"]);
export function isNumeric(op: Operator): boolean {
  return NUMERIC.has(op);
}

export function typeOf(value: Json): "null" | "boolean" | "number" | "string" | "list" | "object" {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  return typeof value as "boolean" | "number" | "string" | "object";
}

/** Equal as JSON: no coercion, the order of keys does not matter. */
export function sameJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, at) => sameJson(element, b[at]!));
  }
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson((a as JsonObject)[key]!, (b as JsonObject)[key]!))
  );
}

/** The operator of a valid predicate, ready to be asked of what its path reads. */
export function compileOperator(predicate: Predicate, regexes: Regexes): (operand: Operand) => Answer {
  const { op, value = null } = predicate;
  switch (op) {
    case "eq":
      return present((given) => sameJson(given, value));
    case "neq":
      return present((given) => fits(given, value) && !sameJson(given, value));
    case "in":
      return present(membership(value as readonly Json[]));
    case "not_in": {
      const list = value as readonly Json[];
      const isMember = membership(list);
      const fitting = (given: Json) => list.length === 0 || list.some((member) => fits(given, member));
      return present((given) => fitting(given) && !isMember(given));
    }
    case "exists": {
      const wanted = predicate.value !== false;
      return (given) => ((given !== undefined && given !== null) === wanted ? TRUE : FALSE);
    }
    case "contains":
      return present((given) => contains(given, value));
    case "regex": {
      const regex = regexes.compile(value as string);
      if (typeof regex === "string") throw new Error(regex);
      return typed(
        (given) => typeof given === "string" && given.length <= limits.regexInputChars,
        (given) => regex.test(given as string),
      );
    }
    default: {
      const compare = comparison(op, value as number);
      return typed(Number.isFinite, (given) => compare(given as number));
    }
  }
}

/** False for what is missing. */
function present(test: (given: Json) => boolean): (operand: Operand) => Answer {
  return (given) => (given !== undefined && test(given) ? TRUE : FALSE);
}

/** False for what is missing, WRONG_TYPE for what is there and of another type. */
function typed(
  isType: (given: unknown) => boolean,
  test: (given: Json) => boolean,
): (operand: Operand) => Answer {
  return (given) => {
    if (given === undefined) return FALSE;
    if (!isType(given)) return WRONG_TYPE;
    return test(given as Json) ? TRUE : FALSE;
  };
}

/** Types are not coerced, so "is not" is only said of values of the same type; whatever there is is not null. */
function fits(given: Json, value: Json): boolean {
  return value === null || typeOf(given) === typeOf(value);
}

function membership(list: readonly Json[]): (given: Json) => boolean {
  const plain = new Set<Json>(list.filter((member) => typeof member !== "object" || member === null));
  const nested = list.filter((member) => typeof member === "object" && member !== null);
  return (given) => plain.has(given) || nested.some((member) => sameJson(given, member));
}

function contains(given: Json, value: Json): boolean {
  if (typeof given === "string") return typeof value === "string" && given.includes(value);
  return Array.isArray(given) && given.some((element) => sameJson(element, value));
}

function comparison(op: "lt" | "lte" | "gt" | "gte", value: number): (given: number) => boolean {
  switch (op) {
    case "lt":
      return (given) => given < value;
    case "lte":
      return (given) => given <= value;
    case "gt":
      return (given) => given > value;
    case "gte":
      return (given) => given >= value;
  }
}
