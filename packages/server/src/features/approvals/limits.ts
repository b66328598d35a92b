/** Limits of approvals. */
export const limits = {
  /** Approvals of one organisation that wait at once. Requests that come in the same instant may pass it by their number. */
  pendingPerOrganization: 2_000,
  /** Of these, asked for by one key, app or rule. Exact. */
  pendingPerRequester: 100,
  /** And by one grant of the gateway. Exact. */
  pendingPerGrant: 20,
  /** People whose approval may be asked for. */
  approvers: 10,
  /** The one line that says what is asked for, in characters. */
  titleChars: 300,
  /** Why it waits, or why it was rejected, in characters. */
  reasonChars: 2_000,
  /** The name of who asks, in characters. */
  labelChars: 200,
  /** The arguments as JSON. */
  requestBytes: 256 * 1024,
  /** What executing gave, as JSON; a longer result is not kept with the approval. */
  resultBytes: 256 * 1024,
  /** How long an approval waits unless the organisation or the request says otherwise. */
  expiresMs: 24 * 3_600_000,
  /** The longest an approval may wait. */
  longestWaitMs: 30 * 24 * 3_600_000,
  /** How often approvals whose time is over are looked for. */
  expiryEveryMs: 1_000,
  /** Approvals that expire in one such look; more follow at once. */
  expiryBatch: 100,
  /** Addresses an organisation may name for notices. */
  notifyEmails: 20,
  /** Members who get a notice when no addresses are named. */
  noticeRecipients: 50,
  /** Approvals on one page of a list. */
  pageRows: 200,
  /** Tries at a decision that the database broke off because of another one (deadlock). */
  deadlockTries: 3,
} as const;
