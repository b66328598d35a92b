import type { Filter } from "./ast.ts";
import { isGroupKey, newBudget, OPERATORS, parseFilter } from "./filters.ts";
import { attempt, invalidFilterError } from "./query-params.ts";
import { SyntaxProblem } from "./scanner.ts";

/** A filter value as an agent may write it. */
type Given = string | number | boolean | null | readonly unknown[] | Readonly<Record<string, unknown>>;

/**
 * Reads filters given as an object: `{"age": "gte.18", "name": "Ada", "seen": null, "id": {"in": [1, 2]}, "or":
 * "(a.eq.1,b.eq.2)"}`. A plain value means equal, null means is null, an array means one of. Pure.
 * @throws VALIDATION_INVALID_SCHEMA with every filter that can't be read.
 */
export function parseFilters(given: Readonly<Record<string, unknown>>): Filter[] {
  const budget = newBudget();
  const filters: Filter[] = [];
  const invalid: { filter: string; problem: string }[] = [];
  for (const [key, value] of Object.entries(given)) {
    for (const text of textsOf(key, value as Given)) {
      const filter = attempt(() => parseFilter(columnKey(key), text, budget));
      if (filter instanceof SyntaxProblem)
        invalid.push({ filter: `${key}=${text}`, problem: filter.message });
      else filters.push(filter);
    }
  }
  if (invalid.length > 0) throw invalidFilterError(invalid);
  return filters;
}

/** A plain key is a column's name as it is; one with an arrow or a quote is a path. */
const columnKey = (key: string): string =>
  isGroupKey(key) || key.includes("->") || key.startsWith('"') ? key : quote(key);

/** The filter texts one entry stands for, in the form of the query string. */
function textsOf(key: string, value: Given): string[] {
  if (isGroupKey(key)) return [plainText(value)];
  if (value === null) return ["is.null"];
  if (Array.isArray(value)) return [`in.${list(value)}`];
  if (typeof value === "object") {
    return Object.entries(value).map(([op, operand]) => `${op}.${operandText(op, operand)}`);
  }
  const text = plainText(value);
  return [startsWithOperator(text) ? text : `eq.${text}`];
}

const startsWithOperator = (text: string): boolean => {
  const dot = text.indexOf(".");
  return dot > 0 && OPERATORS.includes(text.slice(0, dot));
};

const operandText = (op: string, operand: unknown): string =>
  Array.isArray(operand) && (op === "in" || op === "not.in") ? list(operand) : plainText(operand);

const plainText = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);

const list = (values: readonly unknown[]): string =>
  `(${values.map((value) => quote(plainText(value))).join(",")})`;

const quote = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
