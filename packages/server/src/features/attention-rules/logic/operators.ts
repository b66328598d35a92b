import { defaultMethods } from "json-logic-engine";
import type { Json } from "../../ledger/service.ts";
import { ruleErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Budget } from "./budget.ts";
import { lookup } from "./path.ts";

/** An operator whose arguments have been evaluated. */
type Operator = (args: readonly Json[], context: Json) => Json;

/** Operators of the engine that only compare, count, choose and go through lists. */
const OF_THE_ENGINE = [
  ...["==", "===", "!=", "!==", "<", "<=", ">", ">=", "!", "!!", "and", "or", "if", "?:", "??"],
  ...["+", "-", "*", "/", "%", "min", "max"],
  ...["map", "filter", "reduce", "all", "some", "none"],
] as const;

/** Operators of our own: those that read values by name, those that make texts and lists, and dates. */
const OWN = [
  ...["var", "missing", "missing_some", "in", "cat", "substr", "merge", "length"],
  ...["days_since", "days_until"],
] as const;

/** Every operator a condition may use. */
export const OPERATORS: ReadonlySet<string> = new Set<string>([...OF_THE_ENGINE, ...OWN]);

/** The methods of one evaluation: nothing in them reaches beyond the values given and `nowMs`. */
export function methodsOf(budget: Budget, nowMs: number): Record<string, unknown> {
  const methods: Record<string, unknown> = Object.create(null);
  const engine = defaultMethods as Readonly<Record<string, unknown>>;
  for (const name of OF_THE_ENGINE) methods[name] = engine[name];
  const own: Record<(typeof OWN)[number], Operator> = {
    var: ([path, otherwise = null], context) =>
      path === "" || path === null || path === undefined
        ? context
        : (lookup(context, String(path)) ?? otherwise),
    missing: (paths, context) => missing(Array.isArray(paths[0]) ? (paths[0] as Json[]) : paths, context),
    missing_some([least, paths], context) {
      const wanted = list(paths, "missing_some");
      const gone = missing(wanted, context);
      return wanted.length - gone.length >= number(least, "missing_some") ? [] : gone;
    },
    in: ([item, whole]) => contains(budget, item ?? null, whole ?? null),
    cat: (parts) => cat(parts),
    substr: ([text, from, count]) => substr(text, from, count),
    merge: (parts) => merge(parts),
    length([value]) {
      if (typeof value !== "string" && !Array.isArray(value)) throw wrong("length", "a text or a list");
      return value.length;
    },
    days_since: ([date]) => (nowMs - time(date, "days_since")) / DAY_MS,
    days_until: ([date]) => (time(date, "days_until") - nowMs) / DAY_MS,
  };
  return Object.assign(methods, own);
}

const DAY_MS = 86_400_000;

const wrong = (operator: string, wanted: string) =>
  ruleErrors.RULE_CONDITION_FAILED({ message: `${operator} needs ${wanted}.` });

function list(value: Json | undefined, operator: string): readonly Json[] {
  if (!Array.isArray(value)) throw wrong(operator, "a list");
  return value as readonly Json[];
}

function number(value: Json | undefined, operator: string): number {
  if (typeof value !== "number") throw wrong(operator, "a number");
  return value;
}

/** An ISO 8601 date or time; anything else would be read differently from place to place. */
function time(value: Json | undefined, operator: string): number {
  const text = typeof value === "string" && /^\d{4}-\d{2}-\d{2}([T ].*)?$/.test(value) ? value : "";
  // Without a zone a time would be that of wherever the server stands.
  const zoned = text.length > 10 && !/(Z|[+-]\d{2}:?\d{2})$/i.test(text) ? `${text}Z` : text;
  const at = Date.parse(zoned);
  if (Number.isNaN(at)) throw wrong(operator, "a date such as 2026-05-04 or 2026-05-04T10:00:00Z");
  return at;
}

function missing(paths: readonly Json[], context: Json): Json[] {
  return paths.filter((path) => {
    const value = lookup(context, String(path));
    return value === undefined || value === null || value === "";
  });
}

function contains(budget: Budget, item: Json, whole: Json): boolean {
  if (Array.isArray(whole)) return whole.includes(item);
  if (whole === null) return false;
  if (typeof whole !== "string") throw wrong("in", "a list or a text to look in");
  if (typeof item !== "string") throw wrong("in", "a text to look for in a text");
  // What a search costs at worst goes with the product of both lengths.
  budget.charge(Math.ceil((whole.length * item.length) / 10_000));
  return whole.includes(item);
}

function cat(parts: readonly Json[]): string {
  let made = "";
  for (const part of parts) {
    if (typeof part === "object" && part !== null) throw wrong("cat", "texts, numbers and booleans");
    made += part ?? "";
    if (made.length > limits.madeTextChars) throw wrong("cat", `at most ${limits.madeTextChars} characters`);
  }
  return made;
}

/** JsonLogic's own: a negative start counts from the end, a negative count leaves that many off the end. */
function substr(text: Json | undefined, from: Json | undefined, count: Json | undefined): string {
  if (typeof text !== "string") throw wrong("substr", "a text");
  const start = number(from, "substr");
  const rest = text.slice(start < 0 ? Math.max(0, text.length + start) : start);
  if (count === undefined || count === null) return rest;
  const length = number(count, "substr");
  return length < 0 ? rest.slice(0, Math.max(0, rest.length + length)) : rest.slice(0, length);
}

function merge(parts: readonly Json[]): Json[] {
  const made: Json[] = [];
  for (const part of parts) {
    const items = Array.isArray(part) ? (part as readonly Json[]) : [part];
    if (made.length + items.length > limits.madeListItems) {
      throw wrong("merge", `at most ${limits.madeListItems} elements`);
    }
    made.push(...items);
  }
  return made;
}
