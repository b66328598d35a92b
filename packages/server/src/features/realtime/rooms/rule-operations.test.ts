import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App, Call } from "../../../kernel/operation.ts";
import { type AuditEntry, createPipeline } from "../../../kernel/pipeline.ts";
import type { KeyPrincipal } from "../../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { limits } from "./limits.ts";
import { ruleOperations } from "./rule-operations.ts";
import { createRulesService } from "./rule-service.ts";

let test: TestPlatform;
let app: App;
const changed: string[] = [];
const refused: string[] = [];
const audited: AuditEntry[] = [];
beforeAll(async () => {
  test = await testPlatform();
  app = await test.createApp();
  await test.platform.database.ownerTransaction(app.id, async (tx) => {
    await tx.query("create type mood as enum ('good', 'bad')");
    await tx.query("create table members (room text, user_id uuid, mood mood)");
    await tx.query(`revoke select on members from ${app.id}_anon`);
  });
});
afterAll(() => test.stop());

async function run(
  name: string,
  input: Record<string, unknown> = {},
  role: KeyPrincipal["role"] = "developer",
) {
  const rules = createRulesService({
    database: test.platform.database,
    enums: async () => new Set(["mood"]),
    onLimit: (limit) => refused.push(limit),
    onChange: (appId) => changed.push(appId),
  });
  const principal: KeyPrincipal = {
    ...{ kind: "key", keyId: "k", keyKind: "agent", accountId: "a", role, scopes: ["*"], expiresAtMs: null },
    organizationId: test.organizationId,
  };
  const call: Call = {
    ...{ principal, door: "http", requestId: "r", ip: "", userAgent: "", nowMs: 0 },
    signal: new AbortController().signal,
  };
  const pipeline = createPipeline({
    findApp: (id) => test.apps.find(id),
    record: async (entry) => void audited.push(entry),
  });
  const operation = ruleOperations(rules).find((each) => each.name === name)!;
  const output = await pipeline(operation, call, { app_id: app.id, ...input });
  return operation.output.parse(output) as Record<string, any>;
}
const put = (receive: string, send = "true", pattern = "room:*") =>
  run("realtime.rules.put", { pattern, receive, send });

describe("rules of rooms and channels", () => {
  it("are put, replaced, listed and deleted, with a record of it", async () => {
    const first = await put("channel = 'room:1' -- a comment", "false");
    expect(first.rule).toMatchObject({ pattern: "room:*", receive: "channel = 'room:1'", send: "false" });
    await put("true");
    await put("false", "false", "b");
    const { rules } = await run("realtime.rules.list");
    expect(rules.map((rule: any) => [rule.pattern, rule.receive, rule.send])).toEqual([
      ["b", "false", "false"],
      ["room:*", "true", "true"],
    ]);
    expect(rules[1].created_at).toBe(first.rule.created_at);
    expect(await run("realtime.rules.delete", { pattern: "b" })).toEqual({ pattern: "b", status: "deleted" });
    await expect(run("realtime.rules.delete", { pattern: "b" })).rejects.toMatchObject({
      code: "REALTIME_RULE_NOT_FOUND",
    });
    expect(changed).toEqual([app.id, app.id, app.id, app.id]);
    expect(audited.map(({ action, resourceId }) => [action, resourceId]).slice(0, 4)).toEqual([
      ["update", "room:*"],
      ["update", "room:*"],
      ["update", "b"],
      ["delete", "b"],
    ]);
    await expect(
      run("realtime.rules.put", { pattern: "a", receive: "true", send: "true" }, "viewer"),
    ).rejects.toMatchObject({ status: 403 });
  });

  it("take what policies take, and say which callers can't read what they read", async () => {
    const member =
      "exists (select 1 from members m where m.room = split_part(channel, ':', 2) and m.user_id = current_user_id()::uuid)";
    expect((await put(member)).warnings).toEqual([expect.stringMatching(/^receive: anonymous connections/)]);
    expect((await put("'good'::mood = 'good'")).warnings).toBe(undefined);
    // What may fail for some names is no reason to refuse.
    await put("split_part(channel, ':', 2)::uuid = current_user_id()::uuid");
  });

  it.each([
    ["set_config('role', 'x', true) = 'x'", "REALTIME_RULE_UNSAFE"],
    ["exists (select 1 from pg_authid)", "REALTIME_RULE_UNSAFE"],
    ["exists (select 1 from ambit.apps)", "REALTIME_RULE_UNSAFE"],
    ["true) from members; drop table members; --", "REALTIME_RULE_INVALID"],
    ["true or", "REALTIME_RULE_UNSAFE"],
    ["nothing = 1", "REALTIME_RULE_INVALID"],
    ["exists (select 1 from nowhere)", "REALTIME_RULE_INVALID"],
    ["channel", "REALTIME_RULE_INVALID"],
    ["channel = 1", "REALTIME_RULE_INVALID"],
    ["1", "REALTIME_RULE_INVALID"],
  ])("refuse %s", async (expression, code) => {
    const before = await run("realtime.rules.list");
    await expect(put(expression)).rejects.toMatchObject({ code });
    await expect(put("true", expression)).rejects.toMatchObject({ code });
    expect(await run("realtime.rules.list")).toEqual(before);
  });

  it("refuse patterns that are none, and more rules than an app may have", async () => {
    await expect(put("true", "true", "*a")).rejects.toMatchObject({ code: "REALTIME_PATTERN_INVALID" });
    await test.platform.database.query(
      `insert into ambit.realtime_rules select $1, 'r' || n, 'true', 'true', true, true
       from generate_series(1, $2::int - (select count(*)::int from ambit.realtime_rules where app_id = $1)) n`,
      [app.id, limits.rulesPerApp],
    );
    await expect(put("true", "true", "one more")).rejects.toMatchObject({ code: "QUOTA_REALTIME_RULES" });
    expect(refused).toEqual(["realtime_rules_per_app"]);
    expect((await put("true", "true", "r1")).rule.pattern).toBe("r1");
  });
});
