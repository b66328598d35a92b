import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import { errors } from "../../kernel/errors.ts";
import { createGate } from "../../kernel/gate.ts";
import { inputProblem } from "../../kernel/plain-input.ts";
import { realtimeErrors } from "./errors.ts";
import { type FoundPolicy, type FoundTable, findTable } from "./explain-catalog.ts";
import { explainLimits } from "./explain-limits.ts";
import { ask, type RowText, readingOnly, rowByKey, rowOfRecord, unfit } from "./explain-row.ts";
import type { Explainer, Onlooker, RowQuestion } from "./explain-types.ts";
import {
  type Findings,
  notApplied,
  type PolicyResult,
  tellPolicies,
  verdictOf,
  wholeCondition,
} from "./explain-verdict.ts";

export type { Explainer, Explanation, Onlooker, OwnExplanation, RowQuestion } from "./explain-types.ts";

/** Whom policies see. */
interface Identity {
  readonly role: Onlooker["role"];
  readonly userId: string | null;
  readonly claims: string;
  readonly subject: string;
}

export function createExplainer({
  database,
  clock,
  metrics,
}: Pick<Platform, "database" | "clock" | "metrics">): Explainer {
  const gate = createGate({
    inside: explainLimits.inside,
    waiting: explainLimits.waiting,
    refusal: () => {
      metrics.limitsHit.inc({ limit: "explain" });
      return errors.QUOTA_RATE_LIMIT({
        message: "Too many explanations of this app are running or waiting.",
        headers: { "Retry-After": "1" },
      });
    },
  });
  const find = (appId: string, question: RowQuestion, identity: Identity, own: boolean): Promise<Found> =>
    gate.run(appId, () =>
      readingOnly(database, appId, explainLimits.statementMs, (tx) =>
        look(tx, { appId, question, identity, own, giveUpAtMs: clock() + explainLimits.totalMs, clock }),
      ),
    );
  return {
    async explain(appId, question) {
      checkQuestion(question);
      const identity = identityOf(appId, question.as);
      const { findings, incomplete } = await find(appId, question, identity, false);
      return {
        table: question.table,
        as: { role: identity.role, user_id: identity.userId },
        ...verdictOf(findings),
        row_found: findings.row,
        rls_enabled: findings.found.rls,
        policies: tellPolicies(findings),
        hidden_columns: findings.found.columns.filter(({ readable }) => !readable).map(({ name }) => name),
        ...(incomplete ? { incomplete } : {}),
      };
    },
    async explainOwn(appId, viewer, question) {
      checkQuestion(question);
      const { findings } = await find(appId, question, viewer, true);
      const applying = tellPolicies(findings).filter(({ applies }) => applies);
      return {
        table: question.table,
        ...verdictOf(findings),
        rls_enabled: findings.found.rls,
        policies: applying.map(({ name, type, result, error }) => ({
          name,
          type,
          ...(result === undefined ? {} : { result }),
          ...(error === undefined ? {} : { error }),
        })),
      };
    },
  };
}

function checkQuestion({ key, record }: RowQuestion): void {
  if ((key === undefined) === (record === undefined)) {
    throw unfit(
      "Either key or record names the row to explain.",
      'Send "key": {"id": 1} or "record": {…}, one of both.',
    );
  }
  const given = key === undefined ? record : key;
  const bad = inputProblem(given, 100);
  if (bad !== null) throw unfit(`The row can't be read: ${bad}.`, "Send plain JSON values.");
  if (JSON.stringify(given).length > explainLimits.givenChars) {
    throw unfit(
      `The row is longer than ${explainLimits.givenChars} characters of JSON.`,
      "Leave out columns that no policy reads.",
    );
  }
}

function identityOf(appId: string, { role, userId, claims }: Onlooker): Identity {
  if (role !== "user") {
    if (userId !== undefined || claims !== undefined) {
      throw unfit(
        `The role ${role} has no user and no claims.`,
        'Leave them out, or look as "role": "user".',
      );
    }
    return { role, userId: null, claims: "", subject: "" };
  }
  const sub = userId ?? claims?.sub;
  if (typeof sub !== "string" || sub === "") {
    throw unfit("The role user needs the user's id.", 'Send "as": {"role": "user", "user_id": "…"}.');
  }
  const all = claims === undefined ? { sub, app_id: appId, role: "user" } : { ...claims, sub };
  const text = JSON.stringify(all);
  const bad = inputProblem(all, 50);
  if (bad !== null || text.length > explainLimits.claimsChars) {
    throw unfit(`The claims can't be used: ${bad ?? "they are too long"}.`, "Send the claims of a token.");
  }
  return { role, userId: sub, claims: text, subject: sub };
}

interface Look {
  readonly appId: string;
  readonly question: RowQuestion;
  readonly identity: Identity;
  readonly own: boolean;
  readonly giveUpAtMs: number;
  clock(): number;
}

interface Found {
  readonly findings: Findings;
  /** Policies were left out. */
  readonly incomplete: boolean;
}

async function look(tx: Transaction, order: Look): Promise<Found> {
  const { appId, question, identity, own } = order;
  const { role } = identity;
  const found = await findTable(tx, appId, question.table, role);
  const concealed = own && role !== "service" && !found?.columns.some(({ readable }) => readable);
  if (found === null || concealed) {
    throw realtimeErrors.VALIDATION_TABLE_NOT_FOUND({ details: { table: question.table } });
  }
  if (question.record !== undefined) checkColumns(found, question.table, question.record, own);
  const looked = question.key === undefined ? null : await rowByKey(tx, found, question.key);
  await tx.query(
    "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true), set_config('request.jwt.claim.sub', $3, true)",
    [tenantRole(appId, role), identity.claims, identity.subject],
  );
  const row = question.record === undefined ? looked : await rowOfRecord(tx, found, question.record);
  const applying = found.policies.filter((policy) => notApplied(policy, role, found.rls) === null);
  const findings = { table: question.table, role, found, row: row !== null };
  const open = new Map(applying.map((policy): [FoundPolicy, undefined] => [policy, undefined]));
  if (row === null) return { findings: { ...findings, results: open, whole: null }, incomplete: false };
  const { whole, results } = await askPolicies(tx, order, found, row, applying);
  return {
    findings: { ...findings, whole, results: new Map([...open, ...results]) },
    incomplete: results.size < applying.length,
  };
}

function checkColumns(found: FoundTable, table: string, record: object, own: boolean): void {
  const known = new Set(found.columns.filter(({ readable }) => readable || !own).map(({ name }) => name));
  const unknown = Object.keys(record).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw unfit(
    `The record names ${unknown.slice(0, 63)}: ${table} has no such column${own ? " that this connection may read" : ""}.`,
    "Use columns of the table.",
  );
}

/** The policies together first, for that is what counts; then each of them, as far as time and number allow. */
async function askPolicies(
  tx: Transaction,
  { question: { table }, giveUpAtMs, clock }: Look,
  found: FoundTable,
  row: RowText,
  applying: readonly FoundPolicy[],
): Promise<{ whole: PolicyResult; results: Map<FoundPolicy, PolicyResult> }> {
  const results = new Map<FoundPolicy, PolicyResult>();
  const condition = wholeCondition(applying);
  const whole = condition === null ? null : await ask(tx, { found, table, row }, condition);
  for (const policy of applying.slice(0, explainLimits.policies)) {
    if (clock() > giveUpAtMs) break;
    results.set(policy, await ask(tx, { found, table, row }, policy.expression!));
  }
  return { whole, results };
}
