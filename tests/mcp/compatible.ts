/** A tool as clients of the compatible contract call it: required arguments, and all it takes. */
export interface Contract {
  readonly required: readonly string[];
  readonly properties: readonly string[];
  readonly actions?: readonly string[];
}

const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");
const contract = (required: string, properties: string, actions?: string): Contract => ({
  required: words(required),
  properties: words(properties),
  ...(actions === undefined ? {} : { actions: words(actions) }),
});

/** Every tool a client may count on, and Ambit's own beside them. */
export const CONTRACT: Readonly<Record<string, Contract>> = {
  init_app: contract("name", "name region organization_id"),
  manage_app: contract(
    "action",
    "action app_id paused reason access_mode visibility listed tables allowed_origins env",
    "list delete pause get_config update_access_mode secure update_cors set_visibility get_env update_env",
  ),
  manage_schema: contract("app_id action", "app_id action schema name", "get apply dry_run list_migrations"),
  manage_rls: contract(
    "app_id action",
    "app_id action table_name policy_name command role using_expression with_check_expression restrictive user_column public_read_column",
    "enable create_policy update_policy create_user_isolation list delete",
  ),
  manage_realtime: contract("app_id action", "app_id action tables", "configure get"),
  manage_oauth: contract(
    "app_id action",
    "app_id action provider client_id client_secret redirect_uris scopes authorization_url token_url userinfo_url provider_metadata",
    "configure get update delete",
  ),
  manage_auth_config: contract(
    "action",
    "action app_id post_auth_function accessTokenTtl refreshTokenTtlDays name substrate_access key_scope additional_scopes organization_id",
    "configure_auth_hook update_jwt generate_service_key",
  ),
  deploy_function: contract(
    "app_id name code",
    "app_id name code description envVars timeoutMs memoryLimitMb trigger triggers agent_tool agent_tool_description agent_tool_mode agent_tool_exposed_to allow_service_key_impersonation",
  ),
  invoke_function: contract("app_id function_name", "app_id function_name method body headers"),
  manage_function: contract(
    "app_id action",
    "app_id action function_name limit since level include_deleted env allow_service_key_impersonation",
    "list get delete get_logs update_env update_settings",
  ),
  manage_durable_objects: contract(
    "app_id action",
    "app_id action name code access_mode key value",
    "deploy list get delete usage list_env set_env delete_env",
  ),
  manage_auth_users: contract("app_id action", "app_id action user_id limit cursor", "list delete"),
  manage_api_keys: contract("action", "action key_id", "list revoke"),
  select_rows: contract("app_id table", "app_id table filters select order limit offset as_role as_user"),
  insert_row: contract("app_id table data", "app_id table data as_role as_user"),
  seed_database: contract("app_id table rows", "app_id table rows"),
  query_audit_logs: contract(
    "app_id",
    "app_id category event_type action resource_type resource_id actor_id user_id from to limit offset",
  ),
  list_regions: contract("", ""),
  butterbase_docs: contract("", "topic query"),
  ambit_docs: contract("", "topic query"),
  update_rows: contract("app_id table filters data", "app_id table filters data dry_run as_role as_user"),
  delete_rows: contract("app_id table filters", "app_id table filters dry_run as_role as_user"),
  run_sql: contract("app_id sql", "app_id sql params as_role as_user read_only"),
};

/** Names older clients still call, though no list shows them. */
export const ALIASES = words(
  "get_schema apply_schema dry_run_schema list_migrations list_apps enable_rls create_policy create_user_isolation_policy get_rls_policies delete_rls_policy configure_realtime get_realtime_config",
);
