/** The publication that holds the tables whose changes are broadcast. */
export const BROADCAST = "ambit_realtime";

/** Holds tables that policies of broadcast tables read: a change of theirs may change who sees what. */
export const WATCHED = "ambit_watched";

/** Holds end users' sessions: deleting one closes that user's connections on every node. */
export const SESSIONS = "ambit_sessions";

/** What each is made with. */
export const DEFINITIONS: Readonly<Record<string, string>> = {
  [BROADCAST]: "with (publish = 'insert, update, delete, truncate', publish_generated_columns = stored)",
  [WATCHED]: "with (publish = 'insert, update, delete, truncate')",
  [SESSIONS]: "for table ambit.auth_sessions with (publish = 'delete')",
};
