import {
  COMPARISONS,
  type ColumnPath,
  type Comparison,
  type Filter,
  IS_VALUES,
  type IsValue,
} from "./ast.ts";
import { limits } from "./limits.ts";
import { readPath } from "./paths.ts";
import { Scanner, SyntaxProblem } from "./scanner.ts";

/** What is left of the bounds of one request. */
export interface Budget {
  terms: number;
  values: number;
}

export const newBudget = (): Budget => ({ terms: limits.filterTerms, values: limits.inValues });

/** What may stand before the first dot of a filter. */
export const OPERATORS: readonly string[] = [...COMPARISONS, "in", "is", "not"];

const GROUP_KEYS: ReadonlyMap<string, { join: "and" | "or"; negated: boolean }> = new Map([
  ["and", { join: "and", negated: false }],
  ["or", { join: "or", negated: false }],
  ["not.and", { join: "and", negated: true }],
  ["not.or", { join: "or", negated: true }],
]);

/** Whether a key of the query string starts a group of conditions rather than naming a column. */
export const isGroupKey = (key: string): boolean => GROUP_KEYS.has(key);

/** Reads `<column>=<op>.<value>` or `or=(…)`. Throws SyntaxProblem. */
export function parseFilter(key: string, value: string, budget: Budget): Filter {
  const group = GROUP_KEYS.get(key);
  const scanner = new Scanner(value);
  const filter =
    group === undefined
      ? readOperation(scanner, parseColumn(key), budget, false)
      : readGroup(scanner, group, budget, 1);
  if (!scanner.done) {
    throw new SyntaxProblem(
      `"${scanner.text.slice(scanner.at, scanner.at + 12)}" is left over; quote values with commas or brackets`,
    );
  }
  return filter;
}

/** Reads a whole text as the path of a column. Throws SyntaxProblem. */
export function parseColumn(text: string): ColumnPath {
  const scanner = new Scanner(text);
  const path = readPath(scanner, "");
  if (!scanner.done) throw new SyntaxProblem(`"${text.slice(scanner.at)}" after the name is left over`);
  return path;
}

function readGroup(
  scanner: Scanner,
  { join, negated }: { join: "and" | "or"; negated: boolean },
  budget: Budget,
  depth: number,
): Filter {
  if (depth > limits.groupDepth) throw new SyntaxProblem(`groups nest at most ${limits.groupDepth} deep`);
  scanner.expect("(");
  const terms: Filter[] = [];
  do {
    scanner.spaces();
    const inner = takeGroupKey(scanner);
    if (inner !== null) terms.push(readGroup(scanner, inner, budget, depth + 1));
    else {
      const path = readPath(scanner, ".,()");
      scanner.expect(".");
      terms.push(readOperation(scanner, path, budget, true));
    }
    scanner.spaces();
  } while (scanner.takes(","));
  scanner.expect(")");
  return { kind: "group", join, negated, terms };
}

/** `and(`, `or(`, `not.and(`, `not.or(`: passes over the word, leaves the bracket. */
function takeGroupKey(scanner: Scanner): { join: "and" | "or"; negated: boolean } | null {
  for (const [key, group] of GROUP_KEYS) {
    if (!scanner.sees(`${key}(`)) continue;
    scanner.at += key.length;
    return group;
  }
  return null;
}

function readOperation(scanner: Scanner, path: ColumnPath, budget: Budget, inGroup: boolean): Filter {
  budget.terms -= 1;
  if (budget.terms < 0) throw new SyntaxProblem(`a request has at most ${limits.filterTerms} conditions`);
  const negated = scanner.takes("not.");
  const op = scanner.until(".,()");
  if (!scanner.takes(".") || op === "not" || !OPERATORS.includes(op)) {
    throw new SyntaxProblem(`it must be <operator>.<value> with one of ${OPERATORS.join(", ")}`);
  }
  if (op === "in") return { kind: "in", path, values: readList(scanner, budget), negated };
  if (op === "is")
    return { kind: "is", path, value: readIs(inGroup ? scanner.until(",)") : rest(scanner)), negated };
  const value = inGroup ? readValue(scanner, op) : rest(scanner);
  return { kind: "compare", path, op: op as Comparison, value, negated };
}

function rest(scanner: Scanner): string {
  const text = scanner.text.slice(scanner.at);
  scanner.at = scanner.text.length;
  return text;
}

/** A value inside a group: quoted, or a literal in brackets for `cs` and `cd`, or up to the next comma or bracket. */
function readValue(scanner: Scanner, op: string): string {
  if (scanner.sees('"')) return scanner.quoted();
  const bracket = scanner.sees("{") || scanner.sees("[") || scanner.sees("(");
  return bracket && (op === "cs" || op === "cd") ? scanner.bracketed() : scanner.until(",)");
}

function readIs(text: string): IsValue {
  const value = text.trim().toLowerCase() as IsValue;
  if (!IS_VALUES.includes(value)) throw new SyntaxProblem(`is takes one of ${IS_VALUES.join(", ")}`);
  return value;
}

/** `(a,"b, c",d)`. Spaces around an unquoted value are not part of it; `()` is the empty list. */
function readList(scanner: Scanner, budget: Budget): string[] {
  scanner.expect("(");
  const values: string[] = [];
  scanner.spaces();
  if (scanner.takes(")")) return values;
  do {
    budget.values -= 1;
    if (budget.values < 0)
      throw new SyntaxProblem(`in lists have at most ${limits.inValues} values together`);
    scanner.spaces();
    if (scanner.sees('"')) {
      values.push(scanner.quoted());
      scanner.spaces();
    } else values.push(scanner.until(",)").trim());
  } while (scanner.takes(","));
  scanner.expect(")");
  return values;
}
