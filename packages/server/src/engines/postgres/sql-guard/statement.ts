import { items, sameTree, wrapped } from "./ast.ts";
import { type GuardOptions, NO_TYPES } from "./expression.ts";
import { type Findings, judge, type Setting, type TableUse } from "./judge.ts";
import { limits } from "./limits.ts";
import { loadParser, type ParsedStatement, type Parser, type Token } from "./parser.ts";
import { NOT_NORMALIZED, type Problem } from "./problems.ts";
import { COMMANDS, refusedStatement, type StatementKind } from "./statement-kinds.ts";
import { failureProblem, positionIn, readText } from "./text.ts";
import { rejoin } from "./tokens.ts";

/** What the guard says of a statement. */
export interface StatementVerdict {
  ok: boolean;
  problems: Problem[];
  /** `read` is safe in a READ ONLY transaction; row locks and sequences count as `write`. */
  kind: StatementKind;
  /** SELECT, VALUES, INSERT, UPDATE, DELETE, MERGE, EXPLAIN, or the name of what is refused; "" if unreadable. */
  command: string;
  /** Relations named anywhere in the statement, those of the WITH aside. */
  tables: TableUse[];
  /** Only when ok: the statement to send, without comments and semicolons. */
  normalized?: string;
}

export interface StatementOptions extends GuardOptions {
  /** Whether rows may be changed. */
  allow: "read" | "write";
}

/**
 * Judges the text given to `run_sql`: exactly one SELECT, VALUES, INSERT, UPDATE, DELETE, MERGE or EXPLAIN of one
 * of them; writing only where `allow` says so; functions of the allow-list; tables of the app's schema, and
 * information_schema to read. Never throws for any text; rejects only when the parser itself cannot be loaded.
 */
export async function checkStatement(sql: string, options: StatementOptions): Promise<StatementVerdict> {
  const parser = await loadParser();
  const tokens = readText(parser, sql, limits.statementBytes);
  if (!Array.isArray(tokens)) return refused(tokens);
  if (tokens.every(({ text }) => text === ";")) {
    return refused({ code: "EMPTY", message: "There is no statement in the text." });
  }
  const parsed = parser.parse(sql);
  if (!Array.isArray(parsed)) return refused(failureProblem(parsed));
  const [statement, ...more] = parsed;
  if (!statement || more.length > 0) {
    const message = `The text has ${parsed.length} statements; send them one by one.`;
    return refused({ code: "NOT_ONE_STATEMENT", message });
  }
  const plan = planOf(statement);
  if ("code" in plan) return refused(plan, refusedStatement(statement.tag));
  const findings = judge(plan.query, settingOf(plan, options), positionIn(sql));
  return conclude(parser, sql, tokens, statement, plan, findings);
}

interface Plan {
  command: string;
  query: ParsedStatement;
  /** EXPLAIN without ANALYZE only plans. */
  runs: boolean;
}

/** The query inside a statement that may run, or why the statement may not. */
function planOf(statement: ParsedStatement): Plan | Problem {
  const { tag, fields } = statement;
  const command = fields.valuesLists ? "VALUES" : COMMANDS[tag];
  if (command) return { command, query: statement, runs: true };
  if (tag !== "ExplainStmt") {
    const { command: name, remedy } = refusedStatement(tag);
    return {
      code: "STATEMENT_NOT_ALLOWED",
      message: `${name} may not be run here. ${remedy}`,
      subject: name,
    };
  }
  const [queryTag, queryFields] = wrapped(fields.query);
  if (!COMMANDS[queryTag]) {
    const { command: name, remedy } = refusedStatement(queryTag);
    return {
      code: "STATEMENT_NOT_ALLOWED",
      message: `EXPLAIN of ${name} is not possible. ${remedy}`,
      subject: name,
    };
  }
  const runs = items(fields.options).some(([, { defname }]) => defname === "analyze");
  return { command: "EXPLAIN", query: { tag: queryTag, fields: queryFields }, runs };
}

function settingOf({ runs }: Plan, { appSchema, appTypes = NO_TYPES, allow }: StatementOptions): Setting {
  const writes = allow === "write" || !runs;
  return {
    mode: "statement",
    appSchema,
    appTypes,
    subqueries: true,
    columns: true,
    sequences: writes,
    writes,
  };
}

function conclude(
  parser: Parser,
  sql: string,
  tokens: Token[],
  statement: ParsedStatement,
  { command, runs, query }: Plan,
  findings: Findings,
): StatementVerdict {
  const { problems } = findings;
  const normalized = problems.length === 0 ? normalize(parser, sql, tokens, statement) : undefined;
  if (problems.length === 0 && normalized === undefined) problems.push(NOT_NORMALIZED);
  return {
    ok: problems.length === 0,
    problems,
    kind: query.fields.intoClause ? "ddl" : findings.writes && runs ? "write" : "read",
    command,
    tables: [...findings.tables.values()],
    ...(normalized !== undefined && { normalized }),
  };
}

const refused = (
  problem: Problem,
  { command, kind }: { command: string; kind: StatementKind } = { command: "", kind: "other" },
): StatementVerdict => ({ ok: false, problems: [problem], kind, command, tables: [] });

function normalize(
  parser: Parser,
  sql: string,
  tokens: Token[],
  judged: ParsedStatement,
): string | undefined {
  // Around the one statement; none of those that may run has a semicolon inside.
  const normalized = rejoin(
    sql,
    tokens.filter(({ text }) => text !== ";"),
  );
  const again = parser.parse(normalized);
  return Array.isArray(again) && again.length === 1 && sameTree(again[0], judged) ? normalized : undefined;
}
