import { destroys, ofApp, ofPlatform, reads, type Step } from "../step.ts";

const column = { id: { type: "int", primaryKey: true }, title: { type: "text" }, owner_id: { type: "text" } };
const schema = { tables: { notes: { columns: column } } };
const notes = { table: "notes" };
const one = { filters: { id: "eq.1" } };

/** An app, its schema, who may see what, and rows. */
export const appSteps: readonly Step[] = [
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
  ofApp("schema_apply", "manage_schema apply", { schema, name: "notes" }, { ...destroys, furnishes: true }),
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
  ofApp(
    "realtime_explain",
    "manage_realtime explain",
    { table: "notes", record: { id: 1, title: "one" }, as: { role: "anon" } },
    reads,
  ),
  ofApp(
    "realtime_rules_put",
    "manage_realtime put_rule",
    { pattern: "room:*", receive: "true", send: "current_user_id() is not null" },
    { ...destroys, furnishes: true },
  ),
  ofApp("realtime_rules_list", "manage_realtime list_rules", {}, reads),
  ofApp("data_insert", "insert_row", { ...notes, data: { id: 1, title: "one" } }),
  ofApp("data_seed", "seed_database", { ...notes, rows: [{ id: 2, title: "two" }, { id: 3 }] }),
  ofApp("data_select", "select_rows", { ...notes, order: "id.asc" }, reads),
  ofApp("data_update", "update_rows", { ...notes, ...one, data: { title: "uno" } }, destroys),
  ofApp("data_delete", "delete_rows", { ...notes, filters: { id: "eq.3" } }, destroys),
  ofApp("data_run_sql", "run_sql", { sql: "delete from notes where id = 2" }, destroys),
];

/** What ends an app, part by part. */
export const lastSteps: readonly Step[] = [
  ofApp("realtime_rules_delete", "manage_realtime delete_rule", { pattern: "room:*" }, destroys),
  ofApp("realtime_disable", "manage_realtime disable", { table: "notes" }),
  ofApp("rls_delete", "manage_rls delete", { table_name: "notes", policy_name: "readable" }, destroys),
  ofApp("apps_delete", "manage_app delete", {}, { ...destroys }),
];
