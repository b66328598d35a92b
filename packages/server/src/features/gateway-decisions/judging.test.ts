import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { type DecisionStand, decisionStand } from "./testing/stand.ts";
import type { DecisionRecord } from "./types.ts";

let stand: DecisionStand;
beforeAll(async () => {
  stand = await decisionStand();
});
afterAll(() => stand?.stop());

const documentOf = (tools: object) => ({ version: "1", default: "deny", tools });
const above = (amount: number, list = "deny_if") => ({
  [list]: [{ conditions: [{ path: "args.amount", op: "gt", value: amount }], on_deny: "Too much." }],
});
const judge = (name: "simulate" | "replay", input: object, key = {}) =>
  stand.caller.call<any>(`gateway.${name}`, input as Record<string, unknown>, key);
const AGENT = { keyKind: "agent" } as const;

/** A server with a grant, and a decision of that grant for each of these. */
async function history(records: readonly Partial<DecisionRecord>[]) {
  const serverId = await stand.server();
  const grantId = await stand.grant(serverId);
  const ids: string[] = [];
  for (const more of records) ids.push(await stand.record({ serverId, grantId, ...more }));
  return { serverId, grantId, ids };
}
const pay = (amount: number, more: Partial<DecisionRecord> = {}) => ({
  ...{ tool: "pay", args: { amount }, argumentKeys: ["amount"], ...more },
});

