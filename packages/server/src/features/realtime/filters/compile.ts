import type { ColumnPath, RowCondition } from "../../data/service.ts";
import type { RowReader } from "../policies/types.ts";
import { isLike, type LikePattern, readLike } from "./like.ts";
import { filterLimits } from "./limits.ts";
import type { FilterColumn } from "./types.ts";
import { type Comparing, comparingOf, isPlainText } from "./values.ts";

/** SQL's truth, null being unknown; `sql`: only Postgres can tell. */
export type Truth = boolean | null | "sql";

/** Asks one row. */
export type Test = (row: RowReader) => Truth;

/** A condition, ready to be asked here. */
export interface Compiled {
  readonly test: Test;
  /** It answers `sql` only where the log has no value. */
  readonly total: boolean;
  /** Postgres may fail on some rows instead of answering: nothing else of the filter may answer in its place. */
  readonly mayFail: boolean;
}

const askPostgres: Compiled = { test: () => "sql", total: false, mayFail: false };
const mayFail: Compiled = { test: () => "sql", total: false, mayFail: true };

/** Oids below are Postgres' own types; those of users may fail in ways of their own. */
const FIRST_USER_OID = 16_384;
const JSON_OID = 114;
const BOOL_OID = 16;

/** Compiles conditions all of which have to hold; `columnOf` gives every column they name. Pure. */
export function compileConditions(
  conditions: readonly RowCondition[],
  columnOf: (name: string) => FilterColumn,
): Compiled {
  const all = joined(
    "and",
    conditions.map((condition) => compile(condition, columnOf)),
  );
  return all.mayFail ? mayFail : all;
}

function compile(condition: RowCondition, columnOf: (name: string) => FilterColumn): Compiled {
  const plain = condition.kind === "group" ? null : term(condition, columnOf(condition.path.column));
  const compiled =
    plain ??
    joined(
      (condition as Extract<RowCondition, { kind: "group" }>).join,
      (condition as Extract<RowCondition, { kind: "group" }>).terms.map((one) => compile(one, columnOf)),
    );
  if (!condition.negated) return compiled;
  const { test } = compiled;
  return { ...compiled, test: (row) => negate(test(row)) };
}

const negate = (truth: Truth): Truth => (typeof truth === "boolean" ? !truth : truth);

/** AND is decided by one false, OR by one true, whatever the others are; else one that is not known leaves it open. */
export function joined(join: "and" | "or", terms: readonly Compiled[]): Compiled {
  const decisive = join === "or";
  const tests = terms.map(({ test }) => test);
  const test: Test = (row) => {
    let result: Truth = !decisive;
    for (const one of tests) {
      const truth = one(row);
      if (truth === decisive) return decisive;
      if (truth === "sql" || (truth === null && result !== "sql")) result = truth;
    }
    return result;
  };
  return {
    test,
    total: terms.every((one) => one.total),
    mayFail: terms.some((one) => one.mayFail),
  };
}

type Term = Exclude<RowCondition, { kind: "group" }>;

function term(condition: Term, column: FilterColumn): Compiled {
  const known = column.typeOid < FIRST_USER_OID || column.labels != null;
  if (!known) return mayFail;
  if (condition.path.steps.length > 0) return insideJson(condition.path, column);
  switch (condition.kind) {
    case "is":
      return is(condition.value, column);
    case "in":
      return oneOf(condition.values, column);
    case "compare":
      return compare(condition.op, condition.value, column);
  }
}

/** `json`, unlike `jsonb`, holds texts that are found to be bad only when they are looked into. */
const insideJson = (_path: ColumnPath, { typeOid }: FilterColumn): Compiled =>
  typeOid === JSON_OID ? mayFail : askPostgres;

function is(value: Extract<Term, { kind: "is" }>["value"], { name, typeOid }: FilterColumn): Compiled {
  const ask = (meaning: (text: string | null) => boolean): Compiled => ({
    test: (row) => {
      const text = row(name);
      return text === undefined ? "sql" : meaning(text);
    },
    total: true,
    mayFail: false,
  });
  if (value === "null") return ask((text) => text === null);
  if (value === "not_null") return ask((text) => text !== null);
  if (typeOid !== BOOL_OID) return askPostgres;
  if (value === "unknown") return ask((text) => text === null);
  return ask((text) => text === (value === "true" ? "t" : "f"));
}

/** Asks about the column's value as text; NULL gives unknown. */
const onText = (name: string, total: boolean, ask: (text: string) => Truth): Compiled => ({
  test: (row) => {
    const text = row(name);
    if (text === undefined) return "sql";
    return text === null ? null : ask(text);
  },
  total,
  mayFail: false,
});

function oneOf(values: readonly string[], column: FilterColumn): Compiled {
  // `= any` of nothing is false even for NULL.
  if (values.length === 0) return { test: () => false, total: true, mayFail: false };
  const comparing = comparingOf(column);
  const wanted = comparing === null ? [] : values.map((value) => comparing.literal(value));
  if (comparing === null || wanted.includes(null)) return askPostgres;
  // Values of one type are equal if and only if they are written alike, once read.
  const keys = new Set(wanted.map(keyOf));
  return onText(column.name, comparing.total, (text) => {
    const value = comparing.cell(text);
    return value === null ? "sql" : keys.has(keyOf(value));
  });
}

/** Numbers with a fraction are objects of texts; -0 is 0. */
const keyOf = (value: unknown): unknown =>
  typeof value === "object" ? JSON.stringify(value) : value === 0 ? 0 : value;

const HOLDS: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  neq: (order) => order !== 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
};

function compare(op: string, value: string, column: FilterColumn): Compiled {
  if (op === "like" || op === "ilike") return like(value, column, op === "ilike");
  // A text may have more words than a full text search can take.
  if (op === "fts") return mayFail;
  const holds = HOLDS[op];
  const comparing: Comparing<unknown> | null = comparingOf(column);
  if (holds === undefined || comparing === null) return askPostgres;
  const wanted = comparing.literal(value);
  const equality = op === "eq" || op === "neq";
  if (wanted === null || !(equality || comparing.ordered)) return askPostgres;
  return onText(column.name, comparing.total, (text) => {
    const own = comparing.cell(text);
    return own === null ? "sql" : holds(comparing.compare(own, wanted));
  });
}

const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text);

/** Capital and small letters are the same in every collation of bytes only as far as ASCII goes. */
function like(value: string, column: FilterColumn, ignoreCase: boolean): Compiled {
  const pattern = readLike(ignoreCase ? value.toLowerCase() : value);
  if (pattern === null || !isPlainText(column)) return mayFail;
  const exact = !ignoreCase || (column.collation === "bytes" && isAscii(value));
  if (!exact) return askPostgres;
  return onText(column.name, false, (text) => likeText(text, pattern, ignoreCase));
}

function likeText(text: string, pattern: LikePattern, ignoreCase: boolean): Truth {
  if (text.length * pattern.length > filterLimits.likeSteps) return "sql";
  if (!ignoreCase) return isLike(text, pattern);
  return isAscii(text) ? isLike(text.toLowerCase(), pattern) : "sql";
}
