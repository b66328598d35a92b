/** Limits of what is written to the memory. */
export const limits = {
  /** A title, a display name. */
  titleChars: 500,
  /** A rationale, a description, a summary. */
  textChars: 20_000,
  /** The content of a source artifact. */
  contentChars: 1_000_000,
  /** A URL, a storage object's id. */
  urlChars: 2_000,
  /** `attrs`, `applies_to`, `constraint_spec`, as JSON. */
  objectChars: 65_536,
  /** How deep a payload may be nested. */
  payloadDepth: 24,
  /** A record's data as JSON. */
  recordChars: 2_000_000,
  /** What of a record is searched besides its title; a tsvector holds at most 1 MB. */
  bodyBytes: 150_000,
  /** Entries of `canonical_keys`. */
  canonicalKeys: 50,
  /** The name of a key, of an external system, of a relation. */
  nameChars: 100,
  /** The value of a key, an external id. */
  valueChars: 500,
  /** Entities, and tags, a source artifact names. */
  artifactLinks: 500,
  /** Records one action may change, e.g. those that refer to an entity that is merged away. */
  recordsPerAction: 20_000,
  /** Records written with one statement. */
  recordsPerStatement: 500,
  /** Versions read and written at once while values are erased. */
  versionsPerStatement: 50,
  /** Records listed in an error. */
  listed: 50,
  /** Later versions of one record that are looked at when an action is to be undone. */
  laterVersions: 2_000,
  /** Tries to take locks that another transaction holds in another order, or a key that another is just taking. */
  attempts: 8,
} as const;
