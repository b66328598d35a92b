import type { PgErrorFacts } from "../../engines/postgres/pg-errors.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import { dataErrors } from "./errors.ts";

/** What a translated error may say: `trusted` callers (service) see every row anyway, so Postgres' own detail too. */
export interface ErrorAudience {
  readonly trusted: boolean;
}

type Translate = (facts: PgErrorFacts, audience: ErrorAudience, cause: unknown) => AmbitError;

/**
 * The error a caller of the data API is told for an error of Postgres; null when there is none for it. Values of rows
 * the caller may not see are never in it: for callers under row-level security the detail is built from names alone.
 */
export function translatePgError(
  facts: PgErrorFacts,
  audience: ErrorAudience,
  cause: unknown,
): AmbitError | null {
  return TRANSLATIONS[facts.kind]?.(facts, audience, cause) ?? null;
}

const TRANSLATIONS: Readonly<Record<PgErrorFacts["kind"], Translate | undefined>> = {
  unique: (facts, audience, cause) =>
    dataErrors.VALIDATION_UNIQUE_CONSTRAINT_VIOLATION({
      message: `A row with this ${keyOf(facts)} exists already.`,
      details: constraintDetails(facts, audience, `Key (${keyOf(facts)}) already exists.`),
      cause,
    }),
  foreign_key: (facts, audience, cause) =>
    dataErrors.VALIDATION_FOREIGN_KEY_VIOLATION({
      message: foreignKeyMessage(facts),
      details: constraintDetails(facts, audience, foreignKeyMessage(facts)),
      cause,
    }),
  check: (facts, audience, cause) =>
    dataErrors.VALIDATION_CHECK_CONSTRAINT_VIOLATION({
      message: `A value breaks the constraint ${facts.constraint ?? "of the table"}.`,
      details: constraintDetails(facts, audience, `The constraint ${facts.constraint ?? ""} does not hold.`),
      cause,
    }),
  exclusion: (facts, audience, cause) =>
    dataErrors.VALIDATION_CONSTRAINT_VIOLATION({
      message: `The row conflicts with another one under the constraint ${facts.constraint}.`,
      details: constraintDetails(facts, audience, `Key (${keyOf(facts)}) conflicts with an existing row.`),
      cause,
    }),
  not_null: (facts, _audience, cause) =>
    dataErrors.VALIDATION_NOT_NULL_VIOLATION({
      message: `The column ${facts.column} must have a value.`,
      details: { constraint_details: `${facts.column} is null.`, ...place(facts) },
      cause,
    }),
  permission: (facts, _audience, cause) =>
    dataErrors.AUTH_RLS_POLICY_VIOLATION({ message: sentence(facts.message), cause }),
  unknown_column: (facts, _audience, cause) =>
    dataErrors.VALIDATION_COLUMN_NOT_FOUND({ message: sentence(facts.message), cause }),
  unknown_table: (facts, _audience, cause) =>
    dataErrors.VALIDATION_TABLE_NOT_FOUND({ message: sentence(facts.message), cause }),
  type_mismatch: (facts, _audience, cause) =>
    dataErrors.VALIDATION_INVALID_TYPE({
      message: sentence(facts.message),
      details: { pg_code: facts.code, pg_detail: null },
      cause,
    }),
  invalid_value: invalidInput,
  raised: invalidInput,
  conflict: (_facts, _audience, cause) =>
    dataErrors.RESOURCE_CONFLICT({ cause, headers: { "Retry-After": "1" } }),
  timeout: (_facts, _audience, cause) => errors.REQUEST_TIMEOUT({ cause }),
  too_large: (_facts, _audience, cause) => dataErrors.RESPONSE_TOO_LARGE({ cause }),
  read_only: undefined,
  other: undefined,
};

function invalidInput(facts: PgErrorFacts, { trusted }: ErrorAudience, cause: unknown): AmbitError {
  return dataErrors.VALIDATION_INVALID_INPUT({
    message: sentence(trusted || facts.kind === "raised" ? facts.message : withoutValues(facts.message)),
    details: { pg_code: facts.code, pg_detail: trusted || facts.kind === "raised" ? facts.detail : null },
    cause,
  });
}

function constraintDetails(facts: PgErrorFacts, { trusted }: ErrorAudience, plain: string): object {
  return { constraint_details: trusted ? (facts.detail ?? plain) : plain, ...place(facts) };
}

function place({ table, column, keyColumns, constraint }: PgErrorFacts): object {
  const shown = column ?? (keyColumns.length > 0 ? keyColumns.join(", ") : null);
  return {
    ...(shown === null ? {} : { column: shown }),
    ...(table === null ? {} : { table }),
    ...(constraint === null ? {} : { constraint }),
  };
}

const keyOf = ({ keyColumns, constraint }: PgErrorFacts): string =>
  keyColumns.join(", ") || (constraint ?? "key");

function foreignKeyMessage(facts: PgErrorFacts): string {
  return facts.stillReferenced
    ? `The row is still referenced from ${facts.table}.`
    : `The row referenced by ${keyOf(facts)} does not exist.`;
}

/** A policy that casts may fail on a row the caller can't see, and the message quotes what it failed on. */
const withoutValues = (message: string): string => message.replaceAll(/"(?:[^"]|"")*"/g, "(value)");

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
