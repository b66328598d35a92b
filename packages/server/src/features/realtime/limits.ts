/** Limits of live changes. */
export const limits = {
  /** Tables named in one configure call. */
  tablesPerCall: 100,
  /** Waiting for a table's lock while it is being switched on; whoever writes to it meanwhile waits behind. */
  tableLockMs: 3_000,
  /** How long switching a table on or off waits for this node to have taken it over. */
  catchUpMs: 2_000,
  /** Tables one connection may subscribe to. */
  subscriptionsPerConnection: 100,
  /** Filters of one connection on one table. */
  filtersPerTable: 50,
  /** Columns named in one filter. */
  filterColumns: 16,
  /** A value in a filter, as JSON. */
  filterValueChars: 1_000,
  /** Messages of one connection that may wait for those before them. */
  messagesWaiting: 500,
  /** A subscribe frame waits this long for the log to become readable. */
  readyMs: 10_000,
  /** A subscription's own id. */
  idChars: 64,
  /** Columns one subscription may name. */
  subscriptionColumns: 200,
  /** A filter in the data API's query syntax. */
  filterChars: 4_000,
  /** Rows and bytes of JSON that `initial` sends at most; who has more loads pages through the data API. */
  initialRows: 10_000,
  initialBytes: 16 * 1024 * 1024,
  /** Reads of initial rows of one app at a time on one node, and those that wait for their turn. */
  initialReads: 4,
  initialReadsWaiting: 20_000,
  /** Rows in one `initial` frame, and about how many bytes. */
  initialRowsPerFrame: 500,
  initialFrameBytes: 256 * 1024,
  /** Frames held back while the current rows are being read. */
  heldBytes: 4 * 1024 * 1024,
  /** Changes of the table that a returning client is given; who missed more loads afresh. */
  replayChanges: 10_000,
  /** Times it is tried to place the members of a policy in the log, before its table stays with SQL. */
  memberLoads: 5,
  /** Bytes of the members that compiled policies of one app hold in memory; what is more stays with SQL. */
  membershipBytes: 64 * 1024 * 1024,
  /** Rows of one member table that are read; with more, Postgres judges. */
  members: 500_000,
  /** Results of checks of compiled policies that are remembered. */
  checkedRules: 2_000,
  /** A sample of what compiled policies have decided is asked of Postgres too, at most this often per app. */
  sampleMs: 1_000,
  /** Callers in one such sample. */
  sampleIdentities: 20,
  /** Changes of one app judged and sent together. */
  batchEntries: 1_000,
  /** Characters of row text in one batch. */
  batchChars: 4 * 1024 * 1024,
  /** Characters of row text of one app that may wait; beyond that its clients are told to load afresh. */
  queueChars: 32 * 1024 * 1024,
  /** Entries of one app that may wait, whatever their size. */
  queueEntries: 200_000,
  /** Frames put into outboxes before they are handed over and other work gets its turn. */
  framesPerTurn: 50_000,
  /** Identities judged in one call. */
  identitiesPerCall: 1_000,
  /** Time after which one call returns with the identities it has judged so far. */
  judgeCallMs: 500,
  /** Time spent judging one batch of one table and role; what is undecided by then is not shown. */
  judgeBatchMs: 20_000,
  /** SQLSTATEs of failing policies that are counted one by one. */
  undecidedCodes: 100,
  /** Between two looks at whether a committed transaction is visible yet; doubles up to `retryMaxMs`. */
  settleMs: 1,
  /** Transactions of an app that may be waiting to be seen as visible. */
  unsettledTransactions: 10_000,
  /** The same of apps that nobody listens to; then it is looked which of them are visible. */
  unheardTransactions: 1_000,
  /** Pause before asking a database again that did not answer; doubles up to the second value. */
  retryMs: 50,
  retryMaxMs: 1_000,
  /** The log is read on for this long after nobody listens any more. */
  graceMs: 30_000,
  /** How often a node looks at the window's slot and what it keeps. */
  lookMs: 5_000,
  /** While nobody listens, the log is read up to its end this often, or when this much has been written. */
  dozeMs: 30_000,
  dozeWalBytes: 8 * 1024 * 1024,
  /** How often it is looked at whether the log carries what is switched on. */
  captureLookMs: 30_000,
  /** How often the window's slot is moved on; less often if less log than this was written meanwhile. */
  tendMs: 10_000,
  tendWalBytes: 64 * 1024,
  /** The log is warned of when less than this share of max_slot_wal_keep_size is left, at most this often. */
  walWarnShare: 0.25,
  walWarnMs: 300_000,
  /** A node's session that has been silent this long is ended by Postgres, and what it holds back with it. */
  sessionSilentMs: 60_000,
  /** How often a node looks who else lives, while it serves anybody; who is missing twice is gone. */
  nodeLookMs: 700,
  /** After this node was cut off itself, nobody is called gone for this long. */
  nodeReturnMs: 3_000,
  /** A message written into the log. */
  messageChars: 256 * 1024,
  /** Characters of messages waiting to be written. */
  messagesWaitingChars: 8 * 1024 * 1024,
  /** Messages written with one statement. */
  messagesAtOnce: 500,
  /** Pause before mending what a schema change broke is tried again. */
  mendAgainMs: 5_000,
  /** Connecting to make the slot. */
  slotConnectMs: 5_000,
  /** Pause after a failed attempt to open the stream of changes. */
  reopenMs: 1_000,
} as const;
