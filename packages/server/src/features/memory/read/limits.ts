/** Limits of what is read from the memory. */
export const limits = {
  /** A search text. */
  queryChars: 2_000,
  /** Words in it. */
  queryWords: 32,
  /** A word, cut after this; the same number is in `ambit.memory_vector`. */
  wordChars: 64,
  /** A prefix of fewer characters is taken for a word: it would find nearly everything. */
  prefixChars: 2,
  /** Records per page of a search. */
  searchResults: 200,
  searchResultsDefault: 20,
  /** Records per page of a list of the memory. */
  listed: 100,
  listedDefault: 25,
  /** Entities per page. */
  entities: 1_000,
  /** Source artifacts, and principles, per page. */
  artifacts: 200,
  pageDefault: 50,
  /** Versions, and links, per page. */
  versions: 200,
  /**
   * Of more records than this that have the words in their titles, and of more than this that have them anywhere, the
   * newest are ranked.
   */
  candidates: 300,
  /** What at least this many records have is looked for among the newest first instead of in the index. */
  commonRecords: 4_000,
  /** Newest records looked through before the index is used all the same. */
  recentRecords: 10_000,
  /** Records that have a word; with fewer than this, words near it are looked for. */
  fewRecords: 3,
  /** Words of one search for which near words are looked for. */
  correctedWords: 4,
  /** Near words that stand in for one word. */
  alternatives: 6,
  /** Shorter words are never corrected. */
  correctableChars: 4,
  /** From this length on two errors are forgiven, else one. */
  twoErrorsChars: 8,
  /** A longer word is not corrected. */
  correctableMostChars: 32,
  /** Words that begin, or end, like a misspelt one and are compared with it. */
  comparedWords: 4_000,
  /** A result's snippet. */
  snippetChars: 240,
  /** What of a record's text a result shows. */
  bodyTextChars: 8_000,
  /** How far into a record's text the snippet is looked for. */
  snippetBodyChars: 30_000,
  /** Written records whose words are counted in one step. */
  countedRecords: 2_000,
  countEveryMs: 3_000,
} as const;
