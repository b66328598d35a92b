/** A table as an export holds it. */
export interface ExportedTable {
  /** The `type` of its lines. */
  readonly type: string;
  /** In the schema `ambit`. */
  readonly table: string;
  /** Which rows are the organisation's (`$1`); default: those that name it in `organization_id`. */
  readonly of?: string;
  readonly columns: readonly string[];
  /** Columns that stay here: secrets, what only this server can read, what a node keeps for itself. */
  readonly without: readonly string[];
  /** Columns the lines are ordered by. */
  readonly order: readonly string[];
}

/** Everything an organisation has in its substrate, in the order of the export. */
export const EXPORTED: readonly ExportedTable[] = [
  {
    type: "settings",
    table: "substrate_settings",
    columns: ["yolo_mode", "updated_at"],
    without: [],
    order: ["organization_id"],
  },
  {
    type: "policy",
    table: "substrate_policies",
    columns: ["capability", "mode", "approvers", "updated_at"],
    without: [],
    order: ["capability"],
  },
  {
    type: "link",
    table: "substrate_links",
    columns: ["app_id", "read_scope", "mirror_users", "created_at", "updated_at"],
    without: [],
    order: ["app_id"],
  },
  {
    type: "approval_settings",
    table: "approval_settings",
    columns: ["four_eyes", "expires_after_ms", "notify_emails"],
    without: [],
    order: ["organization_id"],
  },
  {
    type: "record",
    table: "memory_records",
    columns: [
      ...["id", "kind", "subtype", "title", "body", "status", "data", "source_app_id", "action_id"],
      ...["created_by_action", "version", "created_at", "updated_at"],
    ],
    without: [],
    order: ["id"],
  },
  {
    type: "version",
    table: "memory_versions",
    columns: [
      ...["record_id", "version", "kind", "action_id", "state", "restores", "known_from", "known_until"],
    ],
    without: [],
    order: ["record_id", "version"],
  },
  {
    type: "alias",
    table: "memory_aliases",
    columns: ["alias_id", "entity_id", "action_id"],
    without: [],
    order: ["alias_id"],
  },
  {
    type: "action",
    table: "substrate_actions",
    columns: [
      ...["id", "capability", "payload", "status", "verdict", "result", "error", "changes", "changes_count"],
      ...["proposer_kind", "proposer_id", "proposer_account_id", "proposer_label", "source_app_id"],
      ...["source_rule_id", "trigger_context", "idempotency_key", "approval_id", "approved_by"],
      ...["approved_by_kind", "rejected_reason", "reverted_by", "ledger_entry_id", "proposed_at"],
      ...["executed_at", "decided_at", "erased_at"],
    ],
    // Keyed with this server's master key: it says nothing elsewhere.
    without: ["payload_hash"],
    order: ["id"],
  },
  {
    type: "conflict",
    table: "substrate_conflicts",
    columns: [
      ...["id", "action_id", "principle_id", "title", "reason", "status", "resolution", "resolution_reason"],
      ...["resolved_by", "created_at", "resolved_at"],
    ],
    without: [],
    order: ["id"],
  },
  {
    type: "approval",
    table: "approvals",
    columns: [
      ...["id", "kind", "subject", "title", "reason", "requester", "capability", "approvers", "status"],
      ...["created_at", "expires_at", "decided_at", "failure"],
    ],
    // Sealed with the master key; an action's payload and result are in its own line.
    without: ["request", "result"],
    order: ["id"],
  },
  {
    type: "approval_decision",
    table: "approval_decisions",
    of: "approval_id in (select id from ambit.approvals where organization_id = $1)",
    columns: ["approval_id", "account_id", "key_id", "decision", "reason", "at"],
    without: [],
    order: ["approval_id", "at"],
  },
  {
    type: "rule",
    table: "attention_rules",
    columns: [
      ...["id", "name", "description", "trigger_cron", "condition_mode", "condition", "action_capability"],
      ...[
        "action_payload_template",
        "enabled",
        "max_fires_per_day",
        "created_by",
        "updated_by",
        "created_at",
      ],
      ...["updated_at", "last_fired_at", "next_fire_at"],
    ],
    without: ["claim", "leased_until"],
    order: ["id"],
  },
  {
    type: "firing",
    table: "attention_rule_firings",
    columns: [
      ...["id", "rule_id", "status", "binding_count", "action_ids", "reason", "attempts", "missed"],
      ...["scheduled_at", "fired_at"],
    ],
    // What is still to be proposed while it runs.
    without: ["plan"],
    order: ["id"],
  },
  {
    type: "snapshot",
    table: "substrate_snapshots",
    columns: ["snapshot_date", "counts", "taken_at"],
    without: [],
    order: ["snapshot_date"],
  },
  {
    type: "outbox_target",
    table: "outbox_targets",
    columns: ["id", "capability", "source_app_id", "webhook_url", "created_at", "updated_at"],
    without: ["sealed_secret"],
    order: ["id"],
  },
  {
    type: "outbox",
    table: "outbox",
    columns: [
      ...["id", "target_id", "target_app_id", "target_url", "capability", "subject", "source_app_id"],
      ...["delivery_id", "body", "state", "attempts", "next_attempt_at", "last_status", "last_error"],
      ...["created_at", "updated_at", "delivered_at"],
    ],
    without: ["claim", "leased_until"],
    order: ["id"],
  },
];

/** Tables of the same features that an export leaves out, and why. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  memory_identities: "follows from the records",
  memory_references: "follows from the records",
  memory_search: "follows from the records",
  memory_words: "follows from the records",
  memory_words_pending: "follows from the records",
  substrate_tickets: "credentials that live a minute",
  approval_spent_tokens: "of the page where approvals are decided, of every organisation",
};
