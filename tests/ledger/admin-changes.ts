import { must } from "../support/app.ts";
import type { Actor, People } from "./people.ts";
import type { Secrets } from "./secrets.ts";

type Answer = Promise<{ status: number; body: any }>;

/** A change through an operation, and the entry it must leave. */
export interface AdminChange {
  /** The operation: the entry's kind is `audit.<name>`. */
  readonly name: string;
  readonly by: Actor;
  readonly resourceType: string;
  run(): Answer;
  /** Null: it succeeds. */
  readonly code: string | null;
  /** The kind of an entry that comes with it, in the transaction of the change itself. */
  readonly with?: string;
}

export const change = (
  by: Actor,
  name: string,
  resourceType: string,
  run: () => Answer,
  code: string | null = null,
): AdminChange => ({ name, by, resourceType, run, code });

/** Changes of keys, members, organisations and settings, in the order in which they have to be made. */
export function organizationChanges(people: People, secrets: Secrets, webhookUrl: string): AdminChange[] {
  return [
    ...keyChanges(people, secrets),
    ...memberChanges(people, secrets),
    ...settingChanges(people, secrets, webhookUrl),
    ...ruleChanges(people, secrets),
  ];
}

function keyChanges({ owner, agent }: People, secrets: Secrets): AdminChange[] {
  let keyId: string;
  const mint = async () => {
    const answer = await owner.api("POST", "/api-keys", { name: secrets.plant("keyname"), scope: "both" });
    keyId = must(answer).id;
    secrets.learn(answer.body.key);
    return answer;
  };
  const refused = () => agent.api("POST", "/api-keys", { name: secrets.plant("refusedkey") });
  return [
    change(owner, "keys.create", "api_key", mint),
    change(agent, "keys.create", "api_key", refused, "AUTH_PERSON_REQUIRED"),
    change(owner, "keys.revoke", "api_key", () => owner.api("DELETE", `/api-keys/${keyId}`)),
  ];
}

function memberChanges({ owner, viewer, organization }: People, secrets: Secrets): AdminChange[] {
  const org = `/v1/organizations/${organization.id}`;
  let member: string;
  const add = async () => {
    const email = `${secrets.plant("member")}@example.com`;
    const body = { email, name: secrets.plant("membername"), role: "viewer" };
    const answer = await owner.api("POST", `${org}/members`, body);
    member = must(answer).account_id;
    secrets.learn(answer.body.key);
    return answer;
  };
  const found = () => owner.api("POST", "/v1/organizations", { name: secrets.plant("organization") });
  const rename = (who: Actor) => () => who.api("PATCH", org, { name: secrets.plant("renamed") });
  const promote = () => owner.api("PATCH", `${org}/members/${member}`, { role: "developer" });
  return [
    change(owner, "organizations.create", "organization", found),
    change(owner, "organizations.rename", "organization", rename(owner)),
    change(viewer, "organizations.rename", "organization", rename(viewer), "AUTH_INSUFFICIENT_PERMISSIONS"),
    change(owner, "organizations.add_member", "member", add),
    change(owner, "organizations.change_role", "member", promote),
    change(owner, "organizations.remove_member", "member", () =>
      owner.api("DELETE", `${org}/members/${member}`),
    ),
  ];
}

const SUBSTRATE = "/v1/me/substrate";

function settingChanges(people: People, secrets: Secrets, webhookUrl: string): AdminChange[] {
  const { owner, agent, decider } = people;
  const notify = (who: Actor) => () =>
    who.api("PATCH", "/v1/approvals/settings", {
      notify_emails: [`${secrets.plant("notified")}@example.com`],
    });
  const yolo = (who: Actor) => () => who.api("PUT", `${SUBSTRATE}/settings/yolo`, { yolo_mode: false });
  const policy = `${SUBSTRATE}/capabilities/place_call/policy`;
  const target = (capability: string, url: string) => () =>
    owner.api("PUT", `${SUBSTRATE}/outbox-targets/${capability}`, {
      ...{ webhook_url: `${url}/${secrets.plant("hook")}`, signing_secret: secrets.plant("signing") },
    });
  const [allowed, refused] = [
    target("record_learning", webhookUrl),
    target("record_decision", "http://127.0.0.1:9"),
  ];
  return [
    change(owner, "approvals.update_settings", "approval_settings", notify(owner)),
    change(
      ...([decider, "approvals.update_settings", "approval_settings", notify(decider)] as const),
      "AUTH_INSUFFICIENT_PERMISSIONS",
    ),
    change(owner, "substrate.set_yolo", "substrate_settings", yolo(owner)),
    change(agent, "substrate.set_yolo", "substrate_settings", yolo(agent), "AUTH_PERSON_REQUIRED"),
    change(owner, "substrate.set_capability_policy", "substrate_policy", () =>
      owner.api("PUT", policy, { mode: "forbidden" }),
    ),
    change(owner, "substrate.reset_capability_policy", "substrate_policy", () => owner.api("DELETE", policy)),
    change(owner, "outbox.set_target", "outbox_target", allowed),
    change(owner, "outbox.set_target", "outbox_target", refused, "EXTERNAL_ADDRESS_REFUSED"),
    change(owner, "substrate_export.export", "substrate_export", () =>
      owner.api("GET", `${SUBSTRATE}/export`),
    ),
  ];
}

