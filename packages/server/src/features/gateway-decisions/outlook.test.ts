import { compile, type Json, type JsonObject } from "@ambit/policy";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOutlook } from "./outlook.ts";

const SEED = { seed: 20260729, numRuns: 3_000 };
const BASE = { grantId: "g", sessionId: null, serverId: "s" } as const;

const path = fc.constantFrom("args", "args.a", "args.b", "args.a.x", "args.b.*.x", "args.*", 'args["c.d"]');
const predicate = fc.oneof(
  fc.record({ path, op: fc.constant("exists"), value: fc.boolean() }),
  fc.record({ path, op: fc.constantFrom("eq", "neq"), value: fc.constantFrom<Json>(1, "x", null) }),
  fc.record({ path, op: fc.constantFrom("gt", "lte"), value: fc.constant(1) }),
  fc.record({ path, op: fc.constant("regex"), value: fc.constant("x") }),
  fc.record({ path, op: fc.constantFrom("in", "not_in"), value: fc.constant([1, "x"]) }),
);
const rules = (least: number) =>
  fc.array(fc.record({ conditions: fc.array(predicate, { minLength: least, maxLength: 2 }) }), {
    maxLength: 2,
  });
const limit = fc.record(
  {
    ...{ counter: fc.constantFrom("one", "two"), window: fc.constant("minute"), max: fc.constant(9) },
    ...{ scope: fc.constant("grant"), cost: fc.constantFrom("args.a", "args.b.x") },
  },
  { requiredKeys: ["counter", "window", "max", "scope"] },
);
const tool = fc.record(
  {
    ...{ require: rules(1), deny_if: rules(0), approve_if: rules(0) },
    limits: fc.uniqueArray(limit, { maxLength: 2, selector: ({ counter }) => counter }),
    action: fc.constantFrom("allow", "deny", "require_approval"),
    rate_limit: fc.constant({ max: 2, window: 60 }),
  },
  { requiredKeys: [] },
);
const document = fc.record(
  {
    ...{
      version: fc.constant("1"),
      default: fc.constantFrom("allow", "deny"),
      tools: fc.record({ t: tool }),
    },
    hide: fc.constantFrom(["t"], ["other"], ["x"]),
  },
  { requiredKeys: ["version", "default", "tools"] },
);
const value = fc.constantFrom<Json>(0, 1, 2, "x", "9", null, [{ x: 1 }], { x: 5 }, []);
const args: fc.Arbitrary<JsonObject> = fc.dictionary(fc.constantFrom("a", "b", "c.d"), value);

describe("what names tell of a call", () => {
  it("is never anything but what its values give", () => {
    const seen = { certain: 0, open: 0 };
    fc.assert(
      fc.property(
        ...([
          document,
          args,
          fc.constantFrom("t", "t", "t", "u"),
          fc.constantFrom("approved", "changed"),
        ] as const),
        (policy, given, name, tool_state) => {
          const compiled = compile(policy);
          const call = { ...BASE, tool: name, tool_state: tool_state as "approved" };
          const argumentKeys = Object.keys(given).sort();
          const told = createOutlook(compiled).judge({ ...call, argumentKeys }, 0);
          if (told === null) {
            seen.open += 1;
            return;
          }
          seen.certain += 1;
          const judged = compiled.judge({ ...call, args: given }, 0);
          expect(told.outcome).toBe(judged.outcome);
          if (told.outcome !== "deny" && judged.outcome !== "deny") {
            expect(told.rule === judged.rule || told.outcome === "hold").toBe(true);
            expect(told.reservations).toEqual(judged.reservations);
          }
        },
      ),
      SEED,
    );
    // It would be easy never to be wrong by never saying anything.
    expect(seen.certain).toBeGreaterThan(SEED.numRuns / 4);
    expect(seen.open).toBeGreaterThan(SEED.numRuns / 20);
  });

  const of = (rules: object, argumentKeys: readonly string[] | null, tools = { t: rules }) =>
    createOutlook(compile({ version: "1", default: "deny", tools })).judge(
      { ...BASE, tool: "t", tool_state: "approved", argumentKeys },
      0,
    );
  const reads = (op: string, more: object = { value: "x" }) => [
    { conditions: [{ path: "args.a", op, ...more }] },
  ];

  it("is everything where nothing reads a value", () => {
    expect(of({}, null)).toMatchObject({ outcome: "allow" });
    expect(of({ limits: [{ counter: "c", window: "hour", max: 3, scope: "grant" }] }, null)).toMatchObject({
      reservations: [{ counter: "c", cost: 1 }],
    });
    expect(of({}, [], { t: undefined } as never)).toMatchObject({ outcome: "deny", rule: "(default deny)" });
  });

  it("is what follows from a missing name", () => {
    expect(of({ deny_if: reads("regex") }, ["b"])).toMatchObject({ outcome: "allow" });
    expect(of({ require: reads("regex") }, ["b"])).toMatchObject({
      outcome: "deny",
      rule: "/tools/t/require/args.a-regex",
    });
    expect(of({ approve_if: reads("exists", { value: false }) }, ["b"])).toMatchObject({ outcome: "hold" });
  });

  it("is nothing where a value decides, or where names are missing from the record", () => {
    expect(of({ deny_if: reads("regex") }, ["a"])).toBeNull();
    expect(of({ deny_if: reads("regex") }, null)).toBeNull();
    expect(of({ deny_if: reads("regex") }, ["cut off…"])).toBeNull();
    expect(
      of(
        { deny_if: reads("regex") },
        Array.from({ length: 64 }, (_, n) => `k${n}`),
      ),
    ).toBeNull();
  });

  it("is a denial all the same where another rule denies whatever the values are", () => {
    const rules = { require: reads("regex"), deny_if: [{ conditions: [], on_deny: "Never." }] };
    expect(of(rules, ["a"])).toEqual({ outcome: "deny", rule: "/tools/t/deny_if/0", message: "Never." });
  });
});
