import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../ledger/service.ts";
import { aggregateQuestions, conflictsOf, principleProblems, relevantPrinciples } from "./principles.ts";

const NOON = Date.parse("2026-11-18T12:00:00Z");

const principle = (constraint: JsonObject, appliesTo: JsonObject = {}) => ({
  ...{ id: "dec_1", title: "Rule", rationale: null, appliesTo, constraint },
});

/** The reasons a single principle gives against a commitment. */
function reasons(
  constraint: JsonObject,
  payload: JsonObject,
  { appliesTo = {}, count = 0, sum = "0", now = NOON }: Record<string, any> = {},
): string[] {
  const relevant = relevantPrinciples([principle(constraint, appliesTo)], "record_commitment", payload);
  const aggregates = new Map([["dec_1", { count, sum }]]);
  return conflictsOf(relevant, payload, aggregates, now).map(({ reason }) => reason);
}

describe("applies_to", () => {
  const always = { type: "max_per_week", params: { n: 0 } };
  it.each<[JsonObject, JsonObject, boolean]>([
    [{}, {}, true],
    [{ capability: "record_commitment" }, {}, true],
    [{ capability: ["record_decision", "record_commitment"] }, {}, true],
    [{ capability: "record_decision" }, {}, false],
    [{ status: "confirmed" }, { status: "confirmed" }, true],
    [{ status: ["confirmed", "tentative"] }, { status: "tentative" }, true],
    [{ status: "confirmed" }, { status: "Confirmed" }, false],
    [{ status: "confirmed" }, {}, false],
    [{ "attrs.team": "sales" }, { attrs: { team: "sales" } }, true],
    [{ "attrs.tags": "urgent" }, { attrs: { tags: ["new", "urgent"] } }, true],
    [{ "attrs.tags.0": "urgent" }, { attrs: { tags: ["new", "urgent"] } }, false],
    [{ amount: 5 }, { amount: "5" }, false],
    [{ amount: [null, 0] }, { amount: null }, true],
    [{ toString: "x" }, {}, false],
  ])("%j on %j: %s", (appliesTo, payload, expected) => {
    expect(reasons(always, payload, { appliesTo })).toHaveLength(expected ? 1 : 0);
  });
});