function ruleChanges({ owner }: People, secrets: Secrets): AdminChange[] {
  let id: string;
  const rule = () => ({
    ...{ name: secrets.plant("rule"), description: secrets.plant("ruletext"), trigger_cron: "0 0 1 1 *" },
    ...{ condition_mode: "snapshot_predicate", condition: { ">": [{ var: "entity_count" }, 1e9] } },
    action_capability: "record_learning",
    action_payload_template: { title: secrets.plant("template"), description: "x" },
  });
  const create = async () => {
    const answer = await owner.api("POST", `${SUBSTRATE}/attention-rules`, rule());
    ({ id } = must(answer));
    return answer;
  };
  const at =
    (method: string, more = "", body?: () => object) =>
    () =>
      owner.api(method, `${SUBSTRATE}/attention-rules/${id}${more}`, body?.());
  return [
    change(owner, "attention_rules.create", "attention_rule", create),
    change(owner, "attention_rules.update", "attention_rule", at("PUT", "", rule)),
    change(owner, "attention_rules.disable", "attention_rule", at("POST", "/disable", Object)),
    change(owner, "attention_rules.enable", "attention_rule", at("POST", "/enable", Object)),
    change(owner, "attention_rules.delete", "attention_rule", at("DELETE")),
  ];
}

/** Changes of an app, the last of which deletes it. */
export function appChanges({ owner, agent, viewer }: People, appId: string, secrets: Secrets): AdminChange[] {
  const app = `/v1/${appId}`;
  const link = `/v1/me/apps/${appId}/substrate-link`;
  const tables = {
    notes: { columns: { id: { type: "int", primaryKey: true }, owner_id: { type: "text" } } },
  };
  const cors = () => ({ allowed_origins: [`https://${secrets.plant("origin")}.example`] });
  const env = (who: Actor) => () =>
    who.api("PATCH", `${app}/env`, { envVars: { A: secrets.plant("env"), [secrets.plant("NAME")]: "1" } });
  const schema = (of: unknown) => () => agent.api("POST", `${app}/schema/apply`, { schema: { tables: of } });
  const sql = () => agent.api("POST", `${app}/admin/sql`, { sql: `select '${secrets.plant("sql")}'` });
  const rules = `${app}/realtime/rules`;
  const rule = (who: Actor) => () =>
    who.api("PUT", rules, {
      ...{ pattern: "room:*", receive: `channel <> '${secrets.plant("receive")}'`, send: "true" },
    });
  const oauth = () => ({
    ...{ provider: "google", client_id: secrets.plant("client"), client_secret: secrets.plant("oauth") },
  });
  const isolate = { table_name: "notes", user_column: "owner_id" };
  return [
    change(agent, "apps.update_cors", "app_config", () => agent.api("PATCH", `${app}/config/cors`, cors())),
    change(viewer, "apps.update_env", "app_config", env(viewer), "AUTH_INSUFFICIENT_PERMISSIONS"),
    change(agent, "apps.update_env", "app_config", env(agent)),
    change(agent, "schema.apply", "schema", schema(tables)),
    change(agent, "schema.apply", "schema", schema(secrets.plant("schema")), "VALIDATION_INVALID_SCHEMA"),
    change(agent, "rls.create_user_isolation", "rls_policy", () => agent.api("POST", `${app}/rls`, isolate)),
    change(agent, "realtime.configure", "realtime", () =>
      agent.api("POST", `${app}/realtime/configure`, { tables: ["notes"] }),
    ),
    change(viewer, "realtime.rules.put", "realtime_rule", rule(viewer), "AUTH_INSUFFICIENT_PERMISSIONS"),
    change(agent, "realtime.rules.put", "realtime_rule", rule(agent)),
    change(agent, "realtime.rules.delete", "realtime_rule", () => agent.api("DELETE", `${rules}/room%3A*`)),
    change(agent, "data.run_sql", "sql", sql),
    change(agent, "auth.configure_oauth", "oauth_provider", () =>
      agent.api("POST", `${app}/auth/oauth-config`, oauth()),
    ),
    change(agent, "substrate_links.link", "substrate_link", () => agent.api("POST", link, {})),
    change(agent, "substrate_links.autopropagate", "substrate_link", () =>
      agent.api("PUT", `/v1/me/apps/${appId}/substrate-autopropagate`, { users: true }),
    ),
    change(agent, "substrate_links.unlink", "substrate_link", () => agent.api("DELETE", link)),
    change(owner, "apps.delete", "app", () => owner.api("DELETE", `/apps/${appId}`)),
  ];
}
