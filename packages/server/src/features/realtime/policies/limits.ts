/** Limits of compiled policies. A policy beyond one of them is judged by SQL. */
export const limits = {
  /** Ways in which a policy may be satisfied, each a list of conditions. */
  disjuncts: 64,
  /** Conditions in one of them. */
  conditionsPerDisjunct: 32,
  /** A policy's expression. */
  expressionChars: 32_768,
  /** Claims of one identity; longer ones are judged by SQL. */
  claimsChars: 16_384,
  /** Objects and arrays in the claims of one identity; more are judged by SQL. */
  claimsParts: 500,
  /** Rows and identities made up for a check of a rule. */
  checkRows: 60,
  checkIdentities: 40,
  /** Times a check is repeated whose tables changed while it ran. */
  checkTries: 3,
} as const;