describe("simulate over stored decisions", () => {
  it("says which outcomes change, with values fully", async () => {
    const { serverId, ids } = await history([
      ...[pay(5), pay(50), pay(500)],
      { tool: "gone", argumentKeys: [] },
      { tool: "read", argumentKeys: [], outcome: "deny", rule: "(default deny)" },
    ]);
    const document = documentOf({ pay: above(10), read: {} });
    expect(await judge("simulate", { document, server_id: serverId })).toMatchObject({
      judged: 5,
      changed: [
        {
          decision_id: ids[1],
          before: { outcome: "allow", rule: "" },
          after: { outcome: "deny", rule: "/tools/pay/deny_if/args.amount-gt", message: "Too much." },
        },
        { decision_id: ids[2], after: { outcome: "deny" } },
        { decision_id: ids[3], after: { outcome: "deny", rule: "(default deny)" } },
        { decision_id: ids[4], before: { outcome: "deny" }, after: { outcome: "allow", rule: "" } },
      ],
      summary: {
        ...{ judged: 5, same: 1, changed: 4, undecidable: 0, truncated: false, values: "used" },
        outcomes: [
          { before: "allow", after: "allow", count: 1 },
          { before: "allow", after: "deny", count: 3 },
          { before: "deny", after: "allow", count: 1 },
        ],
      },
    });
  });

  it("without values judges what names decide, and says of each other decision that it can't be", async () => {
    const { serverId, ids } = await history([
      { tool: "pay", argumentKeys: ["amount"] },
      { tool: "pay", argumentKeys: ["note"] },
      { tool: "hidden", argumentKeys: ["x"] },
    ]);
    const document = { ...documentOf({ pay: above(10) }), hide: ["hidden"] };
    expect(await judge("simulate", { document, server_id: serverId })).toMatchObject({
      judged: 2,
      changed: [{ decision_id: ids[2], after: { outcome: "deny", rule: "(hidden)" } }],
      summary: { undecidable: 1, undecidable_decisions: [ids[0]], same: 1 },
    });
  });

  it("uses no values for an agent: whoever may try out any rule on them could find them out", async () => {
    const { serverId, ids } = await history([pay(5)]);
    const asked = { document: documentOf({ pay: above(10) }), server_id: serverId };
    expect((await judge("simulate", asked)).summary).toMatchObject({
      values: "used",
      undecidable: 0,
      same: 1,
    });
    expect((await judge("simulate", asked, AGENT)).summary).toMatchObject({
      ...{ values: "unused", undecidable: 1, undecidable_decisions: ids, same: 0 },
    });
  });

  it("counts, each grant by itself, in windows of the calls' own times", async () => {
    // The first second of a day: no window ends but where the test says so.
    const dayMs = 86_400_000;
    stand.advance(dayMs - (stand.now() % dayMs));
    const { serverId, grantId, ids } = await history([]);
    const other = await stand.grant(serverId);
    for (const grant of [grantId, grantId, grantId, other, other])
      ids.push(await stand.record({ serverId, grantId: grant, tool: "write" }));
    stand.advance(3_600_000);
    ids.push(await stand.record({ serverId, grantId, tool: "write" }));
    const limits = [{ counter: "w", window: "hour", max: 2, scope: "grant" }];
    const hourly = await judge("simulate", {
      document: documentOf({ write: { limits } }),
      server_id: serverId,
    });
    expect(hourly.changed).toMatchObject([
      { decision_id: ids[2], after: { outcome: "limit", rule: "/tools/write/limits/w" } },
    ]);
    const shared = [{ counter: "w", window: "day", max: 4, scope: "server" }];
    const { changed } = await judge("simulate", {
      document: documentOf({ write: { limits: shared } }),
      server_id: serverId,
    });
    expect(changed.map((each: any) => each.decision_id)).toEqual(ids.slice(4));
  });

  it("leaves out what no policy decides again, and says why", async () => {
    const { serverId } = await history([
      { tool: null, method: "tools/list", argumentKeys: null },
      { tool: null, method: null, outcome: "error", rule: "(malformed)", argumentKeys: null },
      { tool: "pay", outcome: "error", rule: "" },
      { tool: "pay", outcome: "hold", approvalId: "apr_1", rule: "/tools/pay/approve_if/0" },
      { tool: "pay", outcome: "allow", approvalId: "apr_1" },
      { tool: "pay", outcome: "replay", approvalId: "apr_1" },
      { tool: "pay", outcome: "deny", rule: "(tool changed)" },
    ]);
    const document = documentOf({ pay: { approve_if: [{ conditions: [] }] } });
    expect((await judge("simulate", { document, server_id: serverId })).summary).toMatchObject({
      ...{ judged: 2, changed: 0, same: 2 },
      skipped: { not_calls: 2, errors: 1, continued: 2, without_policy: 0, without_values: 0 },
      outcomes: [
        { before: "hold", after: "hold", count: 1 },
        { before: "deny", after: "deny", count: 1 },
      ],
    });
  });

  it("keeps to the time, the grant and the server that were asked for", async () => {
    const { serverId, grantId, ids } = await history([{ tool: "a" }, { tool: "b" }]);
    await history([{ tool: "c" }]);
    const second = await stand.grant(serverId);
    ids.push(await stand.record({ serverId, grantId: second, tool: "d" }));
    const document = documentOf({});
    const of = async (more: object) =>
      (await judge("simulate", { document, server_id: serverId, ...more })).changed.map(
        (each: any) => each.decision_id,
      );
    expect(await of({})).toEqual(ids);
    expect(await of({ grant_id: grantId })).toEqual(ids.slice(0, 2));
    expect(await of({ to: new Date(stand.now() - 3_600_000).toISOString() })).toEqual([]);
    stand.advance(25 * 3_600_000);
    expect(await of({})).toEqual([]);
    expect(await of({ from: new Date(stand.now() - 48 * 3_600_000).toISOString() })).toEqual(ids);
  });

  it("refuses documents that are no policy with all their problems, and servers of others", async () => {
    const { serverId } = await history([]);
    const bad = { version: "2", default: "maybe" };
    for (const document of [bad, JSON.stringify(bad)])
      await expect(judge("simulate", { document, server_id: serverId })).rejects.toMatchObject({
        code: "GATEWAY_DOCUMENT_INVALID",
        details: [{ pointer: "/version" }, { pointer: "/default" }],
      });
    const document = documentOf({});
    await expect(judge("simulate", { server_id: serverId })).rejects.toMatchObject({
      code: "VALIDATION_INVALID_SCHEMA",
    });
    const foreign = await stand.server(await stand.organization());
    for (const server_id of [newUuid(), foreign])
      await expect(judge("simulate", { document, server_id })).rejects.toMatchObject({
        code: "RESOURCE_NOT_FOUND",
      });
  });
});

