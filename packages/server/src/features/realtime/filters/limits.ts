/** Limits of filters, beside those on their number and length in the feature's own `limits.ts`. */
export const filterLimits = {
  /** A whole filter given as an object, as JSON. */
  objectChars: 16_384,
  /** Conditions on one column. */
  conditionsPerColumn: 16,
  /** Length of a value times length of its LIKE pattern, up to which it is matched here. */
  likeSteps: 4_000_000,
  /** Filters of one table asked about in one call. */
  filtersPerCall: 200,
  /** A call over many filters is cancelled after this; then each is asked by itself. */
  callMs: 2_000,
  /** A call over one filter is cancelled after this. */
  singleCallMs: 1_000,
} as const;
