import type { JsonObject, PolicyDocument } from "@ambit/policy";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { policyOf } from "./admit.ts";
import { type GatewayStand, gatewayStand } from "./testing/stand.ts";
import { forwarded } from "./testing/verdicts.ts";

let stand: GatewayStand;
beforeAll(async () => {
  stand = await gatewayStand();
});
afterAll(() => stand.stop());

const limit = { counter: "calls", window: "day", max: 1, scope: "grant" } as const;
const rule = (path: string, value: string, on_deny?: string) => ({
  conditions: [{ path: `args.${path}`, op: "eq" as const, value }],
  ...(on_deny === undefined ? {} : { on_deny }),
});

/** Everything a call can fail at; each argument makes it fail at one check, and by default it passes all. */
const ALL: PolicyDocument = {
  version: "1",
  default: "deny",
  hide: ["hidden"],
  tools: {
    hidden: { deny_if: [{ conditions: [] }] },
    act: {
      require: [rule("must", "yes", "it must")],
      deny_if: [rule("bad", "yes", "it is bad")],
      limits: [limit],
      approve_if: [rule("risky", "yes", "somebody should look")],
    },
    plain: {},
  },
};

interface Expected {
  readonly kind: string;
  readonly outcome: string;
  readonly rule: string;
  readonly text?: string;
}
const GOOD = { must: "yes" };
const BAD = { must: "yes", bad: "yes" };
const answer = (outcome: string, rule: string, text?: string): Expected => ({
  kind: "answer",
  outcome,
  rule,
  text,
});

/** Each line fails at its check and at every later one that can be failed with it: the first check must answer. */
const TABLE: [
  check: string,
  tool: string,
  args: JsonObject,
  state: "approved" | "changed",
  full: boolean,
  Expected,
][] = [
  ["hidden", "hidden", BAD, "changed", true, answer("deny", "(hidden)")],
  ["default deny", "unlisted", BAD, "changed", true, answer("deny", "(default deny)")],
  [
    ...(["require", "act", { bad: "yes", risky: "yes" }, "changed", true] as const),
    answer("deny", "/tools/act/require/args.must-eq", "Denied by policy: it must"),
  ],
  [
    ...(["deny_if", "act", { ...BAD, risky: "yes" }, "changed", true] as const),
    answer("deny", "/tools/act/deny_if/args.bad-eq", "Denied by policy: it is bad"),
  ],
  ["tool changed", "act", { ...GOOD, risky: "yes" }, "changed", true, answer("deny", "(tool changed)")],
  ["limits", "act", { ...GOOD, risky: "yes" }, "approved", true, answer("limit", "/tools/act/limits/calls")],
  [
    ...(["approve_if", "act", { ...GOOD, risky: "yes" }, "approved", false] as const),
    answer("hold", "/tools/act/approve_if/args.risky-eq"),
  ],
  ["allow", "act", GOOD, "approved", false, { kind: "forward", outcome: "allow", rule: "" }],
];

