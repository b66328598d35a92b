import { checkExpression, type Problem } from "../../engines/postgres/sql-guard/index.ts";
import type { AmbitError } from "../../kernel/errors.ts";
import { rlsErrors } from "./errors.ts";
import { isInTheWay } from "./retry.ts";

/** Problems that say the text is no expression, rather than one that could do harm. */
const NO_EXPRESSION = new Set<Problem["code"]>([
  "EMPTY",
  "SYNTAX",
  "TOO_LONG",
  "TOO_COMPLEX",
  "BAD_CHARACTER",
]);

/**
 * The expression in the form that goes to Postgres.
 * @throws RLS_UNSAFE_EXPRESSION when it could leave its place or reach what policies may not reach,
 *   RLS_INVALID_EXPRESSION when it is no expression at all
 */
export async function acceptExpression(
  appId: string,
  enums: ReadonlySet<string>,
  field: string,
  text: string,
): Promise<string> {
  const verdict = await checkExpression(text, "policy", { appSchema: appId, appTypes: enums });
  if (verdict.ok && verdict.normalized !== undefined) return verdict.normalized;
  const { problems } = verdict;
  const occurrence = {
    message: `${field}: ${problems.map(({ message }) => message).join(" ")}`,
    details: { field, problems },
  };
  return Promise.reject(
    problems.every(({ code }) => NO_EXPRESSION.has(code))
      ? rlsErrors.RLS_INVALID_EXPRESSION(occurrence)
      : rlsErrors.RLS_UNSAFE_EXPRESSION(occurrence),
  );
}

/** What Postgres says about an expression it can't evaluate. */
export interface SqlRefusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly position?: string;
}

/** A refusal of what was asked; null for any other error, such as a lost connection or a deadlock with others. */
export function sqlRefusal(error: unknown): SqlRefusal | null {
  if (isInTheWay(error)) return null;
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return error instanceof Error && typeof code === "string" && code.length === 5 && severity !== undefined
    ? (error as unknown as SqlRefusal)
    : null;
}

/** SQLSTATEs of types that do not fit: datatype_mismatch, cannot_coerce, ambiguous_function, invalid_text_representation. */
const MISMATCHES = new Set(["42804", "42846", "42725", "22P02"]);

const REMEDIES: Readonly<Record<string, string>> = {
  "42703":
    "Use a column that the table has; text is quoted as 'text'. manage_schema (action get) lists the columns.",
  "42P01": "A subquery may only name tables of this app; manage_schema (action get) lists them.",
  "42P17":
    "The policies of the two tables ask each other. Let one of them decide by its own columns, for example by repeating the user's id in them.",
  "42501": "The callers of this policy may not read what its subquery reads; see readableBy in the schema.",
};

/** The error to throw for an expression that Postgres refused. Pure. */
export function refusedByPostgres(refusal: SqlRefusal): AmbitError {
  const details = { pg_code: refusal.code, hint: refusal.hint ?? null };
  const noOperator = refusal.code === "42883" && refusal.message.startsWith("operator does not exist");
  if (noOperator || MISMATCHES.has(refusal.code)) {
    const uuid = /\buuid\b/.test(refusal.message);
    return rlsErrors.RLS_TYPE_MISMATCH({
      message: refusal.message,
      details,
      ...(uuid
        ? {}
        : { remediation: "Cast one side to the type of the other, e.g. column::text = current_user_id()." }),
    });
  }
  const remediation = REMEDIES[refusal.code];
  return rlsErrors.RLS_INVALID_EXPRESSION({
    message: refusal.message,
    details,
    ...(remediation === undefined ? {} : { remediation }),
  });
}
