/** Bounds of what is read from others. */
export const limits = {
  /** Nesting of objects and arrays in an entry or a sealed value, in levels. */
  depth: 100,
  /** The kind of an entry, in characters. */
  kindChars: 200,
  /** One line of an export, in bytes. */
  lineBytes: 16 * 1024 * 1024,
  /** A signed note, in characters. */
  noteChars: 64 * 1024,
  /** Signature lines of a note. */
  noteSignatures: 100,
  /** Problems a report lists one by one; the rest is counted. */
  problems: 1_000,
  /** Separate gaps in the order of an export that are remembered. */
  gaps: 1_000,
  /** The latest entry ids, at least, among which a second one with the same id is recognised. */
  rememberedIds: 20_000,
  /** Text of the input that a message repeats, in characters. */
  quotedChars: 60,
} as const;
