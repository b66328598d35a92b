/** Limits of the catalogue: whatever a server sends, looking at it ends soon. */
export const limits = {
  /** Characters of one text (a name, a description) that are looked at. */
  textChars: 20_000,
  /** Texts of one tool that are searched for instructions. */
  texts: 2_000,
  /** Schemas of one tool that are walked, references followed included. */
  schemas: 2_000,
  /** Levels of a schema that are walked. */
  depth: 24,
  /** Parameters, nested ones included, from which on they are many. */
  manyParameters: 10,
  /** Signals of one kind that are told of one tool. */
  signalsOfAKind: 10,
  /** Actions of one tool. */
  actions: 500,
  /** A quoted piece of the tool's own text. */
  quotedChars: 80,
  /** Arguments of one tool that get rules of their own in a suggested policy. */
  ruledArguments: 5,
  /** A suggested policy's JSON; tools beyond it are left to the default, deny. */
  documentBytes: 200_000,
  /** Tools a suggested policy speaks of. */
  suggestedTools: 4_000,
  /** A tool's name that a suggested policy speaks of. */
  nameChars: 256,
} as const;