describe("simulate over given calls", () => {
  it("tells what becomes of each, at its own time, and what the grant's policy says now", async () => {
    const serverId = await stand.server();
    const by = { organizationId: stand.organizationId, accountId: newUuid(), keyId: newUuid() };
    const server = (await stand.servers.find(serverId))!;
    const present = { name: "present", document: documentOf({ pay: {} }) };
    const { policyId } = await stand.policies.create(by, server, present, stand.now());
    const grantId = await stand.grant(serverId, policyId);
    const limits = [{ counter: "p", window: "minute", max: 1, scope: "session" }];
    const document = documentOf({ pay: { ...above(10), limits } });
    const call = (at: string, amount: unknown, more = {}) => ({
      tool: "pay",
      arguments: { amount },
      at,
      ...more,
    });
    const answer = await judge(
      "simulate",
      {
        ...{ document, server_id: serverId },
        calls: [
          call("2026-01-01T00:00:30Z", 1, { session_id: "a" }),
          call("2026-01-01T00:00:10Z", 1, { session_id: "a" }),
          call("2026-01-01T00:00:30Z", 1, { session_id: "b" }),
          call("2026-01-01T00:01:00Z", 1, { session_id: "a" }),
          call("2026-01-01T00:00:00Z", "11", { grant_id: grantId }),
          { tool: "other", grant_id: grantId },
        ],
      },
      AGENT,
    );
    const results = answer.results.map((each: any) => [each.before?.outcome ?? null, each.outcome]);
    expect(results).toEqual([
      ...[
        [null, "limit"],
        [null, "allow"],
        [null, "allow"],
        [null, "allow"],
      ],
      ...[
        ["allow", "deny"],
        ["deny", "deny"],
      ],
    ]);
    expect(answer).toMatchObject({
      judged: 6,
      changed: [{ decision_id: null, index: 4, after: { outcome: "deny" } }],
    });
  });
});

