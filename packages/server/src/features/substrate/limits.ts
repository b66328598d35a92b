/** Limits of proposals. What waits for a person is bounded by the approvals' own limits. */
export const limits = {
  /** Proposals and previews of one organisation under way at once on a node; each takes a database connection. */
  proposalsAtOnce: 5,
  /** The same of all organisations together; leaves connections to everything else. */
  proposalsOfAll: 7,
  /** Proposals and previews of one organisation that wait for their turn on a node. */
  proposalsWaiting: 1_000,
  /** A proposal's payload, as JSON. */
  payloadBytes: 4 * 1024 * 1024,
  /** A caller's idempotency key. */
  idempotencyKeyChars: 255,
  /** What a caller may say about where its call came from. */
  triggerContextChars: 4_000,
  /** Actions one list shows, and by default. */
  listed: 500,
  listedByDefault: 100,
  /** Actions one bulk revert undoes, and one erasure names. */
  actionsAtOnce: 200,
  /** Changed records an action's row names; the memory has all of them. */
  changesKept: 200,
  /** People an owner may ask to approve one action. */
  approvers: 10,
  /** A reason a person or an agent gives. */
  reasonChars: 2_000,
  /** A subject, a name, an address. */
  lineChars: 1_000,
  /** A mail's body or a call's script. */
  textChars: 100_000,
  /** Addresses of one mail. */
  recipients: 50,
  /** Values one principle lists. */
  principleValues: 1_000,
  /** A value that stands against a principle, as a reason shows it. */
  shownValueChars: 100,
  /** A verdict's reason; its conflicts have theirs in full. */
  verdictReasonChars: 2_000,
  /** The name of a proposer. */
  labelChars: 200,
  /** Levels of objects and lists in a payload. */
  payloadDepth: 32,
  /** A dotted path in a principle, in segments. */
  pathSegments: 16,
  /** Tries of one transaction that met another at the same rows. */
  attempts: 6,
  /** Pause before the second try; doubles with each further one, and is drawn at random up to that. */
  retryPauseMs: 8,
} as const;
