/** Limits of attention rules. */
export const limits = {
  /** Rules of one organisation. */
  rules: 200,
  nameChars: 200,
  descriptionChars: 2_000,
  cronChars: 100,
  capabilityChars: 64,
  /** The most a rule may be allowed to propose per day. */
  maxFiresPerDay: 10_000,
  /** A condition as JSON; its operators and values; how deep they are nested; one text in it. */
  conditionBytes: 16 * 1024,
  conditionNodes: 1_000,
  conditionDepth: 24,
  conditionTextChars: 1_000,
  /** A payload template as JSON, and how deep it is nested. */
  templateBytes: 32 * 1024,
  templateDepth: 24,
  /** A payload once its variables are in it, as JSON. */
  payloadBytes: 256 * 1024,
  /** Steps one evaluation may take: an operator is one, a list as many as it has elements, a text one per KiB. */
  stepsPerRow: 10_000,
  /** Steps of a whole firing. */
  steps: 2_000_000,
  /** Steps after which others get their turn. */
  stepsBetweenTurns: 50_000,
  /** A text or a list that a condition makes. */
  madeTextChars: 10_000,
  madeListItems: 1_000,
  /** Rows of one kind a firing looks at, the latest changed first, and how many at a time. */
  rowsLookedAt: 50_000,
  rowsPerPage: 100,
  /** Proposals of one firing. */
  bindings: 100,
  /** Proposals a preview shows. */
  samples: 5,
  /** How often each node looks for rules whose time has come, and how many it takes up at once. */
  tickMs: 1_000,
  atOnce: 5,
  /** How long a node may be at a firing before another takes it up. */
  leaseMs: 120_000,
  /** How often a firing that breaks off is taken up again. */
  attempts: 5,
  /** Pause before a firing that broke off is taken up again. */
  retryMs: 10_000,
  /** Times that passed without a firing, counted one by one. */
  missedFirings: 300,
  /** How long firings are kept: those that proposed or failed, and those that had nothing to do. */
  keptMs: 90 * 86_400_000,
  skippedKeptMs: 7 * 86_400_000,
  sweepMs: 600_000,
  sweepRows: 5_000,
  /** Why a firing did what it did. */
  reasonChars: 1_000,
  listed: 200,
  defaultListed: 50,
} as const;