describe("replay", () => {
  it("by the policy version that each decision names gives what was decided", async () => {
    const serverId = await stand.server();
    const server = (await stand.servers.find(serverId))!;
    const by = { organizationId: stand.organizationId, accountId: newUuid(), keyId: newUuid() };
    const first = { name: "replayed", document: documentOf({ pay: above(10) }) };
    const { policyId } = await stand.policies.create(by, server, first, stand.now());
    const edit = { document: documentOf({ pay: above(100) }), expectedVersion: null };
    await stand.policies.update(by, policyId, edit, stand.now());
    const grantId = await stand.grant(serverId, policyId);
    const ids: string[] = [];
    for (const [policyVersion, amount, outcome] of [
      [1, 5, "allow"],
      [1, 50, "deny"],
      [2, 50, "allow"],
      [2, 500, "deny"],
    ] as const)
      ids.push(
        await stand.record({ serverId, grantId, policyId, policyVersion, ...pay(amount, { outcome }) }),
      );
    const summaryOf = async (more: object) =>
      (await judge("replay", { server_id: serverId, ...more })).summary;
    expect(await summaryOf({})).toMatchObject({ judged: 4, same: 4, changed: 0, values: "needed" });
    expect(await summaryOf({ policy_id: policyId, version: 1 })).toMatchObject({ same: 3, changed: 1 });
    expect(await summaryOf({ policy_id: policyId })).toMatchObject({ same: 3, changed: 1 });
    const { changed } = await judge("replay", {
      server_id: serverId,
      document: documentOf({ pay: above(0) }),
    });
    expect(changed.map((each: any) => each.decision_id)).toEqual([ids[0], ids[2]]);
    for (const wrong of [{ policy_id: newUuid() }, { policy_id: policyId, version: 9 }])
      await expect(summaryOf(wrong)).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
    for (const wrong of [{ version: 1 }, { policy_id: policyId, document: {} }])
      await expect(summaryOf(wrong)).rejects.toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
  });

  it("needs kept values, and says so", async () => {
    const { serverId, grantId } = await history([{ tool: "pay", argumentKeys: ["amount"] }]);
    const document = documentOf({ pay: {} });
    await expect(judge("replay", { server_id: serverId, document })).rejects.toMatchObject({
      ...{ code: "GATEWAY_VALUES_NOT_CAPTURED", status: 409 },
    });
    const id = await stand.record({ serverId, grantId, ...pay(3) });
    expect((await judge("replay", { server_id: serverId, document })).summary).toMatchObject({
      ...{ judged: 1, skipped: { without_values: 1 } },
    });
    // What was erased is as if it had never been kept.
    await stand.platform.database.transaction((tx) =>
      stand.ledger.erase(tx, {
        ...{ organizationId: stand.organizationId, subjects: [grantId], reason: "asked for" },
        actor: { type: "system", id: null },
      }),
    );
    await expect(judge("replay", { server_id: serverId, document })).rejects.toMatchObject({
      code: "GATEWAY_VALUES_NOT_CAPTURED",
    });
    expect((await stand.list({ grant_id: grantId })).decisions[0]).toMatchObject({ decision_id: id });
    const { serverId: silent } = await history([]);
    stand.captures(silent);
    expect(await judge("replay", { server_id: silent, document })).toMatchObject({ judged: 0, changed: [] });
  });

  it("gives back arguments as they were", async () => {
    const odd = JSON.parse('{"__proto__":{"x":1},"n":1e-7,"half":"\\ud83d","deep":[[[[{"a":null}]]]]}');
    const { serverId } = await history([{ tool: "t", args: odd, argumentKeys: Object.keys(odd).sort() }]);
    const is = (path: string, value: unknown) => ({ path, op: "eq", value });
    const conditions = [
      is('args["__proto__"].x', 1),
      is("args.n", 1e-7),
      is("args.deep.0.0.0.0", { a: null }),
    ];
    const document = documentOf({ t: { deny_if: [{ conditions }] } });
    expect((await judge("replay", { server_id: serverId, document })).changed).toMatchObject([
      { after: { outcome: "deny", rule: '/tools/t/deny_if/args["__proto__"].x-eq' } },
    ]);
  });
});

describe("rights", () => {
  const input = async (name: string) => {
    const { serverId } = await history([pay(1)]);
    return name === "list_decisions" ? {} : { server_id: serverId, document: documentOf({}) };
  };
  it.each([
    ["list_decisions", { role: "viewer" }, true],
    ["list_decisions", { ...AGENT, role: "viewer", scopes: ["*", "read"] }, true],
    ["list_decisions", { scopes: ["app:app_1"] }, false],
    ["list_decisions", { scopes: ["substrate"] }, false],
    ["simulate", { role: "policy_manager" }, true],
    ["simulate", { ...AGENT, role: "admin" }, true],
    ["simulate", { role: "viewer" }, false],
    ["simulate", { role: "developer" }, false],
    ["replay", { role: "policy_manager" }, true],
    ["replay", { ...AGENT, role: "owner" }, false],
    ["replay", { role: "developer" }, false],
  ] as const)("%s as %j: %s", async (name, key, allowed) => {
    const asked = stand.caller.call(`gateway.${name}`, await input(name), key as never);
    if (allowed) await expect(asked).resolves.toBeDefined();
    else await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/^AUTH_/) });
  });
});
