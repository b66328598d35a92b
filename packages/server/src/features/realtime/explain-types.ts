import type { ExplainedPolicy } from "./explain-verdict.ts";
import type { Viewer } from "./subscriptions.ts";

/** A row: the one with a primary key (looked up with the owner's rights), or one made of values. Exactly one of both. */
export interface RowQuestion {
  readonly table: string;
  /** An object of the key's columns, or the value itself for a key of one column. */
  readonly key?: unknown;
  readonly record?: Readonly<Record<string, unknown>> | undefined;
}

/** Somebody to look as. `user` needs `userId`, or claims with a `sub`. */
export interface Onlooker {
  readonly role: "anon" | "user" | "service";
  readonly userId?: string | undefined;
  /** What policies see in `request.jwt.claims`; without them those a token of that user has. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** Whether somebody sees a row, and why. */
export interface Explanation {
  readonly table: string;
  readonly as: { readonly role: Onlooker["role"]; readonly user_id: string | null };
  /** Null: it can't be decided, so the row is not shown. */
  readonly visible: boolean | null;
  readonly reason: string;
  /** False: there is no row with the key. */
  readonly row_found: boolean;
  readonly rls_enabled: boolean;
  readonly policies: readonly ExplainedPolicy[];
  /** Columns that the role may not read, whatever the row. */
  readonly hidden_columns: readonly string[];
  /** Set when policies were left out for want of time or for their number. */
  readonly incomplete?: true;
}

/** The same, as end users are told about themselves: no expression, nothing of policies for others. */
export interface OwnExplanation {
  readonly table: string;
  readonly visible: boolean | null;
  readonly reason: string;
  readonly rls_enabled: boolean;
  readonly policies: readonly Pick<ExplainedPolicy, "name" | "type" | "result" | "error">[];
}

/** Explains why somebody sees a row or does not, by running the table's policies as them over that row alone. */
export interface Explainer {
  /**
   * @throws VALIDATION_TABLE_NOT_FOUND; VALIDATION_INVALID_SCHEMA for a question that makes no sense; QUOTA_RATE_LIMIT
   * when too many explanations of the app wait
   */
  explain(appId: string, question: RowQuestion & { readonly as: Onlooker }): Promise<Explanation>;
  /** For a connection about itself; columns and tables it may not read are refused as if they did not exist. */
  explainOwn(
    appId: string,
    viewer: Viewer,
    question: { readonly table: string; readonly record: Readonly<Record<string, unknown>> },
  ): Promise<OwnExplanation>;
}
