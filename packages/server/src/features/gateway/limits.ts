/** Limits of the gateway's judge. */
export const limits = {
  /** Sessions of older clients a grant may open per hour, counted across nodes. */
  sessionsPerHour: 120,
  /** Wrong tokens one address may try per minute, on each node. */
  wrongTokensPerMinute: 100,
  /** A token that is looked up at all. */
  tokenChars: 200,
  /** Names of arguments in a record, and the length of each. */
  argumentKeys: 64,
  argumentKeyChars: 100,
  /** A tool's or method's name in a record. */
  nameChars: 200,
  /** A rule and a message in a record. */
  ruleChars: 1_000,
  messageChars: 2_000,
  /** How long a repeated call waits for the one that is running. */
  runningWaitMs: 10_000,
  /** Between two looks at it. */
  runningPollMs: 100,
  /** Calls of one node that wait like that; others are told at once. */
  runningWaiters: 100,
  /** Looks at what became of a call while others change it. */
  heldLooks: 200,
  /** Between two looks for calls that wait of grants that are no more. */
  sweepEveryMs: 30_000,
  /** Grants in one statement of that look. */
  sweepGrants: 500,
} as const;
