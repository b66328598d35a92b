/** The publication that holds the tables whose changes are broadcast. */
export const BROADCAST = "ambit_realtime";

/** Holds tables that policies of broadcast tables read: a change of theirs may change who sees what. */
export const WATCHED = "ambit_watched";

/** Holds end users' sessions: deleting one closes that user's connections on every node. */
export const SESSIONS = "ambit_sessions";

const PUBLISH = "with (publish = 'insert, update, delete, truncate', publish_generated_columns = stored)";

/** What each is made with. A table may be in both of the first two, which must then agree. */
export const DEFINITIONS: Readonly<Record<string, string>> = {
  [BROADCAST]: PUBLISH,
  [WATCHED]: PUBLISH,
  [SESSIONS]: "for table ambit.auth_sessions with (publish = 'delete')",
};
