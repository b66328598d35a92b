/** What kind of trouble a Postgres error is, for those that translate it to their callers. */
export type PgErrorKind =
  | "unique"
  | "foreign_key"
  | "check"
  | "not_null"
  | "exclusion"
  | "permission"
  | "unknown_column"
  | "unknown_table"
  | "type_mismatch"
  | "invalid_value"
  | "raised"
  | "conflict"
  | "timeout"
  | "read_only"
  | "too_large"
  | "other";

/** An error of Postgres, taken apart. */
export interface PgErrorFacts {
  readonly kind: PgErrorKind;
  /** The five characters of SQLSTATE. */
  readonly code: string;
  readonly severity: string;
  readonly message: string;
  readonly detail: string | null;
  readonly hint: string | null;
  readonly table: string | null;
  readonly column: string | null;
  readonly constraint: string | null;
  /**
   * Columns of the key that a unique or foreign key error speaks of; their values are only in `detail`. Postgres
   * leaves both out for tables under row-level security.
   */
  readonly keyColumns: readonly string[];
  /** Foreign key errors: the row is still referenced, by a row of `table`; else it references a row that is not there. */
  readonly stillReferenced: boolean;
  /** Where in the statement, in characters from 1. */
  readonly position: number | null;
}

/** SQLSTATE → kind; codes not listed fall under their class, the first two characters. See appendix A of the manual. */
const KINDS: Readonly<Record<string, PgErrorKind | undefined>> = {
  "23502": "not_null",
  "23503": "foreign_key",
  "23001": "foreign_key",
  "23505": "unique",
  "23514": "check",
  "44000": "check",
  "23P01": "exclusion",
  "42501": "permission",
  "42703": "unknown_column",
  "42P01": "unknown_table",
  "42804": "type_mismatch",
  "42846": "type_mismatch",
  "42883": "type_mismatch",
  "42725": "type_mismatch",
  "42P18": "type_mismatch",
  "428C9": "invalid_value",
  "42P10": "invalid_value",
  "21000": "invalid_value",
  P0001: "raised",
  "40001": "conflict",
  "40P01": "conflict",
  "55P03": "conflict",
  "57014": "timeout",
  "25006": "read_only",
  "54000": "too_large",
  // A value nested so deep that reading it would exhaust the stack.
  "54001": "invalid_value",
  "22": "invalid_value",
};

/** Takes an error of the driver apart. Pure; null for anything that is not an answer of Postgres. */
export function describePgError(error: unknown): PgErrorFacts | null {
  if (!(error instanceof Error)) return null;
  const fields = error as Error & Record<string, unknown>;
  const { code, severity } = fields;
  if (typeof code !== "string" || typeof severity !== "string" || !/^[0-9A-Z]{5}$/.test(code)) return null;
  const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
  const detail = text(fields.detail);
  return {
    kind: KINDS[code] ?? KINDS[code.slice(0, 2)] ?? "other",
    code,
    severity,
    message: error.message,
    detail,
    hint: text(fields.hint),
    table: text(fields.table),
    column: text(fields.column),
    constraint: text(fields.constraint),
    keyColumns: keyColumns(detail),
    stillReferenced: code.startsWith("23") && /^update or delete on table/.test(error.message),
    position: Number(fields.position) || null,
  };
}

/** `Key (a, b)=(1, 2) already exists.` → a, b. */
function keyColumns(detail: string | null): string[] {
  const list = detail?.match(/^Key \((.+?)\)=\(/)?.[1];
  return list === undefined ? [] : list.split(", ").map((name) => name.replace(/^"(.*)"$/, "$1"));
}
