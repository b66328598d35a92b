import { type AmbitError, errors } from "../../kernel/errors.ts";
import { EMPTY_QUERY, type Filter, type Query } from "./ast.ts";
import { newBudget, parseFilter } from "./filters.ts";
import { limits } from "./limits.ts";
import { readName } from "./paths.ts";
import { Scanner, SyntaxProblem } from "./scanner.ts";
import { parseOrder, parseSelect } from "./select-list.ts";

/** Keys of the query string that are not filters. A column of that name is reached in quotes: `"order"=eq.1`. */
const RESERVED = new Set(["select", "order", "limit", "offset", "after", "on_conflict"]);

/**
 * Reads a raw query string (without `?`) into a Query. Pure.
 * @throws AmbitError VALIDATION_INVALID_SCHEMA for anything malformed; malformed filters are listed all at once.
 */
export function parseQueryString(raw: string): Query {
  if (raw === "") return EMPTY_QUERY;
  if (raw.length > limits.queryChars)
    throw malformed(`The query string is longer than ${limits.queryChars} characters.`);
  const pairs: [string, string][] = [];
  for (const part of raw.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals === -1) pairs.push([decode(part), ""]);
    else pairs.push([decode(part.slice(0, equals)), decode(part.slice(equals + 1))]);
  }
  return parsePairs(pairs);
}

/** Reads decoded key-value pairs into a Query, as `parseQueryString` does. */
export function parsePairs(pairs: Iterable<readonly [string, string]>): Query {
  const filters: Filter[] = [];
  const invalidFilters: { filter: string; problem: string }[] = [];
  const reserved = new Map<string, string>();
  const budget = newBudget();
  for (const [key, value] of pairs) {
    if (RESERVED.has(key)) {
      if (reserved.has(key)) throw malformed(`${key} is given twice.`);
      reserved.set(key, value);
      continue;
    }
    const filter = attempt(() => parseFilter(key, value, budget));
    if (filter instanceof SyntaxProblem)
      invalidFilters.push({ filter: `${key}=${value}`, problem: filter.message });
    else filters.push(filter);
  }
  if (invalidFilters.length > 0) throw invalidFilterError(invalidFilters);
  return { filters, ...readReserved(reserved) };
}

/** The error for filters that can't be read. */
export function invalidFilterError(invalidFilters: { filter: string; problem: string }[]): AmbitError {
  const [first] = invalidFilters;
  return errors.VALIDATION_INVALID_SCHEMA({
    message: `The filter ${first?.filter.slice(0, 120)} can't be read: ${first?.problem}.`,
    remediation:
      "Write filters as <column>=<operator>.<value>, for example age=gte.18 or status=in.(new,open).",
    details: { invalidFilters },
  });
}

/** The result of `read`, or the SyntaxProblem it threw. */
export function attempt<T>(read: () => T): T | SyntaxProblem {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxProblem) return error;
    throw error;
  }
}

function readReserved(given: ReadonlyMap<string, string>): Omit<Query, "filters"> {
  const read = <T>(key: string, parse: (text: string) => T): T | null => {
    const text = given.get(key);
    if (text === undefined || (text === "" && key !== "after")) return null;
    const result = attempt(() => parse(text));
    if (result instanceof SyntaxProblem) throw malformed(`${key} can't be read: ${result.message}.`);
    return result;
  };
  return {
    select: read("select", parseSelect),
    order: read("order", parseOrder) ?? [],
    limit: read("limit", (text) => wholeNumber("limit", text, limits.maxRows)),
    offset: read("offset", (text) => wholeNumber("offset", text, limits.maxOffset)) ?? 0,
    after: read("after", (text) => text),
    onConflict: read("on_conflict", parseNames),
  };
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `${name} must be a whole number from 0 to ${most}, not ${text.slice(0, 40)}.`,
      remediation:
        name === "limit"
          ? "Ask for fewer rows at once and go on with the cursor from X-Ambit-Next-Cursor."
          : "Reach deep pages with the cursor from X-Ambit-Next-Cursor instead of an offset.",
    });
  }
  return value;
}

function parseNames(text: string): string[] {
  const scanner = new Scanner(text);
  const names: string[] = [];
  do names.push(readName(scanner, ",").text);
  while (scanner.takes(","));
  if (!scanner.done) throw new SyntaxProblem(`"${text.slice(scanner.at)}" is left over`);
  return names;
}

function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw malformed("The query string has a % that begins no character in UTF-8.");
  }
}

function malformed(message: string): AmbitError {
  return errors.VALIDATION_INVALID_SCHEMA({
    message,
    remediation: "Correct the query string; GET /openapi.json describes it.",
  });
}
