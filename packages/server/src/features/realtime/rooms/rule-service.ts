import type { Database, Queryable } from "../../../engines/postgres/database.ts";
import { checkExpression } from "../../../engines/postgres/sql-guard/index.ts";
import { tenantRole } from "../../../engines/postgres/tenant.ts";
import { VIEWER_ROLES } from "../table-view.ts";
import { roomErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { type Condition, conditionQuery, isSteady, patternProblem } from "./rule.ts";
import * as store from "./rule-store.ts";
import type { Action } from "./types.ts";

export interface RulesService {
  list(appId: string): Promise<store.StoredRule[]>;
  /** Puts a rule in the place of the one with its pattern. @throws errors of `roomErrors` */
  put(
    appId: string,
    order: { readonly pattern: string } & Readonly<Record<Action, string>>,
  ): Promise<{ rule: store.StoredRule; warnings: string[] }>;
  delete(appId: string, pattern: string): Promise<void>;
}

export interface RulesPorts {
  readonly database: Database;
  /** Names of the app's enums, to which expressions may cast. */
  enums(appId: string): Promise<ReadonlySet<string>>;
  /** Counts what was refused, by the limit's name in the metrics. */
  onLimit(limit: string): void;
  /** Called after the rules of an app were changed here. */
  onChange(appId: string): void;
}

/** Rules are kept as the guard gave them back, and tried before they are kept. */
export function createRulesService(ports: RulesPorts): RulesService {
  const { database, enums, onChange, onLimit } = ports;
  return {
    async list(appId) {
      return (await store.selectRules(database, [appId])).get(appId) ?? [];
    },
    async put(appId, { pattern, ...sides }) {
      const problem = patternProblem(pattern);
      if (problem !== null) throw roomErrors.REALTIME_PATTERN_INVALID({ message: problem });
      const types = await enums(appId);
      const receive = await accept(appId, types, "receive", sides.receive);
      const send = await accept(appId, types, "send", sides.send);
      const warnings: string[] = [];
      for (const [field, { expression }] of Object.entries({ receive, send })) {
        warnings.push(...(await tryCondition(database, appId, field, expression)));
      }
      const rule = { pattern, receive, send };
      const stored = await database.transaction((tx) =>
        store.upsertRule(tx, appId, rule, limits.rulesPerApp),
      );
      if (stored === null) {
        onLimit("realtime_rules_per_app");
        throw roomErrors.QUOTA_REALTIME_RULES();
      }
      onChange(appId);
      return { rule: stored, warnings };
    },
    async delete(appId, pattern) {
      if (!(await store.deleteRule(database, appId, pattern))) throw roomErrors.REALTIME_RULE_NOT_FOUND();
      onChange(appId);
    },
  };
}

async function accept(
  appId: string,
  appTypes: ReadonlySet<string>,
  field: string,
  text: string,
): Promise<Condition> {
  const verdict = await checkExpression(text, "policy", { appSchema: appId, appTypes });
  if (verdict.ok && verdict.normalized !== undefined) {
    return { expression: verdict.normalized, steady: isSteady(verdict.normalized, verdict) };
  }
  const { problems } = verdict;
  const noExpression = problems.every(({ code }) => NO_EXPRESSION.has(code));
  throw roomErrors[noExpression ? "REALTIME_RULE_INVALID" : "REALTIME_RULE_UNSAFE"]({
    message: `${field}: ${problems.map(({ message }) => message).join(" ")}`,
    details: { field, problems },
  });
}

/** Problems that say the text is no expression, rather than one that could do harm. */
const NO_EXPRESSION = new Set(["EMPTY", "SYNTAX", "TOO_LONG", "TOO_COMPLEX", "BAD_CHARACTER"]);

const CALLERS = { anon: "anonymous connections", user: "end users" } as const;

/**
 * Has Postgres plan the condition as each kind of caller; nothing is evaluated. Gives a warning for callers who may not
 * read what it reads, as for them it will fail.
 */
async function tryCondition(
  database: Database,
  appId: string,
  field: string,
  expression: string,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const role of VIEWER_ROLES) {
    try {
      await database.ownerTransaction(appId, (tx) => planAs(tx, tenantRole(appId, role), expression));
    } catch (error) {
      const { code, message, severity } = error as { code?: string; message: string; severity?: string };
      if (severity === undefined || code === undefined) throw error;
      if (code === "42501") {
        warnings.push(
          `${field}: ${CALLERS[role]} may not read what it reads, so it is always denied to them.`,
        );
      } else {
        const remediation = REMEDIES[code];
        throw roomErrors.REALTIME_RULE_INVALID({
          message: `${field}: ${message}`,
          details: { field, pg_code: code },
          ...(remediation === undefined ? {} : { remediation }),
        });
      }
    }
  }
  return warnings;
}

async function planAs(tx: Queryable, role: string, expression: string): Promise<void> {
  await tx.query("select set_config('role', $1, true)", [role]);
  await tx.query(`explain ${conditionQuery(expression, "'a'")}`);
}

/** By SQLSTATE. */
const REMEDIES: Readonly<Record<string, string>> = {
  "42703": "Outside subqueries there is one column, channel; text is quoted as 'text'.",
  "42P01": "A subquery may only name tables of this app; manage_schema (action get) lists them.",
  "42883": "Cast one side to the type of the other, e.g. team_id::text = split_part(channel, ':', 2).",
  "42804": "The whole expression has to be true or false.",
};
