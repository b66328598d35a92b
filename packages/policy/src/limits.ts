/** Bounds of what the engine takes. Beyond one of them a document is invalid, and a message or a call is refused. */
export const limits = {
  /** A policy document as JSON text, in bytes of UTF-8. */
  documentBytes: 256 * 1024,
  /** Nesting of objects and lists in a document, in levels. */
  documentDepth: 64,
  /** Values of any kind in a document. */
  documentValues: 200_000,
  /** Tools a document lists. */
  tools: 5_000,
  /** Names a document hides. */
  hiddenNames: 10_000,
  /** Rules of one kind for one tool. */
  rulesPerList: 1_000,
  /** Conditions of one rule. */
  conditionsPerRule: 200,
  /** Limits of one tool, or of all tools together. */
  limitsPerList: 50,
  /** A tool's name in a document, in characters. */
  nameChars: 256,
  /** A counter's name, in characters. */
  counterChars: 200,
  /** A path, in characters. */
  pathChars: 1_000,
  /** Steps of a path. */
  pathSteps: 32,
  /** What an agent is told (`on_deny`, `reason`), in characters. */
  messageChars: 4_000,
  /** The longest window of `rate_limit`, in seconds: 31 days. */
  rateWindowS: 31 * 86_400,
  /** A regular expression, in characters. */
  regexChars: 2_000,
  /** What one regular expression compiles to, in instructions. */
  regexInstructions: 10_000,
  /** What all of a document's compile to together, in instructions. */
  documentRegexInstructions: 200_000,
  /** Text a regular expression is matched against, in characters; longer text counts as a value of the wrong type. */
  regexInputChars: 1024 * 1024,
  /** Problems a validation lists, and as many warnings; what is beyond is counted. */
  problems: 500,
  /** Nesting of a message, in levels, unless the reader is told otherwise. */
  messageDepth: 128,
  /** A message as text, in bytes of UTF-8, unless the reader is told otherwise. */
  messageBytes: 10 * 1024 * 1024,
} as const;
