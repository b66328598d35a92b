/** Limits of the data API and of `run_sql`. */
export const limits = {
  /** Rows of an answer when the request names no limit. */
  defaultRows: 1_000,
  /** Rows of one answer at most. */
  maxRows: 10_000,
  /** The largest offset; deeper pages are reached by cursor. */
  maxOffset: 1_000_000_000,
  /** Rows embedded in one parent row. */
  embeddedRows: 1_000,
  /** One answer, as Postgres renders it. */
  responseBytes: 32 * 1024 * 1024,
  /** Comparisons in one request, over all groups. */
  filterTerms: 100,
  /** How deep `or=(and(or(…)))` may nest. */
  groupDepth: 6,
  /** Values in all `in.(…)` lists of a request. */
  inValues: 5_000,
  /** Steps of one JSON path. */
  pathSteps: 16,
  /** Names in `select`, embedded ones included. */
  selectItems: 200,
  /** Related tables in `select`. */
  embeds: 10,
  /** Keys in `order`. */
  orderTerms: 16,
  /** A query string. */
  queryChars: 64 * 1024,
  /** The user id given in X-Butterbase-As-User. */
  userIdChars: 200,
  /** Rows of one bulk insert. */
  insertRows: 5_000,
  /** Different sets of columns among the rows of one bulk insert; each is a statement part of its own. */
  insertShapes: 50,
  /** Rows of one seed_database call. */
  seedRows: 100,
  /** Changed rows that an update or delete through an operation shows. */
  shownRows: 100,
  /** Rows a dry run shows. */
  sampleRows: 10,
  /** Compiled queries kept per node. */
  cachedPlans: 2_000,
  /** Only query strings up to this length are kept compiled. */
  cachedQueryChars: 2_048,
  /** Rows of a `run_sql` answer. */
  sqlRows: 1_000,
  /** Rows fetched at once for a `run_sql` answer. */
  sqlBatchRows: 200,
  /** Text of all values of a `run_sql` answer, after which it is cut. */
  sqlAnswerBytes: 1024 * 1024,
  /** What may arrive from Postgres for one `run_sql` call before the connection is cut: bounds a single huge value. */
  sqlWireBytes: 16 * 1024 * 1024,
  /** One statement of `run_sql`. */
  sqlStatementMs: 10_000,
  /** When Postgres is asked again to stop a statement nobody waits for any more. */
  cancelAgainMs: [50, 200, 1_000],
  /** Statements of one app on connections of their own (`run_sql`, dry runs) at once, per node. */
  ownSessions: 4,
  /** Further ones that wait their turn. */
  waitingSessions: 32,
  /** Rows of one answer to a function's `ctx.db`, after which it is cut. */
  callRows: 10_000,
  /** What may arrive from Postgres for it before the connection is cut. */
  callWireBytes: 16 * 1024 * 1024,
  /** Its parameters, and the characters they may have together as text. */
  callParams: 1_000,
  callParamChars: 8 * 1024 * 1024,
  /** Verdicts on functions' statements that are kept, by number and by their characters. */
  cachedVerdicts: 2_000,
  cachedVerdictChars: 4 * 1024 * 1024,
  /** Parameters of one `run_sql` call. */
  sqlParams: 100,
} as const;
