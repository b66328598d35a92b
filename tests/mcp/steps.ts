/** Ids that one step finds and a later one needs. */
export interface Found {
  appId: string;
  userId: string;
  organizationId: string;
  accountId: string;
  keyId: string;
  archive: unknown;
}

/** One operation, as each of the two tool lists spells it. */
export interface Step {
  /** Its name under `?tools=verbs`. */
  readonly verb: string;
  readonly tool: string;
  /** Null for a tool that is one operation by itself. */
  readonly action: string | null;
  /** Its arguments; `app_id` is added where `app` is true. */
  readonly args: (found: Found) => Record<string, unknown>;
  readonly app: boolean;
  /** Destroys or overwrites something, or runs what the caller wrote. */
  readonly destroys?: true;
  /** Only a person may do it. */
  readonly person?: true;
  /** It only reads. */
  readonly reads?: true;
  /** Fields the compatible tool spells otherwise. */
  readonly spelt?: Readonly<Record<string, string>>;
  /** Remembers what later steps need. */
  readonly find?: (output: any, found: Found) => void;
}

type Args = Record<string, unknown> | ((found: Found) => Record<string, unknown>);
type Rest = Pick<Step, "destroys" | "person" | "reads" | "spelt" | "find">;

const step =
  (app: boolean) =>
  (verb: string, form: string, args: Args = {}, rest: Rest = {}): Step => {
    const [tool = "", action = null] = form.split(" ");
    return { verb, tool, action, app, args: typeof args === "function" ? args : () => args, ...rest };
  };
const ofApp = step(true);
const ofPlatform = step(false);
const reads = { reads: true } as const;
const destroys = { destroys: true } as const;
const person = { person: true } as const;

const column = { id: { type: "int", primaryKey: true }, title: { type: "text" }, owner_id: { type: "text" } };
const schema = { tables: { notes: { columns: column } } };
const provider = {
  provider: "own",
  client_id: "id",
  client_secret: "hidden",
  redirect_uris: [],
  authorization_url: "https://id.example/a",
  token_url: "https://id.example/t",
  userinfo_url: "https://id.example/u",
};
const notes = { table: "notes" };
const one = { filters: { id: "eq.1" } };
const hello = { name: "hello" };
const spelt = { spelt: { name: "function_name" } } as const;
const helloCode = 'export const handler = () => new Response("hello")';
const counter = { name: "counter" };
const counterCode = `export class Counter {
  constructor(state) { this.state = state; }
  async fetch() { return new Response(String(await this.state.storage.get("count"))); }
}`;
const room = { ...counter, instance: "room" };

