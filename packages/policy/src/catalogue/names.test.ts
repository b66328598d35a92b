import { describe, expect, it } from "vitest";
import { classify } from "./index.ts";
import type { ToolClass } from "./types.ts";

/** Names of tools as well-known servers have them, and the class each has by its name alone. */
const NAMES: Readonly<Record<string, Partial<Record<ToolClass, string>>>> = {
  filesystem: {
    read: "read_file read_text_file read_media_file read_multiple_files list_directory list_directory_with_sizes directory_tree search_files get_file_info list_allowed_directories",
    write: "write_file edit_file create_directory move_file",
  },
  memory: {
    read: "read_graph search_nodes open_nodes",
    write: "create_entities create_relations add_observations",
    destructive: "delete_entities delete_observations delete_relations",
  },
  everything: {
    read: "echo get-annotated-message get-env get-resource-links get-resource-reference get-structured-content get-sum get-tiny-image simulate-research-query",
    write: "gzip-file-as-resource toggle-simulated-logging toggle-subscriber-updates",
    execute: "trigger-long-running-operation",
  },
  "sequential-thinking and fetch": { read: "sequentialthinking fetch" },
  git: {
    read: "git_status git_diff_unstaged git_diff_staged git_diff git_log git_show git_branch",
    write: "git_commit git_add git_create_branch git_checkout git_init",
    destructive: "git_reset",
  },
  github: {
    read: "get_me get_file_contents get_commit get_issue get_issue_comments get_pull_request get_pull_request_diff get_pull_request_files get_pull_request_reviews get_pull_request_status get_latest_release get_tag get_workflow_run get_workflow_run_logs list_branches list_commits list_issues list_notifications list_pull_requests list_tags list_workflow_runs search_code search_issues search_orgs search_pull_requests search_repositories search_users pull_request_read issue_read download_workflow_run_artifact",
    write:
      "create_branch create_issue create_or_update_file create_pull_request create_repository update_issue update_pull_request update_pull_request_branch add_issue_comment add_sub_issue assign_copilot_to_issue dismiss_notification fork_repository issue_write sub_issue_write manage_notification_subscription mark_all_notifications_read merge_pull_request pull_request_review_write push_files request_copilot_review star_repository submit_pending_pull_request_review cancel_workflow_run",
    execute: "run_workflow rerun_failed_jobs rerun_workflow_run actions_run_trigger run_secret_scanning",
    destructive: "delete_file remove_sub_issue delete_workflow_run_logs delete_pending_pull_request_review",
  },
  slack: {
    read: "slack_list_channels slack_get_channel_history slack_get_thread_replies slack_get_users slack_get_user_profile conversations_history conversations_replies channels_list",
    write: "slack_post_message slack_reply_to_thread slack_add_reaction conversations_add_message",
  },
  stripe: {
    read: "list_customers list_products list_prices list_invoices list_payment_intents list_subscriptions list_disputes retrieve_balance search_documentation search_stripe_resources get_stripe_account_info fetch_stripe_resources",
    write: "create_customer create_product create_price create_coupon update_subscription update_dispute",
    financial: "create_payment_link create_invoice create_invoice_item finalize_invoice create_refund",
    destructive: "cancel_subscription",
  },
  playwright: {
    read: "browser_snapshot browser_take_screenshot browser_console_messages browser_network_requests browser_wait_for browser_tabs",
    write:
      "browser_click browser_type browser_press_key browser_select_option browser_hover browser_drag browser_fill_form browser_file_upload browser_handle_dialog browser_navigate browser_navigate_back browser_resize browser_close browser_pdf_save browser_generate_playwright_test",
    execute: "browser_evaluate browser_run_code browser_install",
  },
  puppeteer: {
    read: "puppeteer_screenshot",
    write: "puppeteer_navigate puppeteer_click puppeteer_fill puppeteer_select puppeteer_hover",
    execute: "puppeteer_evaluate",
  },
  databases: {
    read: "query list_tables describe_table list_schemas get_object_details explain_query analyze_db_health read_neo4j_cypher read_query list_collections find count",
    write: "write_query create_table append_insight insert-many update-many create-index write_neo4j_cypher",
    execute: "execute_sql run_sql run_query apply_migration run_sql_transaction",
    destructive: "drop-database drop-collection delete-many delete_branch reset_branch reset_from_parent",
  },
  supabase: {
    read: "get_cost get_project get_logs get_advisors list_extensions list_migrations search_docs",
    write:
      "create_project pause_project restore_project confirm_cost generate_typescript_types merge_branch rebase_branch",
    execute: "deploy_edge_function",
  },
  notion: {
    read: "API-get-user API-retrieve-a-page API-post-search notion-search notion-fetch notion-get-comments",
    write:
      "API-post-page API-patch-page API-create-a-comment notion-create-pages notion-update-page notion-move-pages notion-duplicate-page",
    destructive: "API-delete-a-block",
  },
  "atlassian and linear": {
    read: "jira_get_issue jira_search jira_get_transitions confluence_search confluence_get_page getJiraIssue searchConfluenceUsingCql list_teams get_document",
    write:
      "jira_create_issue jira_update_issue jira_transition_issue jira_add_worklog jira_link_to_epic confluence_create_page createJiraIssue editJiraIssue transitionJiraIssue create_project_label",
    destructive: "jira_delete_issue jira_remove_issue_link confluence_delete_page",
  },
  "search and crawling": {
    read: "brave_web_search brave_local_search tavily-search tavily-extract tavily-crawl firecrawl_scrape firecrawl_map firecrawl_search firecrawl_crawl firecrawl_check_crawl_status web_search_exa perplexity_ask resolve-library-id get-library-docs read_wiki_structure ask_question",
  },
  maps: {
    read: "maps_search_places maps_place_details maps_distance_matrix maps_elevation maps_directions maps_geocode get_forecast get_alerts",
  },
  "terminals, clusters and clouds": {
    read: "kubectl_get kubectl_describe kubectl_logs pods_list pods_log list_containers read_process_output list_sessions get_config",
    execute:
      "kubectl_apply pods_exec pods_run exec_in_pod execute_command run_command call_aws bash shell_exec run_python runPythonCode run-code restart_container",
    write: "start_process set_config_value create_container kubectl_scale",
    destructive: "kubectl_delete pods_delete remove_container kill_process force_terminate prune_images",
  },
  "mail and calendars": {
    read: "search_emails read_email list_email_labels list-events get-freebusy search-events gmail_search_messages",
    write: "send_email draft_email modify_email create-event update-event respond_to_event",
    destructive: "delete_email batch_delete_emails delete-event trash_message",
  },
  money: {
    financial:
      "pay charge_card refund transfer purchase transfer_funds sendPayment place_order buy_crypto withdraw payInvoice make_transfer create_payout send_money",
    read: "get_payment list_payments paymentStatus get_transfer_history listRefunds charge_list get_purchase_order",
    write: "transfer_issue transferOwnership update_sort_order",
  },
  verbs: {
    read: "get_deleted_items search list_removed_users getLastUpdate isDeleted check_run_list listOpenIssues dry_run schema_dry_run",
    write:
      "update create upsert send undelete createOrUpdateFile find_and_replace set replyToThread UPSERT_ROW",
    execute: "eval run_query execute_sql executeSQL exec invoke_function evalScript",
    destructive:
      "drop delete remove purge truncate revoke wipe force_push forcePush drop_table purgeQueue TruncateTable revoke-token wipe_disk user_delete search_index_delete list_and_delete deleteFile deletefile DELETE_ALL hard-reset repo.delete items/remove",
  },
};

const CASES = Object.entries(NAMES).flatMap(([server, classes]) =>
  Object.entries(classes).flatMap(([expected, names]) =>
    names.split(" ").map((name) => ({ server, name, expected })),
  ),
);

describe("names of tools of well-known servers", () => {
  it("are many", () => expect(CASES.length).toBeGreaterThan(250));

  it.each(CASES)("$name ($server): $expected", ({ name, expected }) => {
    expect(classify({ name })).toMatchObject({ name, class: expected });
  });
});
