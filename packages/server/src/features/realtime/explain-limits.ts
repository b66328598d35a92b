/** Limits of explaining why somebody sees a row. */
export const explainLimits = {
  /** One policy, and the looking up of the row. */
  statementMs: 1_000,
  /** All of one explanation; policies not asked by then are left out of it, and it says so. */
  totalMs: 5_000,
  /** Policies of the table that are asked one by one. */
  policies: 100,
  /** The row or key given, and the claims, as JSON. */
  givenChars: 256 * 1024,
  claimsChars: 16 * 1024,
  /** Explanations of one app at once per node, and further ones that wait for their turn. */
  inside: 2,
  waiting: 16,
} as const;
