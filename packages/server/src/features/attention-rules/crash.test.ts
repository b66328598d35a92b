import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Platform } from "../../engines/platform.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { Secrets } from "../../kernel/secrets.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { limits } from "./limits.ts";
import { createAttentionRulesService } from "./service.ts";
import { type Node, newOrganization, ruleNode, write } from "./testing/stand.ts";

const HOUR = 3_600_000;
const START = Date.parse("2026-05-04T06:30:00Z");
const master = randomBytes(32);
let test: TestPlatform;
let platform: Platform;
let node: Node;
let editor: { organizationId: string; accountId: string };
let now: number;
let people: string[];
let ruleId: string;

beforeAll(async () => {
  test = await testPlatform();
  platform = { ...test.platform, secrets: new Secrets(master) };
});
afterAll(() => test.stop());
beforeEach(async () => {
  await platform.database.query("delete from ambit.attention_rules");
  now = START;
  node = ruleNode(platform, test.apps, () => now);
  editor = await newOrganization(platform);
  people = [];
  for (const display_name of ["a", "b", "c", "d"]) {
    const { entity_id } = await write(node, editor, "upsert_entity", { type: "person", display_name }, now);
    people.push(entity_id as string);
  }
  const rule = {
    name: "mark",
    description: null,
    trigger_cron: "0 * * * *",
    condition_mode: "row_query",
    condition: { from: "entities" },
    action_capability: "update_entity",
    action_payload_template: { id: "{{id}}", display_name: "{{display_name}} at {{now}}" },
    max_fires_per_day: null,
    enabled: true,
  } as const;
  ruleId = (await node.rules.create(editor, rule, now)).id;
  now += HOUR;
});

const firings = () => node.rules.firings(editor.organizationId, ruleId, { limit: 10, before: null });
const actions = () => node.substrate.actions(editor.organizationId, { sourceRuleId: ruleId, limit: 200 });

/** Everyone was changed once, by one firing, to the same instant. */
async function expectOnce(): Promise<void> {
  const [firing, ...others] = await firings();
  expect(others).toEqual([]);
  expect(firing).toMatchObject({ status: "fired", binding_count: 4, plan: null });
  const made = await actions();
  expect(made).toHaveLength(4);
  expect(new Set(firing!.action_ids)).toEqual(new Set(made.map(({ id }) => id)));
  expect(new Set(made.map(({ payload }) => (payload as { id: string }).id))).toEqual(new Set(people));
  const instants = made.map(({ payload }) => (payload as { display_name: string }).display_name.slice(5));
  expect(new Set(instants).size).toBe(1);
}

describe("a firing", () => {
  it("is made by one of several nodes, once", async () => {
    const others = [1, 2, 3].map(() => ruleNode(platform, test.apps, () => now));
    await Promise.all([node, ...others].map(({ rules }) => rules.tick()));
    await expectOnce();
  });

  it("that a killed process left half done is gone on with, exactly as it was decided", async () => {
    const { host, port, user, database } = platform.database.target;
    let child: ReturnType<typeof spawn> | undefined;
    await platform.database.transaction(async (tx) => {
      // The last one it comes to can't be changed as long as this holds it: the process waits there, and is killed.
      const list = await node.memory.list(
        { organizationId: editor.organizationId, scope: null },
        { kinds: ["entity"], limit: 10 },
      );
      await tx.query("select from ambit.memory_records where organization_id = $1 and id = $2 for update", [
        editor.organizationId,
        list.records.at(-1)!.id,
      ]);
      const needs = {
        target: { host, port, user, database },
        master: master.toString("base64"),
        nowMs: now,
      };
      child = spawn(
        process.execPath,
        [new URL("testing/tick-child.ts", import.meta.url).pathname, JSON.stringify(needs)],
        { stdio: "inherit" },
      );
      const giveUpAt = Date.now() + 20_000;
      while ((await actions()).length < 3) {
        if (Date.now() > giveUpAt || child.exitCode !== null)
          throw new Error("the process did not get so far");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      child.kill("SIGKILL");
      await once(child, "exit");
    });
    expect(await firings()).toMatchObject([{ status: "running", action_ids: [] }]);
    now += 60_000;
    await node.rules.tick();
    expect(await actions()).toHaveLength(3);
    now += limits.leaseMs;
    await write(node, editor, "upsert_entity", { type: "person", display_name: "late" }, now);
    await node.rules.tick();
    await expectOnce();
    const { next_fire_at } = await node.rules.get(editor.organizationId, ruleId);
    expect(next_fire_at!.toISOString()).toBe("2026-05-04T08:00:00.000Z");
  });

  /** The node, with proposals that go wrong from the one after `good` on. */
  const breakingAfter = (good: number) => {
    let left = good;
    const propose: Node["substrate"]["propose"] = async (...asked) => {
      if (left-- <= 0) throw new Error("the connection was lost");
      return node.substrate.propose(...asked);
    };
    return createAttentionRulesService({
      ...node,
      substrate: { ...node.substrate, propose },
      platform: { ...node.platform, metrics: new Metrics() },
    });
  };

  it("that breaks off is taken up again after a pause", async () => {
    await breakingAfter(2).tick();
    expect(await actions()).toHaveLength(2);
    expect(await firings()).toMatchObject([{ status: "running" }]);
    await node.rules.tick();
    expect(await actions()).toHaveLength(2);
    now += limits.retryMs;
    await node.rules.tick();
    await expectOnce();
  });

  it("that always breaks off is given up, and the rule's next time comes", async () => {
    const broken = breakingAfter(0);
    for (let attempt = 0; attempt < limits.attempts; attempt++) {
      await broken.tick();
      expect(await firings()).toMatchObject([{ status: "running" }]);
      now += limits.retryMs;
    }
    await broken.tick();
    expect(await firings()).toMatchObject([
      { status: "failed", reason: `It broke off ${limits.attempts} times.` },
    ]);
    now += HOUR;
    await node.rules.tick();
    expect((await firings()).map(({ status }) => status)).toEqual(["fired", "failed"]);
  });

  it("is not gone on with once its rule was changed", async () => {
    const { database } = platform;
    await database.query(
      `insert into ambit.attention_rule_firings (organization_id, id, rule_id, status, binding_count, plan, missed,
         scheduled_at, fired_at) values ($1, 'fire_x', $2, 'running', 1, '{"proposals": []}', 0, now(), now())`,
      [editor.organizationId, ruleId],
    );
    await node.rules.update(editor, ruleId, { name: "other" }, now);
    expect(await firings()).toMatchObject([{ status: "failed", reason: expect.stringContaining("changed") }]);
  });
});
