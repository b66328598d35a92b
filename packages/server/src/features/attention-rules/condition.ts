import type { Json } from "../ledger/service.ts";
import type { RecordKind } from "../memory/service.ts";
import { ruleErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { logicProblem } from "./logic/check.ts";
import type { ConditionMode } from "./types.ts";

/** What `from` may say, and which records it means. */
export const SOURCES = {
  entities: "entity",
  decisions: "decision",
  commitments: "commitment",
  learnings: "learning",
  source_artifacts: "source_artifact",
} as const satisfies Record<string, RecordKind>;
export type Source = keyof typeof SOURCES;

/** A condition that has been read. */
export type Condition =
  | { readonly mode: "snapshot_predicate"; readonly logic: Json }
  | {
      readonly mode: "row_query";
      readonly from: Source;
      readonly type: string | null;
      readonly status: string | null;
      readonly logic: Json;
      readonly limit: number;
    };

const QUERY_KEYS = ["from", "where", "type", "status", "limit"];

/**
 * Reads a rule's condition. Of a row query that is JSON-Logic alone, the rows are entities. Throws
 * RULE_CONDITION_INVALID. Pure.
 */
export function readCondition(mode: ConditionMode, condition: Json): Condition {
  if (mode === "snapshot_predicate") return { mode, logic: checked(condition) };
  const query = queryOf(condition);
  if (query === null) {
    const none = { type: null, status: null, limit: limits.bindings };
    return { mode, from: "entities", ...none, logic: checked(condition) };
  }
  const unknown = Object.keys(query).find((key) => !QUERY_KEYS.includes(key));
  if (unknown !== undefined) throw invalid(`${unknown.slice(0, 60)} is none of ${QUERY_KEYS.join(", ")}`);
  const { from = "entities", limit = limits.bindings } = query;
  if (typeof from !== "string" || !Object.hasOwn(SOURCES, from)) {
    throw invalid(`from is one of ${Object.keys(SOURCES).join(", ")}`);
  }
  if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 1 || limit > limits.bindings) {
    throw invalid(`limit is a whole number from 1 to ${limits.bindings}`);
  }
  return {
    mode,
    from: from as Source,
    type: textOf(query, "type"),
    status: textOf(query, "status"),
    logic: checked(query.where ?? true),
    limit,
  };
}

/** The condition as a query, or null for JSON-Logic alone. */
function queryOf(condition: Json): Readonly<Record<string, Json>> | null {
  if (typeof condition !== "object" || condition === null || Array.isArray(condition)) return null;
  return "from" in condition || "where" in condition ? (condition as Readonly<Record<string, Json>>) : null;
}

function textOf(query: Readonly<Record<string, Json>>, key: "type" | "status"): string | null {
  const value = query[key] ?? null;
  if (value !== null && (typeof value !== "string" || value === "" || value.length > 100)) {
    throw invalid(`${key} is a text of at most 100 characters`);
  }
  return value as string | null;
}

function checked(logic: Json): Json {
  const problem = logicProblem(logic);
  if (problem !== null) throw invalid(problem);
  return logic;
}

const invalid = (problem: string) =>
  ruleErrors.RULE_CONDITION_INVALID({ message: `The condition can't be used: ${problem}.` });
