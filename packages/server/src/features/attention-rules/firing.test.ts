import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import type { Json } from "../ledger/service.ts";
import { limits } from "./limits.ts";
import { type Node, newOrganization, ruleNode, write } from "./testing/stand.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse("2026-05-04T06:30:00Z");
let test: TestPlatform;
let node: Node;
let editor: { organizationId: string; accountId: string };
let now: number;

beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());
beforeEach(async () => {
  await test.platform.database.query("delete from ambit.attention_rules");
  now = START;
  node = ruleNode(test.platform, test.apps, () => now);
  editor = await newOrganization(test.platform);
});

const rule = (over: Record<string, unknown> = {}) =>
  node.rules.create(
    editor,
    {
      name: "overdue",
      description: null,
      trigger_cron: "0 * * * *",
      condition_mode: "row_query",
      condition: { from: "commitments", where: { ">": [{ days_since: { var: "due_at" } }, 1] } },
      action_capability: "record_learning",
      action_payload_template: { title: "Late: {{title}}", description: "{{id}} since {{due_at}}" },
      max_fires_per_day: null,
      enabled: true,
      ...over,
    },
    now,
  );
const commitment = async (description: string, due_at: string) => {
  const payload = { description, status: "confirmed", due_at };
  const { commitment_id } = await write(node, editor, "record_commitment", payload, now);
  return commitment_id as string;
};
const proposed = (sourceRuleId: string) =>
  node.substrate.actions(editor.organizationId, { sourceRuleId, limit: 200 });
const firings = (id: string) => node.rules.firings(editor.organizationId, id, { limit: 50, before: null });

describe("a rule over rows", () => {
  it("proposes once for every match, as the rule, and goes on at its next time", async () => {
    const late = await commitment("pay the rent", "2026-05-01T00:00:00Z");
    const later = await commitment("call Ada", "2026-04-01T00:00:00Z");
    await commitment("not yet", "2026-06-01T00:00:00Z");
    const { id } = await rule();
    await node.rules.tick();
    expect(await firings(id)).toEqual([]);
    now = Date.parse("2026-05-04T07:00:01Z");
    await node.rules.tick();
    const [firing] = await firings(id);
    expect(firing).toMatchObject({ status: "fired", binding_count: 2, missed: 0, reason: null, plan: null });
    expect(firing!.scheduled_at.toISOString()).toBe("2026-05-04T07:00:00.000Z");
    const actions = await proposed(id);
    expect(actions.map(({ id }) => id).sort()).toEqual(firing!.action_ids.toSorted());
    expect(actions[0]).toMatchObject({
      status: "executed",
      proposer: { kind: "rule", id },
      source_rule_id: id,
    });
    expect(actions.map(({ payload }) => (payload as { description: string }).description).sort()).toEqual(
      [`${late} since 2026-05-01T00:00:00.000Z`, `${later} since 2026-04-01T00:00:00.000Z`].sort(),
    );
    await node.rules.tick();
    expect(await firings(id)).toHaveLength(1);
    const { next_fire_at, last_fired_at } = await node.rules.get(editor.organizationId, id);
    expect(next_fire_at!.toISOString()).toBe("2026-05-04T08:00:00.000Z");
    expect(last_fired_at!.getTime()).toBe(now);
  });

  it("never skips approval, and its author can't approve it where four eyes are asked for", async () => {
    const { entity_id } = await write(
      node,
      editor,
      "upsert_entity",
      { type: "person", display_name: "Ada" },
      now,
    );
    const { id } = await rule({
      condition: { "==": [{ var: "display_name" }, "Ada"] },
      action_capability: "delete_entity",
      action_payload_template: { id: "{{id}}", reason: "no longer needed" },
    });
    now += HOUR;
    await node.rules.tick();
    const [action] = await proposed(id);
    expect(action).toMatchObject({ status: "proposed", payload: { id: entity_id } });
    expect(await firings(id)).toMatchObject([{ status: "fired", action_ids: [action!.id] }]);
    const [approval] = await test.platform.database.query<{ requester: unknown }>(
      "select * from ambit.approvals where organization_id = $1",
      [editor.organizationId],
    );
    expect(JSON.stringify(approval)).toContain(editor.accountId);
  });

  it("waits for a person also where people may skip approval", async () => {
    await test.platform.database.query(
      "insert into ambit.substrate_settings (organization_id, yolo_mode) values ($1, true)",
      [editor.organizationId],
    );
    const { id } = await rule({
      condition_mode: "snapshot_predicate",
      condition: true,
      action_capability: "send_email_draft",
      action_payload_template: {
        to: "ada@example.com",
        subject: "{{today}}",
        body: "{{entity_count}} entities",
      },
    });
    now += HOUR;
    await node.rules.tick();
    expect(await proposed(id)).toMatchObject([
      { status: "proposed", verdict: { result: "requires_approval" } },
    ]);
  });

  it("proposes nothing when a payload can't be made, and says why", async () => {
    await commitment("pay", "2026-05-01");
    const { id } = await rule({
      action_payload_template: { title: "{{title}}", description: "{{amount.net}}" },
    });
    now += HOUR;
    await node.rules.tick();
    expect(await firings(id)).toMatchObject([
      { status: "failed", action_ids: [], reason: expect.stringContaining("{{amount.net}}") },
    ]);
    expect(await proposed(id)).toEqual([]);
  });

  it("tells what was refused, and proposes the rest", async () => {
    await commitment("x", "2026-05-01");
    await commitment("a longer one", "2026-05-01");
    const { id } = await rule({
      action_capability: "record_decision",
      action_payload_template: { title: "t", kind: { "": "" } },
    });
    now += HOUR;
    await node.rules.tick();
    expect(await firings(id)).toMatchObject([
      { status: "failed", binding_count: 2, reason: expect.stringContaining("2 of 2 could not be proposed") },
    ]);
    const entities = { condition: { from: "commitments" }, action_capability: "update_entity" };
    const { entity_id } = await write(
      node,
      editor,
      "upsert_entity",
      { type: "person", display_name: "E" },
      now,
    );
    await node.rules.update(
      editor,
      id,
      {
        ...entities,
        condition: { from: "entities" },
        action_payload_template: { id: "{{id}}", display_name: "{{display_name}}!" },
      },
      now,
    );
    now += HOUR;
    await node.rules.tick();
    expect((await firings(id))[0]).toMatchObject({ status: "fired", binding_count: 1 });
    const changed = await node.memory.get(
      { organizationId: editor.organizationId, scope: null },
      entity_id as string,
    );
    expect(changed).toMatchObject({ title: "E!" });
  });

  it("keeps to its daily cap, over firings, until the day is over", async () => {
    for (const n of [1, 2, 3]) await commitment(`c${n}`, "2026-04-01");
    const { id } = await rule({ max_fires_per_day: 4 });
    for (let fired = 0; fired < 3; fired++) {
      now += HOUR;
      await node.rules.tick();
    }
    const counted = async () =>
      (await firings(id)).map(({ status, binding_count, action_ids }) => [
        status,
        binding_count,
        action_ids.length,
      ]);
    expect(await counted()).toEqual([
      ["capped", 3, 0],
      ["capped", 3, 1],
      ["fired", 3, 3],
    ]);
    expect(await proposed(id)).toHaveLength(4);
    now = START + DAY;
    await node.rules.tick();
    expect((await counted())[0]).toEqual(["fired", 3, 3]);
  });
});

