/** Judges SQL text that agents give, on the parser of Postgres itself, before any of it reaches the database. */
export { isCatalogType } from "./catalog-types.ts";
export { checkExpression, type ExpressionUse, type ExpressionVerdict } from "./expression.ts";
export type { TableUse } from "./judge.ts";
export type { Problem, ProblemCode } from "./problems.ts";
export { checkStatement, type StatementVerdict } from "./statement.ts";
export type { StatementKind } from "./statement-kinds.ts";
