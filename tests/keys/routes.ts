/** What a member's role must include. */
export type Right = "view" | "develop" | "policy" | "administer" | "own";

/** A route of the substrate, or of what it shares with the rest, and who may use it. */
export interface Route {
  readonly method: string;
  /** As OpenAPI writes it. */
  readonly path: string;
  readonly right: Right;
  /** Only with a person's key. */
  readonly person: boolean;
  /** Not with a key that is bound to an app: what concerns the whole organisation. */
  readonly whole: boolean;
  /** Opens to keys of either interface. */
  readonly any: boolean;
  /** It changes something. */
  readonly writes: boolean;
  readonly body: object | undefined;
}

const rule = {
  name: "Busy",
  trigger_cron: "0 0 1 1 *",
  condition_mode: "snapshot_predicate",
  condition: { ">": [{ var: "entity_count" }, 0] },
  action_capability: "record_learning",
  action_payload_template: { title: "{{entity_count}}", description: "{{today}}" },
  enabled: false,
};
const learning = { capability: "record_learning", payload: { title: "Learnt", description: "It." } };
const target = { webhook_url: "http://127.0.0.1:1/hook", signing_secret: "of this suite" };

const SUBSTRATE = `
GET settings view
PUT settings/yolo own person whole writes
POST provision view
GET capabilities view
PUT capabilities/{capability}/policy own person whole writes
DELETE capabilities/{capability}/policy own person whole writes
POST actions/propose develop writes
POST actions/preview develop
GET actions view
GET actions/{action_id} view
POST actions/{action_id}/approve policy person whole writes
POST actions/{action_id}/reject policy person whole writes
GET policy-conflicts view
GET policy-conflicts/{conflict_id} view
POST policy-conflicts/{conflict_id}/resolve policy person whole writes
POST erase own person whole writes
GET entities view
GET entities/{entity_id} view
PATCH entities/{entity_id} develop writes
GET source-artifacts view
GET source-artifacts/{artifact_id} view
GET memory view
GET memory/list view
GET memory/{record_id} view
GET memory/{record_id}/history view
GET memory/{record_id}/links view
GET principles view
GET principles/{principle_id} view
GET snapshots view whole
GET outbox view
POST outbox/{outbox_id}/retry develop writes
POST outbox/{outbox_id}/cancel develop writes
GET outbox-targets develop whole
PUT outbox-targets/{capability} administer person whole writes
DELETE outbox-targets/{capability} administer person whole writes
GET attention-rules view whole
POST attention-rules administer person whole writes
POST attention-rules/preview develop whole
GET attention-rules/{rule_id} view whole
PUT attention-rules/{rule_id} administer person whole writes
DELETE attention-rules/{rule_id} administer person whole writes
POST attention-rules/{rule_id}/enable administer person whole writes
POST attention-rules/{rule_id}/disable administer person whole writes
GET attention-rules/{rule_id}/firings view whole
POST ws-ticket view
GET export own person whole`;

const SHARED = `
GET /v1/approvals view whole
GET /v1/approvals/settings own person whole
PATCH /v1/approvals/settings own person whole writes
GET /v1/approvals/{approval_id} view whole
POST /v1/approvals/{approval_id}/approve policy person whole writes
POST /v1/approvals/{approval_id}/reject policy person whole writes
GET /v1/ledger/entries view whole
GET /v1/ledger/entries/{id} view whole
GET /v1/ledger/entries/{id}/proof view whole
GET /v1/ledger/export view whole
POST /v1/ledger/erase own person whole writes`;

const BODIES: Readonly<Record<string, object>> = {
  "PUT settings/yolo": { yolo_mode: false },
  "PUT capabilities/{capability}/policy": { mode: "auto" },
  "POST actions/propose": learning,
  "POST actions/preview": learning,
  "POST policy-conflicts/{conflict_id}/resolve": { resolution: "dismiss" },
  "POST erase": { entity_id: "ent_none", reason: "asked for" },
  "PATCH entities/{entity_id}": { display_name: "Renamed" },
  "PUT outbox-targets/{capability}": target,
  "POST attention-rules": rule,
  "POST attention-rules/preview": rule,
  "PUT attention-rules/{rule_id}": { name: "Busier" },
  "PATCH /v1/approvals/settings": { expires_after_hours: 24 },
  "POST /v1/approvals/{approval_id}/reject": { reason: "not now" },
  "POST /v1/ledger/erase": { subjects: ["act_none"], reason: "asked for" },
};

const read = (table: string, base: string, any: boolean): Route[] =>
  table
    .trim()
    .split("\n")
    .map((line) => {
      const [method = "", path = "", right, ...words] = line.split(" ");
      const has = (word: string) => words.includes(word);
      const body = method === "GET" || method === "DELETE" ? undefined : (BODIES[`${method} ${path}`] ?? {});
      return {
        ...{ method, path: `${base}${path}`, right: right as Right, any, body },
        ...{ person: has("person"), whole: has("whole"), writes: has("writes") },
      };
    });

/** Every route under `/v1/me/substrate`. */
export const SUBSTRATE_ROUTES = read(SUBSTRATE, "/v1/me/substrate/", false);
/** The inbox and the ledger, as far as they show what belongs to somebody. */
export const SHARED_ROUTES = read(SHARED, "", true);

/** Ids nobody has, of the right form. */
const NOBODY: Readonly<Record<string, string>> = {
  ...{ capability: "record_learning", approval_id: `apr_${"0".repeat(26)}`, id: "led_none" },
  ...{ action_id: "act_none", conflict_id: "con_none", entity_id: "ent_none", artifact_id: "art_none" },
  ...{ record_id: "dec_none", principle_id: "dec_none", outbox_id: "ob_none", rule_id: "rule_none" },
};

/** The path with ids in it: those given, else ones that nobody has. */
export const pathOf = ({ path }: Pick<Route, "path">, ids: Readonly<Record<string, string>> = {}): string =>
  path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? NOBODY[name] ?? "none");