describe("constraints", () => {
  it("max_per_window and its short forms count what was executed", () => {
    const spellings: JsonObject[] = [
      { type: "max_per_week", params: { n: 3 } },
      { type: "max_per_week", params: { max: 3 } },
      { type: "max_per_window", params: { n: 3, window: "week" } },
    ];
    for (const constraint of spellings) {
      expect(reasons(constraint, {}, { count: 2 })).toEqual([]);
      expect(reasons(constraint, {}, { count: 3 })).toEqual([
        "at most 3 are allowed per week, and 3 were executed since Monday (UTC).",
      ]);
    }
  });

  const budget = {
    type: "max_amount_per_window",
    params: { field: "amount", max: 0.6, window: "month", unit: "EUR" },
  };
  it("max_amount_per_window adds up exactly, and is closed to what it can't add", () => {
    expect(reasons(budget, { amount: 0.3, unit: "eur" }, { sum: "0.30" })).toEqual([]);
    expect(reasons(budget, { amount: 0.3, unit: "EUR" }, { sum: "0.31" })).toEqual([
      "amount may add up to 0.6 eur per month; with 0.3 on top of 0.31 this month (UTC) it would be 0.61.",
    ]);
    expect(reasons(budget, {}, { sum: "5" })).toEqual([]);
    for (const payload of [
      { amount: "0.1", unit: "EUR" },
      { amount: -5, unit: "EUR" },
      { amount: [0.1], unit: "EUR" },
      { amount: true, unit: "EUR" },
      { amount: Number.POSITIVE_INFINITY, unit: "EUR" },
      { amount: 0.1, unit: "USD" },
      { amount: 0.1 },
    ])
      expect(reasons(budget, payload as JsonObject), JSON.stringify(payload)).toHaveLength(1);
    const strict = { type: budget.type, params: { ...budget.params, required: true } };
    expect(reasons(strict, {})).toEqual(["amount is missing, and has to be a number."]);
  });

  it("the unit stands beside the amount, or where the principle says", () => {
    const nested = { type: budget.type, params: { ...budget.params, field: "attrs.price" } };
    expect(reasons(nested, { attrs: { price: 0.1, unit: "eur" } })).toEqual([]);
    expect(reasons(nested, { attrs: { price: 0.1 }, unit: "eur" })).toHaveLength(1);
    const elsewhere = { type: budget.type, params: { ...budget.params, unit_field: "attrs.currency" } };
    expect(reasons(elsewhere, { amount: 0.1, attrs: { currency: "EUR" } })).toEqual([]);
  });

  it("approval_above", () => {
    const above = { type: "approval_above", params: { field: "amount", threshold: "100.50" } };
    expect(reasons(above, { amount: 100.5 })).toEqual([]);
    expect(reasons(above, { amount: 100.51 })).toEqual(["amount is 100.51, above 100.5."]);
    expect(reasons(above, { amount: "9e9" })).toEqual(["amount is no number."]);
    expect(reasons(above, {})).toEqual([]);
  });

  it("allowed_values are exact, forbidden_values see through spelling", () => {
    const allowed = { type: "allowed_values", params: { field: "unit", values: ["EUR", 5] } };
    expect(reasons(allowed, { unit: "EUR" })).toEqual([]);
    expect(reasons(allowed, { unit: ["EUR", 5] })).toEqual([]);
    expect(reasons(allowed, {})).toEqual([]);
    for (const unit of ["eur", ["EUR", "USD"], { is: "EUR" }, 5.1])
      expect(reasons(allowed, { unit } as JsonObject)).toHaveLength(1);
    const forbidden = { type: "forbidden_values", params: { field: "to", values: ["Boss@Example.com"] } };
    expect(reasons(forbidden, { to: "someone@example.com" })).toEqual([]);
    for (const to of [" boss@example.com", "ＢＯＳＳ@example.com", ["a@b.c", "BOSS@EXAMPLE.COM"]])
      expect(reasons(forbidden, { to })).toHaveLength(1);
  });

  it("a reason never ends within a character", () => {
    const rule = { type: "allowed_values", params: { field: "a", values: ["b"] } };
    for (let n = 90; n < 100; n++) {
      const [reason] = reasons(rule, { a: "x".repeat(n) + "\u{1F600}".repeat(20) });
      expect(reason!.isWellFormed()).toBe(true);
    }
  });

  it("quiet_hours", () => {
    const quiet = { type: "quiet_hours", params: { from: "12:00", to: "13:00", timezone: "UTC" } };
    expect(reasons(quiet, {})).toEqual(["it is quiet between 12:00 and 13:00 (UTC)."]);
    expect(reasons(quiet, {}, { now: NOON + 3_600_000 })).toEqual([]);
  });

  it("the sum never passes the limit, whatever is proposed in whatever order", () => {
    const amounts = fc.array(
      fc.oneof(
        fc.integer({ min: 1, max: 40 }).map((each) => each / 10),
        fc.constant("1"),
      ),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(amounts, (proposed) => {
        let tenths = 0;
        for (const amount of proposed) {
          const payload = { amount, unit: "eur" };
          const limit = { type: budget.type, params: { ...budget.params, max: 10 } };
          if (reasons(limit, payload, { sum: String(tenths / 10) }).length === 0) {
            tenths += Math.round((amount as number) * 10);
          } else if (typeof amount === "number")
            expect(tenths + Math.round(amount * 10)).toBeGreaterThan(100);
        }
        expect(tenths).toBeLessThanOrEqual(100);
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

describe("what can't be computed", () => {
  it.each<[JsonObject, JsonObject, string]>([
    [{}, { type: "max_per_fortnight", params: { n: 1 } }, "constraint_spec.type"],
    [{}, { type: "toString", params: {} }, "constraint_spec.type"],
    [{}, { type: "max_per_week", params: {} }, "constraint_spec.params"],
    [{}, { type: "max_per_week", params: { n: 1, max: 1 } }, "constraint_spec.params"],
    [{}, { type: "max_per_week", params: { n: -1 } }, "constraint_spec.params.n"],
    [{}, { type: "max_per_week", params: { n: 1, window: "day" } }, "constraint_spec.params"],
    [{}, { type: "max_per_window", params: { n: 1 } }, "constraint_spec.params.window"],
    [{}, { type: "approval_above", params: { field: "a..b", threshold: 1 } }, "constraint_spec.params.field"],
    [
      {},
      { type: "approval_above", params: { field: "a", threshold: "much" } },
      "constraint_spec.params.threshold",
    ],
    [{}, { type: "allowed_values", params: { field: "a", values: [] } }, "constraint_spec.params.values"],
    [
      {},
      { type: "quiet_hours", params: { from: "22:00", to: "06:00", timezone: "Mars/Olympus" } },
      "constraint_spec.params.timezone",
    ],
    [
      {},
      { type: "quiet_hours", params: { from: "9", to: "06:00", timezone: "UTC" } },
      "constraint_spec.params.from",
    ],
    [
      {},
      { type: "quiet_hours", params: { from: "06:00", to: "06:00", timezone: "UTC" } },
      "constraint_spec.params",
    ],
    [{}, { type: "max_per_week", params: { n: 1 }, effect: "explode" }, "constraint_spec.effect"],
    [{ capability: "fly" }, { type: "max_per_week", params: { n: 1 } }, "applies_to.capability"],
    [{ "a.": 1 }, { type: "max_per_week", params: { n: 1 } }, "applies_to.a."],
    [{ a: { b: 1 } }, { type: "max_per_week", params: { n: 1 } }, "applies_to.a"],
  ])("is refused when it is recorded: %j %j", (appliesTo, constraint, path) => {
    expect(principleProblems({ appliesTo, constraint }).map((each) => each.path)).toEqual([path]);
  });

  it("and gates, should it be there all the same; a principle without a constraint gates nothing", () => {
    expect(reasons({ type: "unknown" }, {})).toEqual(["it can't be computed; amend or retire it."]);
    expect(reasons({ type: "max_per_week", params: { n: 5 } }, {}, { appliesTo: { "a.": 1 } })).toHaveLength(
      1,
    );
    expect(reasons({}, {})).toEqual([]);
  });
});

it("asks for the sums of exactly the principles that need one, in their windows", () => {
  const relevant = relevantPrinciples(
    [
      { ...principle({ type: "max_per_day", params: { n: 1 } }), id: "dec_a" },
      { ...principle({ type: "approval_above", params: { field: "amount", threshold: 1 } }), id: "dec_b" },
      {
        ...principle({ type: "max_amount_per_window", params: { field: "amount", max: 1, window: "hour" } }),
        id: "dec_c",
      },
    ],
    "record_commitment",
    {},
  );
  expect(aggregateQuestions(relevant, NOON)).toMatchObject([
    { principleId: "dec_a", fromMs: Date.parse("2026-11-18T00:00:00Z"), amount: null },
    {
      principleId: "dec_c",
      fromMs: NOON,
      untilMs: NOON + 3_600_000,
      amount: { field: ["amount"], unit: null },
    },
  ]);
});
