import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildCatalogue } from "../../doors/mcp/catalogue.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { type Caller, callerOf } from "../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createAttentionRules } from "./index.ts";
import { limits } from "./limits.ts";
import { ruleReadOperations } from "./operations.ts";
import { type Node, newOrganization, ruleNode, write } from "./testing/stand.ts";
import { ruleWriteOperations } from "./write-operations.ts";

let test: TestPlatform;
let node: Node;
let editor: { organizationId: string; accountId: string };
let caller: Caller;

beforeAll(async () => {
  test = await testPlatform();
  node = ruleNode(test.platform, test.apps);
});
afterAll(() => test.stop());
beforeEach(async () => {
  editor = await newOrganization(test.platform);
  caller = callerOf([...ruleReadOperations(node.rules), ...ruleWriteOperations(node.rules)], editor);
});

const definition = {
  name: "busy day",
  trigger_cron: "0 9 * * *",
  condition_mode: "snapshot_predicate",
  condition: { ">": [{ var: "decision_count_24h" }, 0] },
  action_capability: "record_learning",
  action_payload_template: { title: "{{decision_count_24h}} decisions", description: "on {{today}}" },
};
type Rule = typeof definition & { id: string; enabled: boolean; next_fire_at: string | null };
const create = (over: object = {}, key = {}) =>
  caller.call<Rule>("attention_rules.create", { ...definition, ...over }, key);

