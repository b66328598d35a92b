/** Bounds on SQL text that agents give; what is over them is refused before it is parsed. */
export const limits = {
  /** One expression (default, check, policy, index, generated column), in UTF-8. */
  expressionBytes: 8 * 1024,
  /** One statement for `run_sql`, in UTF-8. Bulk loads belong in the data API. */
  statementBytes: 64 * 1024,
  /**
   * Tokens along the deepest path of the text (see `measure`). The parser's WebAssembly stack gives way at about
   * 2,900 of them in the worst form known, `(select (select …`.
   */
  nestingTokens: 1_000,
  /**
   * Columns × tokens. For `SET (a, b, …) = (…)` the parser repeats the right side once per column, so a short text
   * could become a tree that fills the memory.
   */
  expandedTokens: 100_000,
  /** A literal length given to repeat, lpad or rpad, or a width inside the format string of format(). */
  paddingChars: 10_000,
  /** Problems reported for one text. */
  problems: 20,
} as const;