describe("a rule over the snapshot", () => {
  it("fires when its condition holds today, with the counts", async () => {
    const { id } = await rule({
      condition_mode: "snapshot_predicate",
      condition: { ">=": [{ var: "decision_count_24h" }, 2] },
      action_payload_template: {
        title: "{{decision_count_24h}} on {{today}}",
        description: "of {{decision_count}}",
      },
    });
    now += HOUR;
    await node.rules.tick();
    expect(await firings(id)).toMatchObject([{ status: "skipped", reason: "The condition does not hold." }]);
    for (const title of ["a", "b"])
      await write(node, editor, "record_decision", { title, kind: "operational" }, now);
    now += HOUR;
    await node.rules.tick();
    expect((await firings(id))[0]).toMatchObject({ status: "fired", binding_count: 1 });
    expect(await proposed(id)).toMatchObject([
      { payload: { title: "2 on 2026-05-04", description: "of 2" } },
    ]);
  });

  it("fails, and says why, where the condition does not fit the counts", async () => {
    const { id } = await rule({
      condition_mode: "snapshot_predicate",
      condition: { ">": [{ var: "snapshot_date" }, 3] } as Json,
    });
    now += HOUR;
    await node.rules.tick();
    expect(await firings(id)).toMatchObject([{ status: "failed", reason: "A number was needed." }]);
  });
});

describe("time", () => {
  it("makes up for all the times that passed with one firing, for the latest", async () => {
    await commitment("c", "2026-04-01");
    const { id } = await rule();
    now = Date.parse("2026-05-04T11:20:00Z");
    await node.rules.tick();
    const all = await firings(id);
    expect(all).toMatchObject([{ status: "fired", missed: 4 }]);
    expect(all[0]!.scheduled_at.toISOString()).toBe("2026-05-04T11:00:00.000Z");
    expect(await proposed(id)).toHaveLength(1);
    const { next_fire_at } = await node.rules.get(editor.organizationId, id);
    expect(next_fire_at!.toISOString()).toBe("2026-05-04T12:00:00.000Z");
  });

  it("stops while a rule is off, and makes nothing up when it is on again", async () => {
    await commitment("c", "2026-04-01");
    const { id } = await rule();
    expect(await node.rules.update(editor, id, { enabled: false }, now)).toMatchObject({
      next_fire_at: null,
    });
    now += 5 * HOUR;
    await node.rules.tick();
    const on = await node.rules.update(editor, id, { enabled: true }, now);
    expect(on.next_fire_at!.toISOString()).toBe("2026-05-04T12:00:00.000Z");
    await node.rules.tick();
    expect(await firings(id)).toEqual([]);
  });

  it("forgets firings that had nothing to do after a week, the others after a quarter", async () => {
    const { id } = await rule();
    await node.rules.start();
    now += HOUR;
    await node.rules.tick();
    await node.rules.stop();
    await commitment("c", "2026-04-01");
    now += HOUR;
    await node.rules.tick();
    await node.rules.update(editor, id, { enabled: false }, now);
    const statuses = async () => (await firings(id)).map(({ status }) => status);
    expect(await statuses()).toEqual(["fired", "skipped"]);
    now += limits.skippedKeptMs + HOUR;
    await node.rules.tick();
    expect(await statuses()).toEqual(["fired"]);
    now += limits.keptMs;
    await node.rules.tick();
    expect(await statuses()).toEqual([]);
  });
});
