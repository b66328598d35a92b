/** What a table of Ambit's own is called on the stream, and what the log carries of it. */
export interface StreamedTable {
  /** The primary key, and what decides who may hear of a row. */
  readonly columns: readonly string[];
  /** Null: the row's kind decides. */
  readonly tbl: string | null;
}

/** The tables of the schema `ambit` whose changes are streamed. */
export const TABLES: Readonly<Record<string, StreamedTable>> = {
  memory_records: { columns: ["organization_id", "id", "kind", "subtype", "source_app_id"], tbl: null },
  substrate_actions: { columns: ["organization_id", "id", "source_app_id"], tbl: "action_ledger" },
  attention_rules: { columns: ["organization_id", "id"], tbl: "attention_rules" },
  attention_rule_firings: { columns: ["organization_id", "id"], tbl: "attention_rule_firings" },
  approvals: { columns: ["organization_id", "id"], tbl: "approvals" },
};

/** What a record is called on the stream, by its kind. */
export const MEMORY_TBL: Readonly<Record<string, string>> = {
  entity: "entities",
  decision: "decisions",
  commitment: "commitments",
  learning: "learnings",
  source_artifact: "source_artifacts",
  link: "links",
};

const KIND_OF_PREFIX: Readonly<Record<string, string>> = {
  ent: "entity",
  dec: "decision",
  com: "commitment",
  lrn: "learning",
  art: "source_artifact",
  lnk: "link",
};

/** A record's kind as its id tells it; null for an id of another form. */
export const kindOfId = (id: string): string | null => KIND_OF_PREFIX[id.slice(0, id.indexOf("_"))] ?? null;
