/*
 * The words by which tools say what they do. Only base forms: "deleted" in `get_deleted_items` describes the items.
 * Descriptions use other forms, which `baseForm` leads back to these.
 */

const set = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter((word) => word !== ""));

/** Change nothing. */
export const READ = set(`
  get list read search find fetch show view describe query lookup retrieve count check inspect peek browse head stat
  tail grep glob diff compare explain analyze analyse summarize summarise validate verify preview lint ping echo help
  whoami resolve is has exists can download export poll wait watch monitor trace scan extract parse calculate compute
  think sequentialthinking recall suggest recommend predict estimate simulate measure geocode crawl scrape ask audit
  screenshot snapshot dryrun highlight format locate detect identify profile rank iterate enumerate map ls cat pwd prove
`);

/** Read what they are given and run none of it, even when it is code. */
export const PURE = set("validate lint format parse highlight check analyze analyse");

/** Change something that can be changed back. */
export const WRITE = set(`
  create add insert update upsert put patch post write edit modify set change rename move copy send reply comment
  upload import save store append prepend assign unassign label tag publish unpublish share unshare invite register
  subscribe unsubscribe enable disable activate deactivate start stop pause resume open close reopen submit approve
  reject merge fork clone star unstar follow unfollow mark archive unarchive schedule reschedule configure attach
  detach link unlink connect disconnect draft generate record log track notify message dm email tweet push commit
  stage unstage checkout init initialize make toggle increment decrement lock unlock pin unpin mute unmute block
  unblock accept decline dismiss react vote rate remember memorize observe fill type press click hover drag scroll
  resize navigate goto select uncheck swipe tap focus emulate request transition complete finish restore revert
  undelete resend redeliver replace rotate grant promote demote cancel retry convert capture finalize finalise book mint issue convey
  transform sync synchronize touch mkdir upload reorder sort split join bump release tell broadcast annotate migrate
`);

/** Run something: a program, a query, a workflow. */
export const EXECUTE = set(`
  run rerun exec execute eval evaluate invoke call trigger dispatch deploy redeploy launch spawn restart reboot shutdown
  shell bash sh zsh cmd powershell terminal script sudo ssh install build compile apply rollback automate
  interpret sql
`);

/** Take away what was there. */
export const DESTRUCTIVE = set(`
  delete del remove rm rmdir erase destroy drop purge truncate wipe revoke clear empty prune flush kill terminate
  uninstall reset discard nuke obliterate shred overwrite evict trash deprovision decommission unregister deregister
  destruct annihilate expunge forget
`);

/** Move money. */
export const FINANCIAL = set(`
  pay charge refund transfer purchase buy sell withdraw deposit payout remit reimburse donate invest trade
`);

/** What money is moved with: doing anything but reading to one of them is financial. */
export const MONEY = set(`
  payment payments refund refunds charge charges payout payouts transfer transfers purchase purchases invoice invoices
  money funds withdrawal withdrawals deposit deposits donation donations
`);

/** As often a thing as an act: a later verb tells (`comment_list`, `pull_request_read`). */
export const ALSO_NOUNS = set(`
  comment message label tag post order charge transfer refund log record run build email draft link share star pin
  push release issue request schedule invite block check call trade trigger script sql shell terminal query search
  snapshot screenshot audit trace profile view watch stage commit fork clone vote rate book track deposit release
  format help store format list pause lock command purchase
`);

/** Said last, these tell what is done to what was named before (`user_delete`, `issue_read`). */
export const TELLING_LAST = {
  read: set("get list read search retrieve lookup find fetch view show describe count status"),
  grave: set(
    "delete remove purge truncate wipe revoke destroy drop create insert write execute exec eval upsert overwrite",
  ),
} as const;

/** Names of things that a tool without any verb gives: `directory_tree`, `browser_console_messages`. */
export const THINGS = set(`
  directory file files folder tree info information details detail status history log logs message messages console
  network request requests browser page pages map maps place places distance matrix elevation directions direction
  weather forecast alert alerts news quote quotes price prices schema schemas metadata version versions statistics
  stats metric metrics report reports summary docs documentation result results content contents user users account
  accounts server system environment time date current balance branch branches git github tool tools api resource
  resources activity event events access payment payments subscription subscriptions customer customers invoices
  kubectl pod pods container containers job jobs structured tabs conversations conversation channel channels thread threads replies inbox outbox topic usage
`);

/** Verbs that say in which way something that was there becomes something else. */
export const OVERWRITING = set(`
  update write edit modify set change rename move upsert put patch replace save configure merge transition restore
  revert rotate toggle sort reorder transform convert migrate sync synchronize publish unpublish enable disable
  activate deactivate type fill press click drag hover select navigate goto scroll resize focus swipe tap emulate
  resolve checkout stage unstage
`);

/** Two words that mean something else together, as one. */
export const TOGETHER: Readonly<Record<string, string>> = {
  "pull request": "requests",
  "pull requests": "requests",
  "merge request": "requests",
  "merge requests": "requests",
  "check run": "check-run",
  "check runs": "check-run",
  "check suite": "check-run",
  "force push": "destroy",
  "hard reset": "reset",
  "dry run": "dryrun",
  "look up": "lookup",
  "roll back": "rollback",
  "shut down": "shutdown",
  "wait for": "wait",
  "take screenshot": "screenshot",
  "capture screenshot": "screenshot",
  "take snapshot": "snapshot",
  "capture snapshot": "snapshot",
  "open nodes": "read",
  "open file": "read",
  "open document": "read",
  "select rows": "read",
  "select records": "read",
  "data select": "read",
  "rows select": "read",
  "table select": "read",
  "resolve thread": "update",
  "resolve comment": "update",
  "resolve issue": "update",
  "resolve conflict": "update",
  "resolve incident": "update",
  "resolve alert": "update",
  "sign up": "create",
  "place order": "purchase",
  "create order": "purchase",
  "make order": "purchase",
  "submit order": "purchase",
  "confirm order": "purchase",
  "complete order": "purchase",
  "git checkout": "update",
  "checkout cart": "purchase",
  "format disk": "wipe",
  "format drive": "wipe",
  "format volume": "wipe",
  "cancel subscription": "revoke",
  "cancel order": "revoke",
  "cancel booking": "revoke",
  "cancel reservation": "revoke",
  "cancel appointment": "revoke",
  "transfer file": "move",
  "transfer files": "move",
  "transfer issue": "move",
  "transfer call": "move",
  "transfer repository": "move",
  "transfer repo": "move",
  "transfer ownership": "move",
  "call graph": "graph",
  "system prompt": "prompt",
};

export const CONJUNCTIONS = set("and or then");