describe("rules", () => {
  it("are made, read, listed, changed, switched and deleted, and every change is audited", async () => {
    const made = await create();
    expect(made).toMatchObject({ ...definition, enabled: true, description: null, max_fires_per_day: null });
    expect(made.id).toMatch(/^rule_/);
    const id = { rule_id: made.id };
    expect(await caller.call("attention_rules.get", id)).toEqual(made);
    const off = await create({ name: "off", enabled: false });
    expect(off.next_fire_at).toBeNull();
    const names = async (input = {}) =>
      (await caller.call<{ rules: Rule[] }>("attention_rules.list", input)).rules
        .map(({ name }) => name)
        .sort();
    expect(await names()).toEqual(["busy day", "off"]);
    expect(await names({ enabled: "true" })).toEqual(["busy day"]);
    expect(await names({ enabled: "0" })).toEqual(["off"]);
    await expect(names({ enabled: "maybe" })).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
    const changed = await caller.call("attention_rules.update", { ...id, max_fires_per_day: 3, name: "new" });
    expect(changed).toMatchObject({ ...definition, name: "new", max_fires_per_day: 3 });
    expect(await caller.call("attention_rules.update", { ...id, max_fires_per_day: null })).toMatchObject({
      max_fires_per_day: null,
    });
    expect(await caller.call("attention_rules.disable", id)).toMatchObject({
      enabled: false,
      next_fire_at: null,
    });
    expect(await caller.call("attention_rules.enable", id)).toMatchObject({ enabled: true });
    expect(await caller.call("attention_rules.delete", id)).toEqual({ deleted: true, id: made.id });
    for (const name of ["get", "update", "delete", "enable", "disable", "firings"]) {
      await expect(caller.call(`attention_rules.${name}`, id), name).rejects.toMatchObject({
        code: "RESOURCE_NOT_FOUND",
      });
    }
    const successes = caller.audited.filter(({ success }) => success);
    expect(successes.map(({ action }) => action)).toEqual([
      ...["create", "create", "update", "update", "disable", "enable", "delete"],
    ]);
  });

  it("belong to one organisation", async () => {
    const { id } = await create();
    const other = callerOf(ruleReadOperations(node.rules), await newOrganization(test.platform));
    expect((await other.call<{ rules: Rule[] }>("attention_rules.list")).rules).toEqual([]);
    await expect(other.call("attention_rules.get", { rule_id: id })).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
  });

  it("are written by persons who administer, read by anyone of the organisation, tried by developers", async () => {
    const { id } = await create();
    const forbidden = { code: "AUTH_INSUFFICIENT_PERMISSIONS" };
    await expect(create({}, { keyKind: "agent" })).rejects.toMatchObject({ code: "AUTH_PERSON_REQUIRED" });
    await expect(create({}, { role: "developer" })).rejects.toMatchObject(forbidden);
    await expect(
      caller.call("attention_rules.enable", { rule_id: id }, { keyKind: "agent" }),
    ).rejects.toMatchObject({ code: "AUTH_PERSON_REQUIRED" });
    await caller.call("attention_rules.list", {}, { role: "viewer", keyKind: "agent" });
    await caller.call("attention_rules.preview", { rule_id: id }, { role: "developer", keyKind: "agent" });
    await expect(
      caller.call("attention_rules.preview", { rule_id: id }, { role: "viewer" }),
    ).rejects.toMatchObject(forbidden);
    const bound = { scopes: ["app:app_x", "substrate"] };
    for (const name of ["list", "preview"]) {
      await expect(caller.call(`attention_rules.${name}`, { rule_id: id }, bound)).rejects.toMatchObject(
        forbidden,
      );
    }
  });

  it.each<[object, string]>([
    [{ trigger_cron: "* * * * * *" }, "RULE_CRON_INVALID"],
    [{ trigger_cron: "0 0 31 2 *" }, "RULE_CRON_INVALID"],
    [{ condition: { constructor: [] } }, "RULE_CONDITION_INVALID"],
    [{ condition_mode: "row_query", condition: { from: "users" } }, "RULE_CONDITION_INVALID"],
    [{ condition_mode: "sql" }, "VALIDATION_INVALID_SCHEMA"],
    [{ condition: "true" }, "VALIDATION_INVALID_SCHEMA"],
    [{ action_payload_template: { a: "{{" } }, "RULE_TEMPLATE_INVALID"],
    [{ action_capability: "drop_everything" }, "CAPABILITY_UNKNOWN"],
    [{ max_fires_per_day: 0 }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: " " }, "VALIDATION_INVALID_SCHEMA"],
  ])("are refused with %j", async (over, code) => {
    await expect(create(over)).rejects.toMatchObject({ code });
    const { id } = await create();
    await expect(caller.call("attention_rules.update", { rule_id: id, ...over })).rejects.toMatchObject({
      code,
    });
    expect(await caller.call("attention_rules.get", { rule_id: id })).toMatchObject(definition);
  });

  it("can't be half of one change and half of another", async () => {
    const { id } = await create({ condition_mode: "row_query", condition: true });
    const change = (fields: object) => caller.call("attention_rules.update", { rule_id: id, ...fields });
    const both = await Promise.allSettled([
      change({ condition: { from: "entities", where: true } }),
      change({ condition_mode: "snapshot_predicate" }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("are limited in number, also when made at the same time", async () => {
    for (let n = 0; n < limits.rules - 1; n++) await create({ name: `r${n}` });
    const last = await Promise.allSettled([1, 2, 3].map((n) => create({ name: `last ${n}` })));
    expect(last.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(last.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "QUOTA_RULES" },
    });
  });
});

interface Preview {
  bindings_count: number;
  sample_proposals: {
    binding: Record<string, unknown>;
    rendered_payload: Record<string, unknown>;
    would_require_approval: boolean;
    problem: { code: string } | null;
  }[];
  skip_reason: string | null;
}
const preview = (input: object) => caller.call<Preview>("attention_rules.preview", { ...input });

describe("preview", () => {
  it("shows what would be proposed, and keeps nothing of it", async () => {
    const { name: _name, trigger_cron: _cron, ...trial } = definition;
    expect(await preview(trial)).toMatchObject({
      bindings_count: 0,
      sample_proposals: [],
      skip_reason: "The condition does not hold.",
    });
    await write(node, editor, "record_decision", { title: "t", kind: "operational" }, Date.now());
    const rows = {
      ...trial,
      condition_mode: "row_query",
      condition: { from: "decisions" },
      action_payload_template: { title: "{{title}}", description: "d" },
    };
    const seen = await preview(rows);
    expect(seen).toMatchObject({
      bindings_count: 1,
      skip_reason: null,
      sample_proposals: [
        {
          binding: { kind: "decision", title: "t" },
          rendered_payload: { title: "t", description: "d" },
          would_require_approval: false,
          problem: null,
        },
      ],
    });
    const waits = await preview({
      ...rows,
      action_capability: "retire_principle",
      action_payload_template: { principle_id: "{{id}}", reason: "r" },
    });
    expect(waits.sample_proposals[0]).toMatchObject({ would_require_approval: true });
    const actions = await node.substrate.actions(editor.organizationId, { limit: 50 });
    expect(actions).toHaveLength(1);
  });

  it("says what a firing would fail with", async () => {
    await write(node, editor, "record_decision", { title: "t", kind: "operational" }, Date.now());
    const { id } = await create({ condition_mode: "row_query", condition: { from: "decisions" } });
    expect(await preview({ rule_id: id })).toMatchObject({
      bindings_count: 1,
      sample_proposals: [],
      skip_reason: expect.stringContaining("{{decision_count_24h}}"),
    });
    const empty = await preview({ rule_id: id, action_payload_template: { title: "{{title}}" } });
    expect(empty.sample_proposals[0]!.problem).toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
    const mended = { title: "{{title}}", description: "{{id}}" };
    expect(
      (await preview({ rule_id: id, action_payload_template: mended })).sample_proposals[0],
    ).toMatchObject({
      problem: null,
      rendered_payload: { title: "t" },
    });
    expect(await caller.call("attention_rules.get", { rule_id: id })).toMatchObject({
      action_payload_template: definition.action_payload_template,
    });
  });

  it("needs a whole rule, or one that is saved", async () => {
    await expect(preview({ condition: true })).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
    await expect(preview({ rule_id: "rule_none" })).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
    await expect(preview({ ...definition, condition: { x: 1 } })).rejects.toMatchObject({
      code: "RULE_CONDITION_INVALID",
    });
  });
});

it("takes the guide's examples as they stand", async () => {
  const guide = readFileSync(
    new URL("../../../../../docs/guides/attention-rules.md", import.meta.url),
    "utf8",
  );
  const bodyOf = (request: string) => {
    const [, body] = guide.split(`${request}\n`);
    return JSON.parse(body!.split("```")[0]!);
  };
  const rule = bodyOf("POST /v1/me/substrate/attention-rules");
  const { id } = await caller.call<Rule>("attention_rules.create", rule);
  for (const due_at of ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]) {
    const payload = { description: "pay", status: "confirmed", due_at };
    await write(node, editor, "record_commitment", payload, Date.now());
  }
  await write(
    node,
    editor,
    "record_commitment",
    { description: "some day", status: "confirmed" },
    Date.now(),
  );
  expect(await preview({ rule_id: id })).toMatchObject({
    bindings_count: 1,
    sample_proposals: [{ rendered_payload: { title: "Overdue: pay" }, problem: null }],
    note: null,
  });
  const trial = bodyOf("POST /v1/me/substrate/attention-rules/preview");
  await write(node, editor, "record_decision", { title: "t", kind: "operational" }, Date.now());
  expect(await preview(trial)).toMatchObject({ bindings_count: 1, sample_proposals: [{ problem: null }] });
});

it("stands in both tools, under the names each has for it", () => {
  const { feature } = createAttentionRules({ ...node.platform, metrics: new Metrics() }, { ...node });
  const { merged } = buildCatalogue(feature.operations, feature.tools ?? []);
  expect([...merged.callable.get("manage_attention_rules")!.forms.keys()].sort()).toEqual([
    ...["create", "delete", "disable", "enable", "firings", "get", "list", "preview", "update"],
  ]);
  expect([...merged.callable.get("manage_substrate")!.forms.keys()].sort()).toEqual([
    ...["create_rule", "delete_rule", "disable_rule", "enable_rule", "get_rule", "list_rule_firings"],
    ...["list_rules", "preview_rule", "update_rule"],
  ]);
});