describe("the order of judgement", () => {
  it.each(TABLE)("%s", async (_check, tool, args, state, full, expected) => {
    const grant = await stand.grant(ALL);
    for (const each of ["hidden", "unlisted", "act"]) stand.servers.setTool(each, "approved");
    if (full) await forwarded(await stand.call(grant, "act", { must: "yes", first: 1 })).recorded;
    for (const each of ["hidden", "unlisted", "act"]) stand.servers.setTool(each, state);
    const verdict = await stand.call(grant, tool, args);
    expect(verdict.kind).toBe(expected.kind);
    if (verdict.kind === "forward") await verdict.recorded;
    if (verdict.kind === "answer") {
      const decision = verdict.result._meta["ambit/decision"];
      expect(decision).toMatchObject({ outcome: expected.outcome, rule: expected.rule });
      expect(verdict.result.isError).toBe(true);
      if (expected.text !== undefined) expect(verdict.result.content[0].text).toBe(expected.text);
    }
    const [last] = (await stand.entries(grant.id)).slice(-1);
    expect(last).toMatchObject({
      kind: `gateway.${expected.outcome}`,
      data: { tool, rule: expected.rule, argument_keys: Object.keys(args).sort() },
    });
    expect(JSON.stringify(last)).not.toContain('"yes"');
  });

  it("denies every tool of a grant without a policy, before anything else", async () => {
    const grant = await stand.grant({ version: "1", default: "allow" });
    await stand.detach(grant);
    const verdict = await stand.call(grant, "plain");
    expect(verdict).toMatchObject({
      kind: "answer",
      result: { _meta: { "ambit/decision": { outcome: "deny", rule: "(no policy)" } } },
    });
    expect((await stand.admit(grant)).policy).toBe(null);
  });

  it("takes a policy of another server for none", async () => {
    const { grant, server, policy } = await stand.admit(
      await stand.grant({ version: "1", default: "allow" }),
    );
    const of = (serverId: string) =>
      policyOf({ policies: { current: async () => ({ ...policy!, serverId }) } } as never, grant, server);
    expect(await of(server.id)).not.toBe(null);
    expect(await of(grant.organizationId)).toBe(null);
  });

  it("says when a limit has room again, and gives nothing for a refused call", async () => {
    const grant = await stand.grant(ALL);
    stand.servers.setTool("act", "approved");
    expect((await stand.call(grant, "act", GOOD)).kind).toBe("forward");
    const verdict = await stand.call(grant, "act", GOOD);
    const secondsLeft = Math.ceil((86_400_000 - (stand.now() % 86_400_000)) / 1000);
    expect(verdict).toMatchObject({
      result: { _meta: { "ambit/decision": { outcome: "limit", retry_after_s: secondsLeft } } },
    });
    expect(await stand.used(`grant:${grant.id}/calls/day`)).toBe(1);
  });

  it("looks at a tool it does not know before it lets it be called, and only then", async () => {
    const grant = await stand.grant(ALL);
    const { servers } = stand;
    servers.setTool("act", "approved", false);
    servers.setTool("hidden", "approved", false);
    servers.looks.length = 0;
    await stand.call(grant, "hidden", {});
    await stand.call(grant, "act", BAD);
    expect(servers.looks).toEqual([]);
    expect((await stand.call(grant, "act", GOOD)).kind).toBe("forward");
    expect(servers.looks).toEqual(["act"]);
    servers.setTool("act", "changed", false);
    expect(await stand.call(grant, "act", GOOD)).toMatchObject({
      result: { _meta: { "ambit/decision": { rule: "(tool changed)" } } },
    });
    servers.setTool("act", null, false);
    expect(await stand.call(grant, "act", GOOD)).toMatchObject({
      result: { _meta: { "ambit/decision": { outcome: "deny", rule: "(tool changed)" } } },
    });
    servers.setTool("act", "approved");
  });
});

describe("what is no call of a tool", () => {
  const METHODS: [method: string, withoutPolicy: "forward" | "replay" | "refuse"][] = [
    ["initialize", "forward"],
    ["ping", "forward"],
    ["server/discover", "forward"],
    ["notifications/initialized", "forward"],
    ["notifications/cancelled", "forward"],
    ["tools/list", "replay"],
    ["resources/list", "replay"],
    ["resources/templates/list", "replay"],
    ["prompts/list", "replay"],
    ["resources/read", "refuse"],
    ["prompts/get", "refuse"],
    ["completion/complete", "refuse"],
    ["subscriptions/listen", "refuse"],
    ["(response)", "refuse"],
    ["constructor", "refuse"],
    ["tools/call ", "refuse"],
  ];

  it.each(METHODS)("%s passes with a policy; without one: %s", async (method, kind) => {
    const grant = await stand.grant({ version: "1", default: "deny" });
    const asked = { method, tool: null, args: null };
    const passed = await stand.call(grant, "", {}, asked);
    expect(passed.kind).toBe("forward");
    if (passed.kind === "forward") expect(await passed.recorded).toMatch(/^led_/);
    await stand.detach(grant);
    const verdict = await stand.call(grant, "", {}, asked);
    expect(verdict.kind).toBe(kind);
    if (verdict.kind === "replay") {
      const [list, ...rest] = Object.values(JSON.parse(verdict.result)).filter(Array.isArray);
      expect([list, rest]).toEqual([[], []]);
    }
    if (verdict.kind === "forward") await verdict.recorded;
    const kinds = (await stand.entries(grant.id)).map((each) => each.kind);
    expect(kinds).toEqual(["gateway.allow", kind === "refuse" ? "gateway.deny" : "gateway.allow"]);
  });

  it("refuses a call that names no tool", async () => {
    const grant = await stand.grant({ version: "1", default: "allow" });
    expect((await stand.call(grant, "", {}, { tool: null })).kind).toBe("refuse");
    expect(await stand.entries(grant.id)).toMatchObject([
      { kind: "gateway.error", data: { rule: "(malformed)" } },
    ]);
  });
});
