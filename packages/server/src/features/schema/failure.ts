import type { AmbitError } from "../../kernel/errors.ts";
import { schemaErrors } from "./errors.ts";
import type { Statement } from "./plan/index.ts";

/** What Postgres says about a refused statement. */
export interface PostgresProblem {
  readonly code: string;
  readonly message: string;
  readonly severity?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly column?: string;
  readonly table?: string;
  readonly constraint?: string;
}

/** The error as Postgres sent it; null for any other, such as a lost connection. */
export function postgresProblem(error: unknown): PostgresProblem | null {
  const { code, severity } = (error ?? {}) as Partial<PostgresProblem>;
  return error instanceof Error && typeof code === "string" && code.length === 5 && severity !== undefined
    ? (error as unknown as PostgresProblem)
    : null;
}

/** A statement of a plan that Postgres refused; undoes the transaction it was thrown in. */
export class StatementRefused extends Error {
  readonly statement: Statement;
  readonly problem: PostgresProblem;

  constructor(statement: Statement, problem: PostgresProblem) {
    super(problem.message);
    this.name = "StatementRefused";
    this.statement = statement;
    this.problem = problem;
  }
}

/** SQLSTATE → what to do. Codes: PostgreSQL, appendix A. */
const REMEDIES: Readonly<Record<string, string>> = {
  "23502":
    "Give the column a default, or make it nullable, fill the rows, then apply again with nullable: false.",
  "23505": "Rows that are there hold the same value more than once; change them first.",
  "23514": "Rows that are there break the check; change them first.",
  "23503": "Rows that are there refer to rows that are not; change them first.",
  "22P02": "Values that are there can't be read as the new type; change them first.",
  "42804": "The types do not fit together; change one of them.",
  "42846": "There is no cast between the two types; add a new column and copy the values instead.",
  "2BP01": "Other parts of the schema rest on this; drop those first, in the same document.",
  "42830":
    "A foreign key has to refer to columns that are unique: declare them unique or as the primary key.",
  "0A000":
    "Drop what rests on the column (policies, generated columns), apply, and make it again afterwards.",
  "55P03": "The table is in use; try again in a moment.",
  "40P01": "Another change was in the way; try again.",
  "57014": "The change took too long and was undone; try it in smaller steps.",
};

/** The answer to a caller. `rows`: how many rows the table has, where that explains the refusal. */
export function migrationFailed(refused: StatementRefused, rows: number | null): AmbitError {
  const { problem, statement } = refused;
  const remediation = REMEDIES[problem.code];
  return schemaErrors.SCHEMA_MIGRATION_FAILED({
    message: `${statement.description}: ${problem.message}`,
    ...(remediation === undefined ? {} : { remediation }),
    details: {
      pg_code: problem.code,
      severity: problem.severity,
      column: problem.column ?? null,
      table: problem.table ?? null,
      constraint: problem.constraint ?? null,
      existing_row_count: rows,
      detail: problem.detail ?? null,
      hint: problem.hint ?? null,
      statement: statement.sql,
    },
    cause: refused,
  });
}
