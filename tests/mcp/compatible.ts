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
    "action app_id paused reason access_mode visibility listed tables allowed_origins env organization_id users",
    "list delete pause get_config update_access_mode secure update_cors set_visibility get_env update_env link_substrate unlink_substrate set_substrate_autopropagate",
  ),
  manage_schema: contract("app_id action", "app_id action schema name", "get apply dry_run list_migrations"),
  manage_rls: contract(
    "app_id action",
    "app_id action table_name policy_name command role using_expression with_check_expression restrictive user_column public_read_column",
    "enable create_policy update_policy create_user_isolation list delete",
  ),
  manage_realtime: contract(
    "app_id action",
    "app_id action tables table key record as pattern receive send",
    "configure get disable explain list_rules put_rule delete_rule",
  ),
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
  manage_substrate: contract(
    "action",
    "action capability payload dangerously_skip_approval idempotency_key action_id reason status source_app_id source_rule_id limit before type q primary_email cursor entity_id kind count artifact_id kinds match source_artifact_id superseded state outbox_id rule_id enabled name description trigger_cron condition_mode condition action_capability action_payload_template max_fires_per_day days yolo_mode principle_id conflict_id resolution",
    "propose approve reject list_actions get_action find_entities get_entity list_source_artifacts get_source_artifact search_memory list_memory list_outbox retry_outbox cancel_outbox list_rules get_rule create_rule update_rule delete_rule enable_rule disable_rule list_rule_firings snapshots get_settings set_yolo provision list_capabilities list_principles get_principle list_policy_conflicts get_policy_conflict resolve_policy_conflict",
  ),
  propose_action: contract(
    "capability payload",
    "capability payload idempotency_key dangerously_skip_approval",
  ),
  approve_action: contract("action_id", "action_id"),
  reject_action: contract("action_id", "action_id reason"),
  manage_attention_rules: contract(
    "action",
    "action rule_id enabled name description trigger_cron condition_mode condition action_capability action_payload_template max_fires_per_day limit",
    "list get create update delete enable disable firings preview",
  ),
  manage_approvals: contract(
    "action",
    "action approval_id reason preview_hash status kind requester capability limit before",
    "list get approve reject get_settings update_settings",
  ),
  manage_ledger: contract(
    "action",
    "action id kind subject from to before limit size",
    "list get key checkpoint list_checkpoints prove_inclusion prove_consistency",
  ),
  butterbase_docs: contract("", "topic query"),
  ambit_docs: contract("", "topic query"),
  update_rows: contract("app_id table filters data", "app_id table filters data dry_run as_role as_user"),
  delete_rows: contract("app_id table filters", "app_id table filters dry_run as_role as_user"),
  run_sql: contract("app_id sql", "app_id sql params as_role as_user read_only"),
};

/** Names older clients still call, though no list shows them. */
export const ALIASES = words(
  "get_schema apply_schema dry_run_schema list_migrations list_apps enable_rls create_policy create_user_isolation_policy get_rls_policies delete_rls_policy configure_realtime get_realtime_config find_entities get_entity search_memory list_outbox retry_outbox cancel_outbox",
);
