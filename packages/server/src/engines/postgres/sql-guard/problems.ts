/** What can be wrong with a text; stable, for callers to branch on. */
export type ProblemCode =
  | "EMPTY"
  | "TOO_LONG"
  | "TOO_COMPLEX"
  | "BAD_CHARACTER"
  | "SYNTAX"
  | "NOT_ONE_EXPRESSION"
  | "NOT_ONE_STATEMENT"
  | "STATEMENT_NOT_ALLOWED"
  | "WRITE_NOT_ALLOWED"
  | "FUNCTION_NOT_ALLOWED"
  | "ARGUMENT_NOT_ALLOWED"
  | "SUBQUERY_NOT_ALLOWED"
  | "SCHEMA_NOT_ALLOWED"
  | "TABLE_NOT_ALLOWED"
  | "COLUMN_NOT_ALLOWED"
  | "PARAMETER_NOT_ALLOWED"
  | "OPERATOR_NOT_ALLOWED"
  | "TYPE_NOT_ALLOWED"
  | "CONSTRUCT_NOT_ALLOWED";

/** One reason why a text is refused. */
export interface Problem {
  code: ProblemCode;
  /** For the agent that wrote the text: what is wrong and what to do instead. */
  message: string;
  /** Where, in characters from 1, as Postgres counts. */
  position?: number;
  /** The name it is about: a function, table, type, column or command. */
  subject?: string;
}

/** The normalised text did not parse to the tree that was judged, so nothing may be sent. */
export const NOT_NORMALIZED: Problem = {
  code: "SYNTAX",
  message: "The text changes its meaning when comments and line breaks are taken out; write it on one line.",
};
