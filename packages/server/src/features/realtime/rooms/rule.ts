import type { Action } from "./types.ts";

/** One side of a rule: SQL over `channel`, as the guard gave it back. */
export interface Condition {
  readonly expression: string;
  /** The same name and claims always get the same answer, as long as the rule stays. */
  readonly steady: boolean;
}

/** What holds for the names that match a pattern. */
export interface Rule extends Readonly<Record<Action, Condition>> {
  readonly pattern: string;
}

/** Names that nobody but keys may use without a rule begin so. */
export const PRIVATE_PREFIX = "private:";

/** What is wrong with a pattern, or null: it is a name, or the beginning of names and a `*`. */
export function patternProblem(pattern: string): string | null {
  const star = pattern.indexOf("*");
  if (star >= 0 && star < pattern.length - 1) return "A pattern has at most one *, and it stands at the end.";
  if (!pattern.isWellFormed() || /\p{Cc}/u.test(pattern)) return "A pattern has no control characters.";
  return null;
}

/** The rule that counts for a name: the one of exactly that name, or else the one with the longest beginning. */
export function ruleFor(rules: readonly Rule[], name: string): Rule | null {
  let best: Rule | null = null;
  for (const rule of rules) {
    const open = rule.pattern.endsWith("*");
    if (!open && rule.pattern === name) return rule;
    if (!open || !name.startsWith(rule.pattern.slice(0, -1))) continue;
    if (best === null || rule.pattern.length > best.pattern.length) best = rule;
  }
  return best;
}

/** Functions that answer alike for the same arguments and claims, whenever they are asked. */
const STEADY_FUNCTIONS = new Set(
  (
    "current_user_id split_part starts_with left right substr substring lower upper length char_length " +
    "coalesce nullif concat replace btrim ltrim rtrim strpos position greatest least"
  ).split(" "),
);

/** Types whose texts may speak of the present, such as 'now'. */
const OF_TIME = /\b(date|time|timetz|timestamp|timestamptz|interval)\b/i;

/** Whether a condition is steady, from what the guard says of it; what is not known to be is not. */
export function isSteady(
  expression: string,
  facts: { readonly functions: readonly string[]; readonly hasSubquery: boolean },
): boolean {
  if (facts.hasSubquery || OF_TIME.test(expression)) return false;
  return facts.functions.every((name) => STEADY_FUNCTIONS.has(name));
}

/**
 * SQL that answers a condition for the name that `name` stands for. It comes from a set, so that nothing is computed
 * while planning.
 */
export const conditionQuery = (expression: string, name: "$1" | "'a'" = "$1"): string =>
  `select case when (${expression}\n) then true else false end from unnest(array[${name}]::text[]) as ambit_rule(channel)`;
