/** The statements `run_sql` refuses, and what to use in their place. */

/** What a statement does, as far as the caller of the guard has to know. */
export type StatementKind = "read" | "write" | "ddl" | "other";

/** A statement that is never allowed. */
export interface RefusedStatement {
  command: string;
  kind: "ddl" | "other";
  /** What to do instead. */
  remedy: string;
}

const SCHEMA = "Change tables with manage_schema (action apply).";
const POLICY = "Manage row-level security with manage_rls.";
const ROLES = "Roles and grants are managed by the server; who sees which row is decided with manage_rls.";
const CODE = "Deploy code as a function with deploy_function.";
const TRANSACTION = "Every run_sql call is one transaction of its own.";
const SETTINGS = "Session settings are managed by the server.";
const COPY = "Load rows with INSERT, insert_row or seed_database, and read them with SELECT.";
const EVENTS = "Live changes of tables come from manage_realtime.";
const PREPARED = "Send the statement itself.";
const SERVER = "The server maintains the database itself.";
const CURSOR = "Page through rows with ORDER BY, LIMIT and OFFSET.";

const ddl = (command: string, remedy = SCHEMA): RefusedStatement => ({ command, kind: "ddl", remedy });
const other = (command: string, remedy: string): RefusedStatement => ({ command, kind: "other", remedy });

const KNOWN: Readonly<Record<string, RefusedStatement | undefined>> = {
  AlterDefaultPrivilegesStmt: ddl("ALTER DEFAULT PRIVILEGES", ROLES),
  AlterPolicyStmt: ddl("ALTER POLICY", POLICY),
  AlterRoleSetStmt: ddl("ALTER ROLE", ROLES),
  AlterRoleStmt: ddl("ALTER ROLE", ROLES),
  AlterSystemStmt: other("ALTER SYSTEM", SETTINGS),
  CallStmt: other("CALL", CODE),
  CheckPointStmt: other("CHECKPOINT", SERVER),
  ClosePortalStmt: other("CLOSE", CURSOR),
  ClusterStmt: other("CLUSTER", SERVER),
  CopyStmt: other("COPY", COPY),
  CreateFunctionStmt: ddl("CREATE FUNCTION", CODE),
  CreatePolicyStmt: ddl("CREATE POLICY", POLICY),
  CreateRoleStmt: ddl("CREATE ROLE", ROLES),
  CreateStmt: ddl("CREATE TABLE"),
  CreateTableAsStmt: ddl("CREATE TABLE AS"),
  CreateTrigStmt: ddl("CREATE TRIGGER", CODE),
  DeallocateStmt: other("DEALLOCATE", PREPARED),
  DeclareCursorStmt: other("DECLARE", CURSOR),
  DiscardStmt: other("DISCARD", SETTINGS),
  DoStmt: other("DO", CODE),
  DropRoleStmt: ddl("DROP ROLE", ROLES),
  DropStmt: ddl("DROP"),
  ExecuteStmt: other("EXECUTE", PREPARED),
  FetchStmt: other("FETCH", CURSOR),
  GrantRoleStmt: ddl("GRANT", ROLES),
  GrantStmt: ddl("GRANT", ROLES),
  IndexStmt: ddl("CREATE INDEX"),
  ListenStmt: other("LISTEN", EVENTS),
  LoadStmt: other("LOAD", SERVER),
  LockStmt: other("LOCK", `${TRANSACTION} Lock rows with SELECT … FOR UPDATE.`),
  NotifyStmt: other("NOTIFY", EVENTS),
  PrepareStmt: other("PREPARE", PREPARED),
  ReindexStmt: other("REINDEX", SERVER),
  RenameStmt: ddl("ALTER … RENAME"),
  TransactionStmt: other("Transaction control", TRANSACTION),
  TruncateStmt: ddl("TRUNCATE", "Remove all rows with DELETE FROM table WHERE true."),
  UnlistenStmt: other("UNLISTEN", EVENTS),
  VacuumStmt: other("VACUUM", SERVER),
  VariableSetStmt: other("SET", SETTINGS),
  VariableShowStmt: other("SHOW", SETTINGS),
  ViewStmt: ddl(
    "CREATE VIEW",
    "Put the query into a function with deploy_function, or send it with run_sql.",
  ),
};

/** Why a statement is refused, by the tag of its root node. Tags not listed are read off their name. */
export function refusedStatement(tag: string): RefusedStatement {
  const known = KNOWN[tag];
  if (known) return known;
  const command = tag
    .replace(/Stmt$/, "")
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toUpperCase();
  const changesSchema = /^(?:ALTER|CREATE|DEFINE|DROP|COMMENT|IMPORT|REFRESH|RULE|SEC)/.test(command);
  return changesSchema
    ? ddl(command)
    : other(command, "Only SELECT, INSERT, UPDATE, DELETE, MERGE and EXPLAIN run.");
}

/** The statements that may run, by the tag of their root node. */
export const COMMANDS: Readonly<Record<string, string | undefined>> = {
  DeleteStmt: "DELETE",
  InsertStmt: "INSERT",
  MergeStmt: "MERGE",
  SelectStmt: "SELECT",
  UpdateStmt: "UPDATE",
};
