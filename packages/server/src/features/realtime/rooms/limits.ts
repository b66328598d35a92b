/** Limits of rooms, channels and the bus between nodes. */
export const limits = {
  /** A room's or channel's name. */
  nameChars: 200,
  /** Rooms one connection may be in, the app-wide one among them. */
  roomsPerConnection: 50,
  /** Members of one room, over all nodes. Two nodes that admit the last ones at once may go over by a few. */
  membersPerRoom: 5_000,
  /** JSON of what one member shows about itself. */
  metadataChars: 4_096,
  /** JSON of what all members of a room show together. */
  roomChars: 2 * 1024 * 1024,
  /** presence_track, _update and _untrack of one connection: on average per second, and at once. */
  presencePerSecond: 10,
  presenceBurst: 100,
  /** Changes of a room are gathered for so long and told together. */
  presenceMs: 20,
  /** Bytes of states made for one connection each (those of the app-wide room), per room and telling; others wait. */
  ownStateBytes: 1024 * 1024,
  /** Channels one connection may be in. */
  channelsPerConnection: 100,
  /** An event's name. */
  eventChars: 200,
  /** A client's own id of a message. */
  idChars: 64,
  /** JSON of a payload, as UTF-8. */
  payloadBytes: 48 * 1024,
  /** Levels of arrays and objects in payloads and metadata. */
  jsonDepth: 200,
  /** Broadcasts of one connection: on average per second, and at once. */
  broadcastsPerSecond: 100,
  broadcastBurst: 300,
  /** Broadcasts into one channel from the connections of one node: on average per second, and at once. */
  channelPerSecond: 500,
  channelBurst: 1_500,
  /** broadcast_join and _leave of one connection: on average per second, and at once. */
  joinsPerSecond: 20,
  joinBurst: 200,
  /** What is published is gathered for so long before it is written into the log. */
  busMs: 4,
  /** Bytes of one batch in the log; a larger single message goes alone. */
  busBatchBytes: 128 * 1024,
  /** Bytes of a single message between nodes. */
  busMessageBytes: 240 * 1024,
  /** Bytes that may wait for being written; more is refused. */
  busWaitingBytes: 16 * 1024 * 1024,
  /** Pause before writing is tried again; doubles up to the second value. */
  busRetryMs: 50,
  busRetryMaxMs: 1_000,
  /** Characters of members in one message between nodes, about; escaped they may become twice as many. */
  syncChars: 64 * 1024,
  /** Pause before this node tells its members afresh, so that several who ask get one answer. */
  stateMs: 30,
  /** Pause before another node is asked again for its members; doubles up to the second value. */
  syncRetryMs: 500,
  syncRetryMaxMs: 10_000,
  /** Rules of one app. */
  rulesPerApp: 200,
  /** A rule's pattern. */
  patternChars: 200,
  /** One expression of a rule. */
  expressionChars: 10_000,
  /** Rules are read again after this. */
  rulesCacheMs: 1_000,
  /** Who is in is judged again after this, where the answer may have become another one. */
  recheckMs: 5_000,
  /** Members who can't be judged for so long because the database does not answer are taken out. */
  blindMs: 15_000,
  /** Verdicts remembered per app. */
  verdictsPerApp: 50_000,
  /** Questions in one call to Postgres. */
  questionsPerCall: 200,
  /** Time after which one call returns with what it has judged so far. */
  judgeCallMs: 500,
  /** Time after which a call is cancelled: one of its questions takes too long. */
  judgeCancelMs: 1_000,
  /** Time for a question, waiting included; what is undecided by then is as if the database did not answer. */
  judgeMs: 5_000,
  /** Whose question was cancelled has to wait behind all others for so long; so many such callers are remembered. */
  slowAskerMs: 60_000,
  slowAskers: 10_000,
  /** Memberships that are judged again before other work gets its turn. */
  rechecksPerTurn: 500,
} as const;