/** Every operation that has an MCP form, in an order in which each succeeds. */
export const STEPS: readonly Step[] = [
  ofPlatform("apps_init", "init_app", { name: "steps" }),
  ofPlatform("apps_list", "manage_app list", {}, reads),
  ofPlatform("apps_list_regions", "list_regions", {}, reads),
  ofPlatform("docs_read", "ambit_docs", { topic: "schema" }, reads),
  ofApp("apps_get_config", "manage_app get_config", {}, reads),
  ofApp("apps_update_access_mode", "manage_app update_access_mode", { access_mode: "public" }),
  ofApp("apps_update_cors", "manage_app update_cors", { allowed_origins: ["https://a.example"] }),
  ofApp("apps_set_visibility", "manage_app set_visibility", { visibility: "private", listed: false }),
  ofApp("apps_pause", "manage_app pause", { paused: false }),
  ofApp("apps_update_env", "manage_app update_env", { env: { NAME: "value" } }),
  ofApp("apps_get_env", "manage_app get_env", {}, reads),
  ofApp("schema_dry_run", "manage_schema dry_run", { schema }, reads),
  ofApp("schema_apply", "manage_schema apply", { schema, name: "notes" }, destroys),
  ofApp("schema_get", "manage_schema get", {}, reads),
  ofApp("schema_list_migrations", "manage_schema list_migrations", {}, reads),
  ofApp("rls_enable", "manage_rls enable", { table_name: "notes" }),
  ofApp("rls_create_policy", "manage_rls create_policy", {
    table_name: "notes",
    policy_name: "readable",
    command: "SELECT",
    role: "user",
    using_expression: "title is not null",
  }),
  ofApp("rls_update_policy", "manage_rls update_policy", {
    table_name: "notes",
    policy_name: "readable",
    using_expression: "title <> ''",
  }),
  ofApp("rls_create_user_isolation", "manage_rls create_user_isolation", {
    table_name: "notes",
    user_column: "owner_id",
  }),
  ofApp("rls_list", "manage_rls list", {}, reads),
  ofApp("rls_secure", "manage_app secure", {
    access_mode: "public",
    tables: [{ table_name: "notes", user_column: "owner_id" }],
  }),
  ofApp("realtime_configure", "manage_realtime configure", { tables: ["notes"] }),
  ofApp("realtime_get", "manage_realtime get", {}, reads),
  ofApp("data_insert", "insert_row", { ...notes, data: { id: 1, title: "one" } }),
  ofApp("data_seed", "seed_database", { ...notes, rows: [{ id: 2, title: "two" }, { id: 3 }] }),
  ofApp("data_select", "select_rows", { ...notes, order: "id.asc" }, reads),
  ofApp("data_update", "update_rows", { ...notes, ...one, data: { title: "uno" } }, destroys),
  ofApp("data_delete", "delete_rows", { ...notes, filters: { id: "eq.3" } }, destroys),
  ofApp("data_run_sql", "run_sql", { sql: "delete from notes where id = 2" }, destroys),
  ofApp("runtime_set_egress", "manage_runtime set_egress", { allow: ["*.example.com"] }, destroys),
  ofApp("runtime_get_egress", "manage_runtime get_egress", {}, reads),
  ofApp("runtime_set_logs", "manage_runtime set_logs", { enabled: true }, destroys),
  ofApp("runtime_get_logs_settings", "manage_runtime get_logs_settings", {}, reads),
  ofApp("functions_deploy", "deploy_function", { name: "hello", code: helloCode }, destroys),
  ofApp("functions_invoke", "invoke_function", { ...hello, body: {} }, { ...spelt, ...destroys }),
  ofApp("functions_list", "manage_function list", {}, reads),
  ofApp("functions_get", "manage_function get", hello, { ...spelt, ...reads }),
  ofApp("functions_logs", "manage_function get_logs", hello, { ...spelt, ...reads }),
  ofApp(
    "functions_update_env",
    "manage_function update_env",
    { ...hello, env: { NAME: "value" } },
    { ...spelt, ...destroys },
  ),
  ofApp(
    "functions_update_settings",
    "manage_function update_settings",
    { ...hello, allow_service_key_impersonation: false },
    { ...spelt, ...destroys },
  ),
  ofApp("functions_list_versions", "manage_function list_versions", hello, { ...spelt, ...reads }),
  ofApp(
    "functions_rollback",
    "manage_function rollback",
    { ...hello, version: 1 },
    { ...spelt, ...destroys },
  ),
  ofApp("functions_delete", "manage_function delete", hello, { ...spelt, ...destroys }),
  ofApp(
    "durable_objects_deploy",
    "manage_durable_objects deploy",
    { ...counter, code: counterCode, access_mode: "service_key" },
    destroys,
  ),
  ofApp("durable_objects_list", "manage_durable_objects list", {}, reads),
  ofApp("durable_objects_get", "manage_durable_objects get", counter, reads),
  ofApp(
    "durable_objects_set_env",
    "manage_durable_objects set_env",
    { key: "NAME", value: "value" },
    destroys,
  ),
  ofApp("durable_objects_list_env", "manage_durable_objects list_env", {}, reads),
  ofApp("durable_objects_delete_env", "manage_durable_objects delete_env", { key: "NAME" }, destroys),
  ofApp(
    "durable_objects_invoke",
    "manage_durable_object_instances invoke",
    { ...room, method: "GET", path: "/x" },
    destroys,
  ),
  ofApp(
    "durable_objects_write_storage",
    "manage_durable_object_instances write_storage",
    { ...room, key: "count", value: 7 },
    destroys,
  ),
  ofApp(
    "durable_objects_read_storage",
    "manage_durable_object_instances read_storage",
    { ...room, key: "count" },
    reads,
  ),
  ofApp("durable_objects_list_instances", "manage_durable_object_instances list_instances", counter, reads),
  ofApp("durable_objects_get_instance", "manage_durable_object_instances get_instance", room, reads),
  ofApp("durable_objects_export_instance", "manage_durable_object_instances export_instance", room, {
    find: (output, found) => {
      found.archive = output.archive;
    },
  }),
  ofApp(
    "durable_objects_import_instance",
    "manage_durable_object_instances import_instance",
    ({ archive }) => ({ ...counter, archive, instance: "copy" }),
    destroys,
  ),
  ofApp("durable_objects_delete_instance", "manage_durable_object_instances delete_instance", room, destroys),
  ofApp("durable_objects_list_versions", "manage_durable_object_instances list_versions", counter, reads),
  ofApp(
    "durable_objects_rollback",
    "manage_durable_object_instances rollback",
    { ...counter, version: 1 },
    destroys,
  ),
  ofApp("durable_objects_logs", "manage_durable_object_instances logs", counter, reads),
  ofApp("durable_objects_usage", "manage_durable_objects usage", counter, reads),
  ofApp("runtime_status", "manage_runtime status", {}, reads),
  ofApp("durable_objects_delete", "manage_durable_objects delete", counter, destroys),
  ofApp("auth_update_jwt", "manage_auth_config update_jwt", { accessTokenTtl: "1h" }),
  ofApp("auth_configure_auth_hook", "manage_auth_config configure_auth_hook", { post_auth_function: null }),
  ofApp("auth_update_settings", "manage_auth_config update_settings", { require_email_verification: false }),
  ofApp("mail_read_outbox", "manage_auth_config read_outbox", { limit: 5 }, reads),
  ofApp("auth_configure_oauth", "manage_oauth configure", provider),
  ofApp("auth_get_oauth", "manage_oauth get", { provider: "own" }, reads),
  ofApp("auth_update_oauth", "manage_oauth update", { provider: "own", scopes: ["email"] }),
  ofApp("auth_delete_oauth", "manage_oauth delete", { provider: "own" }, destroys),
  ofApp(
    "auth_list_users",
    "manage_auth_users list",
    { limit: 10 },
    {
      ...reads,
      find: (output, found) => {
        found.userId = output.users[0].id;
      },
    },
  ),
  ofApp("auth_delete_user", "manage_auth_users delete", (found) => ({ user_id: found.userId }), destroys),
  ofApp("audit_query", "query_audit_logs", { limit: 5 }, reads),
  ofPlatform(
    "organizations_list",
    "manage_organizations list",
    {},
    {
      ...reads,
      find: (output, found) => {
        found.organizationId = output.organizations[0].id;
      },
    },
  ),
  ofPlatform(
    "organizations_get",
    "manage_organizations get",
    (found) => ({ organization_id: found.organizationId }),
    reads,
  ),
  ofPlatform("organizations_create", "manage_organizations create", { name: "Second" }, person),
  ofPlatform(
    "organizations_rename",
    "manage_organizations rename",
    (found) => ({ organization_id: found.organizationId, name: "Renamed" }),
    person,
  ),
  ofPlatform(
    "organizations_add_member",
    "manage_organizations add_member",
    (found) => ({
      organization_id: found.organizationId,
      email: `m${Math.random()}@example.com`,
      role: "viewer",
    }),
    {
      ...person,
      find: (output, found) => {
        found.accountId = output.account_id;
      },
    },
  ),
  ofPlatform(
    "organizations_list_members",
    "manage_organizations list_members",
    (found) => ({ organization_id: found.organizationId }),
    reads,
  ),
  ofPlatform(
    "organizations_change_role",
    "manage_organizations change_role",
    (found) => ({ organization_id: found.organizationId, account_id: found.accountId, role: "developer" }),
    person,
  ),
  ofPlatform(
    "organizations_remove_member",
    "manage_organizations remove_member",
    (found) => ({ organization_id: found.organizationId, account_id: found.accountId }),
    { ...person, ...destroys },
  ),
  ofPlatform(
    "keys_create",
    "manage_auth_config generate_service_key",
    { name: "spare" },
    {
      ...person,
      find: (output, found) => {
        found.keyId = output.id;
      },
    },
  ),
  ofPlatform("keys_list", "manage_api_keys list", {}, reads),
  ofPlatform("keys_revoke", "manage_api_keys revoke", (found) => ({ key_id: found.keyId }), destroys),
  ofApp("realtime_disable", "manage_realtime disable", { table: "notes" }),
  ofApp("rls_delete", "manage_rls delete", { table_name: "notes", policy_name: "readable" }, destroys),
  ofApp("apps_delete", "manage_app delete", {}, { ...destroys }),
];

export const argsOf = (each: Step, found: Found): Record<string, unknown> => ({
  ...(each.app ? { app_id: found.appId } : {}),
  ...each.args(found),
});
/** The same call at the compatible tool. */
export const mergedArgsOf = (each: Step, found: Found): Record<string, unknown> => ({
  ...Object.fromEntries(
    Object.entries(argsOf(each, found)).map(([field, value]) => [each.spelt?.[field] ?? field, value]),
  ),
  ...(each.action === null ? {} : { action: each.action }),
});
