import { items, sameTree } from "./ast.ts";
import { judge, type Setting } from "./judge.ts";
import { limits } from "./limits.ts";
import { loadParser, type ParsedStatement, type ParseFailure, type Parser, type Token } from "./parser.ts";
import { NOT_NORMALIZED, type Problem } from "./problems.ts";
import { failureProblem, positionIn, readText } from "./text.ts";
import { rejoin } from "./tokens.ts";

/** Where an expression will stand. */
export type ExpressionUse = "default" | "check" | "policy" | "index" | "generated";

/** What the guard says of an expression. */
export interface ExpressionVerdict {
  ok: boolean;
  problems: Problem[];
  /**
   * Only when ok: the expression to send, with comments gone and proven to mean the same. Put it in parentheses,
   * as it can be any expression: `DEFAULT (…)`, `USING (…)`.
   */
  normalized?: string;
  /** Columns named outside subqueries, without their table. */
  columns: string[];
  /** Functions called, without their schema; among them current_timestamp and its kind. */
  functions: string[];
  hasSubquery: boolean;
}

/** Whose text it is. */
export interface GuardOptions {
  /** The app's schema. */
  appSchema: string;
  /** Types of that schema, its enums; casts to them are allowed. */
  appTypes?: ReadonlySet<string> | undefined;
}

export const NO_TYPES: ReadonlySet<string> = new Set();

const PREFIX = "SELECT ";

/**
 * Judges one SQL expression that an agent gives as a default, CHECK, policy, index or generated column.
 *
 * Promises: an accepted text is exactly one expression, which can't leave the place it is put into; it calls only
 * functions of the allow-list, and in subqueries (policies only) names only tables of the app's schema. Whether its
 * types fit is left to Postgres. Never throws for any text; rejects only when the parser itself cannot be loaded.
 */
export async function checkExpression(
  text: string,
  use: ExpressionUse,
  options: GuardOptions,
): Promise<ExpressionVerdict> {
  const parser = await loadParser();
  const tokens = readText(parser, text, limits.expressionBytes);
  if (!Array.isArray(tokens)) return refused([tokens]);
  if (tokens.length === 0) return refused([{ code: "EMPTY", message: "The expression is empty." }]);

  const parsed = `${PREFIX}${text}`;
  const expression = soleExpression(parser, text);
  if ("code" in expression) return refused([expression]);
  const findings = judge(expression, settingOf(use, options), positionIn(parsed, PREFIX.length));
  const { problems, hasSubquery } = findings;
  const normalized = problems.length === 0 ? normalize(parser, text, tokens, expression) : undefined;
  if (problems.length === 0 && normalized === undefined) problems.push(NOT_NORMALIZED);
  return {
    ok: problems.length === 0,
    problems,
    ...(normalized !== undefined && { normalized }),
    columns: [...findings.columns],
    functions: [...findings.functions],
    hasSubquery,
  };
}

const refused = (problems: Problem[]): ExpressionVerdict => ({
  ok: false,
  problems,
  columns: [],
  functions: [],
  hasSubquery: false,
});

const settingOf = (use: ExpressionUse, { appSchema, appTypes = NO_TYPES }: GuardOptions): Setting => ({
  mode: "expression",
  appSchema,
  appTypes,
  subqueries: use === "policy",
  columns: use !== "default",
  sequences: use === "default",
  writes: false,
});

/**
 * The one expression a text consists of. It has to parse as the target of a SELECT both as it is and in
 * parentheses, and to the same tree: the first refuses what a parenthesis would hide, such as `a, b`; the second
 * what would leave the target, such as `1 FROM t`, `ALL x`, `1; DROP …`.
 */
function soleExpression(parser: Parser, text: string): ParsedStatement | Problem {
  const bare = parser.parse(`${PREFIX}${text}`);
  if (!Array.isArray(bare)) return notOne(text, bare);
  const target = targetOf(bare);
  const enclosed = parser.parse(`${PREFIX}(${text}\n)`);
  const enclosedTarget = Array.isArray(enclosed) ? targetOf(enclosed) : undefined;
  if (!target || !enclosedTarget || !sameTree(target, enclosedTarget)) {
    return { code: "NOT_ONE_EXPRESSION", message: "The text has to be exactly one SQL expression." };
  }
  const [tag, fields] = target;
  return { tag, fields };
}

function notOne(text: string, failure: ParseFailure): Problem {
  const problem = failureProblem(failure, PREFIX.length);
  const hint = /^\s*(?:select|with|values)\b/i.test(text) ? "; put a subquery in parentheses" : "";
  return { ...problem, message: `${problem.message}${hint}` };
}

const TARGET_ONLY = new Set(["targetList", "limitOption", "op"]);

/** The value of a SELECT that consists of one unnamed target and nothing else. */
function targetOf(statements: ParsedStatement[]): ReturnType<typeof items>[number] | undefined {
  const [statement, ...more] = statements;
  if (!statement || more.length > 0 || statement.tag !== "SelectStmt") return undefined;
  if (!Object.keys(statement.fields).every((field) => TARGET_ONLY.has(field))) return undefined;
  const [target, ...others] = items(statement.fields.targetList);
  if (!target || others.length > 0 || target[1].name !== undefined || target[1].indirection) return undefined;
  return items([target[1].val])[0];
}

function normalize(
  parser: Parser,
  text: string,
  tokens: Token[],
  judged: ParsedStatement,
): string | undefined {
  const normalized = rejoin(text, tokens);
  const again = soleExpression(parser, normalized);
  return "code" in again || !sameTree(again, judged) ? undefined : normalized;
}
