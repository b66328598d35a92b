import { compileOperator, FALSE, TRUE } from "./operators.ts";
import { readPath, stepsOf, testPath } from "./paths.ts";
import type { Regexes } from "./regexes.ts";
import { emptyRule, predicateRule, type RuleList } from "./rule-strings.ts";
import type { JsonObject, Predicate, Rule } from "./types.ts";

/** The rule that decided, as the log names it, and what it says. */
export interface Finding {
  readonly rule: string;
  readonly message: string | null;
}
type Test = (args: JsonObject) => boolean;

/**
 * `require`: true only when it holds, for every element a `*` reads. Else, in `deny_if` and `approve_if`: true when it
 * holds for any element, or when a value is there whose type a numeric operator or `regex` can't be asked of; what would
 * stop a call must not be slipped past by a value nobody thought of.
 */
function compilePredicate(predicate: Predicate, require: boolean, regexes: Regexes): Test {
  const steps = stepsOf(predicate.path);
  const answer = compileOperator(predicate, regexes);
  if (steps.some((step) => step.every)) {
    return require
      ? (args) => testPath(args, steps, false, (operand) => answer(operand) === TRUE)
      : (args) => testPath(args, steps, true, (operand) => answer(operand) !== FALSE);
  }
  return require
    ? (args) => answer(readPath(args, steps)) === TRUE
    : (args) => answer(readPath(args, steps)) !== FALSE;
}

/** The first predicate, in the order of the document, that does not hold. */
export function compileRequire(
  tool: string,
  rules: readonly Rule[],
  regexes: Regexes,
): (args: JsonObject) => Finding | null {
  const all = rules.flatMap((rule) =>
    rule.conditions.map((predicate) => ({
      holds: compilePredicate(predicate, true, regexes),
      finding: Object.freeze({
        rule: predicateRule(tool, "require", predicate),
        message: rule.on_deny ?? null,
      }),
    })),
  );
  return (args) => {
    for (const { holds, finding } of all) if (!holds(args)) return finding;
    return null;
  };
}

/** The first rule all of whose conditions hold, named by its first predicate. */
export function compileMatch(
  tool: string,
  list: Exclude<RuleList, "require">,
  rules: readonly Rule[],
  regexes: Regexes,
): (args: JsonObject) => Finding | null {
  const all = rules.map((rule, index) => {
    const [first] = rule.conditions;
    return {
      tests: rule.conditions.map((predicate) => compilePredicate(predicate, false, regexes)),
      finding: Object.freeze({
        rule: first === undefined ? emptyRule(tool, list, index) : predicateRule(tool, list, first),
        message: rule.on_deny ?? null,
      }),
    };
  });
  return (args) => {
    for (const { tests, finding } of all) if (holdAll(tests, args)) return finding;
    return null;
  };
}

function holdAll(tests: readonly Test[], args: JsonObject): boolean {
  for (const test of tests) if (!test(args)) return false;
  return true;
}
