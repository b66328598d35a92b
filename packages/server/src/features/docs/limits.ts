/** Limits of the documentation. */
export const limits = {
  queryChars: 300,
  /** Sections a search answers with. */
  results: 6,
  /** Text shown of each. */
  excerptChars: 900,
  /** A guide file; larger ones are left out. */
  guideBytes: 512 * 1024,
} as const;
