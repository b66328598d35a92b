import fc from "fast-check";
import { LogicEngine } from "json-logic-engine";
import { describe, expect, it } from "vitest";
import type { Json } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import type { Variables } from "../types.ts";
import { createBudget } from "./budget.ts";
import { logicProblem } from "./check.ts";
import { createEvaluate } from "./evaluate.ts";
import { OPERATORS } from "./operators.ts";

const NOW = Date.parse("2026-05-04T12:00:00Z");
const holds = (condition: Json, variables: Variables = {}): boolean => {
  expect(logicProblem(condition)).toBeNull();
  return createEvaluate(createBudget(), NOW)(condition, variables);
};
const fails = (condition: Json, variables: Variables = {}) =>
  expect(() => holds(condition, variables)).toThrow(
    expect.objectContaining({ code: "RULE_CONDITION_FAILED" }),
  );

describe("JSON-Logic", () => {
  it.each<[Json, Variables, boolean]>([
    [{ "==": [{ var: "status" }, "open"] }, { status: "open" }, true],
    [{ ">": [{ var: "a.b" }, 3] }, { a: { b: 4 } }, true],
    [{ and: [{ "<": [1, { var: "n" }, 9] }, { "!": { var: "off" } }] }, { n: 5, off: false }, true],
    [{ in: ["urgent", { var: "tags" }] }, { tags: ["urgent"] }, true],
    [{ in: ["urg", { var: "title" }] }, { title: "not so" }, false],
    [{ in: ["a", { var: "gone" }] }, {}, false],
    [
      { some: [{ var: "items" }, { ">": [{ var: "price" }, 10] }] },
      { items: [{ price: 9 }, { price: 11 }] },
      true,
    ],
    [
      { ">": [{ reduce: [{ var: "n" }, { "+": [{ var: "current" }, { var: "accumulator" }] }, 0] }, 5] },
      { n: [1, 2, 3] },
      true,
    ],
    [{ missing: ["a", "b"] }, { a: 1, b: 2 }, false],
    [{ missing: ["a", "c.d"] }, { a: 1, c: {} }, true],
    [{ missing_some: [1, ["a", "b"]] }, { a: 1 }, false],
    [{ "==": [{ substr: ["jsonlogic", -5, -2] }, "log"] }, {}, true],
    [{ "===": [{ cat: ["a", 1, null, true] }, "a1true"] }, {}, true],
    [{ "==": [{ length: [{ merge: [1, [2, 3]] }] }, 3] }, {}, true],
    [{ "==": [{ length: "four" }, 4] }, {}, true],
    [{ var: ["gone", "default"] }, {}, true],
    [{ if: [{ var: "x" }, false, true] }, { x: [] }, true],
    [{ "??": [null, 1] }, {}, true],
    [true, {}, true],
    [{ ">=": [{ days_since: "2026-05-03T12:00:00Z" }, 1] }, {}, true],
    [{ "<": [{ days_until: { var: "due_at" } }, 2] }, { due_at: "2026-05-06" }, true],
    [{ "<": [{ days_until: [{ var: "due_at" }] }, 2] }, { due_at: "2026-05-06T12:00:01+00:00" }, false],
  ])("%j of %j is %s", (condition, variables, expected) => {
    expect(holds(condition, variables)).toBe(expected);
  });

  it("fails where values do not fit, instead of guessing", () => {
    fails({ ">": [{ var: "n" }, 3] }, { n: "many" });
    fails({ "+": [{ var: "o" }, 1] }, { o: {} });
    fails({ days_since: null });
    fails({ days_since: "soon" });
    fails({ days_since: "1" });
    fails({ map: [{ var: "s" }, 1] }, { s: "text" });
    fails({ substr: [1, 2] });
    fails({ in: [1, "1"] });
  });

  /** Logic and values that mean the same to every implementation: comparisons, choices, lists of small numbers. */
  const leaf = fc.oneof(
    fc.integer({ min: -9, max: 9 }),
    fc.boolean(),
    fc.constantFrom("a", "b", "z").map((name) => ({ var: name })),
  );
  const { logic } = fc.letrec<{ logic: Json }>((tie) => ({
    logic: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc
        .tuple(
          fc.constantFrom("==", "===", "!=", "<", "<=", ">", ">=", "+", "-", "*"),
          tie("logic"),
          tie("logic"),
        )
        .map(([operator, a, b]) => ({ [operator]: [a, b] })),
      fc
        .tuple(fc.constantFrom("and", "or", "if"), fc.array(tie("logic"), { minLength: 2, maxLength: 4 }))
        .map(([operator, args]) => ({ [operator]: args })),
      tie("logic").map((a) => ({ "!": [a] })),
      fc
        .tuple(fc.constantFrom("map", "filter", "some", "all", "none"), tie("logic"))
        .map(([operator, each]) => ({ [operator]: [{ var: "list" }, each] })),
    ),
  }));

  it("means what the engine means by it", () => {
    // Its interpreter: its optimizer takes {"!": [list]} for "the first element is false", against the standard.
    const stock = new LogicEngine(undefined, { disableInterpretedOptimization: true });
    const variables = fc.record({
      a: fc.integer({ min: -9, max: 9 }),
      b: fc.oneof(fc.boolean(), fc.constant(null)),
      list: fc.array(fc.record({ a: fc.integer({ min: -9, max: 9 }) }), { maxLength: 4 }),
    });
    let judged = 0;
    fc.assert(
      fc.property(logic, variables, (condition, values) => {
        const outcome = (run: () => unknown) => {
          try {
            return Boolean(run());
          } catch {
            return "failed";
          }
        };
        const expected = outcome(() => stock.truthy(stock.run(condition, values)));
        expect(outcome(() => createEvaluate(createBudget(), NOW)(condition, values as Variables))).toBe(
          expected,
        );
        judged += expected === "failed" ? 0 : 1;
      }),
      { numRuns: 500 },
    );
    expect(judged).toBeGreaterThan(200);
  });
});

describe("hostile conditions", () => {
  it.each<Json>([
    { constructor: ["return process"] },
    { valueOf: [] },
    { hasOwnProperty: ["x"] },
    { __defineGetter__: ["x", "y"] },
    { toString: [] },
    { throw: "x" },
    { eachKey: { a: 1 } },
    { get: [{ var: "" }, "constructor"] },
    { val: ["constructor"] },
    { preserve: { a: 1 } },
    { method: [] },
    { log: "x" },
    { a: 1, b: 2 },
    {},
    { and: [{ "==": [1, { unknown: [] }] }] },
    JSON.parse('{"__proto__": []}'),
    JSON.parse('{"var": {"__proto__": []}}'),
  ])("%j is refused before it is run", (condition) => {
    expect(logicProblem(condition)).not.toBeNull();
  });

  it("reach nothing but the values", () => {
    for (const path of [
      "constructor",
      "__proto__",
      "a.constructor.name",
      "a.__proto__.x",
      "list.length",
      "s.0",
      "s.length",
    ]) {
      expect(holds({ "===": [{ var: path }, null] }, { a: {}, list: [1], s: "text" }), path).toBe(true);
    }
    const own = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}') as Variables;
    expect(holds({ "===": [{ var: "__proto__.x" }, 1] }, own)).toBe(true);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it("are stopped when they go on and on, whatever they multiply", () => {
    const list = Array.from({ length: 300 }, (_, n) => n);
    const nested: Json = { map: [{ var: "list" }, 1] };
    const started = performance.now();
    for (const condition of [
      // A walk over a list for every element of a list, three deep.
      { map: [list, { map: [list, { map: [list, { "+": [1, { var: "" }] }] }] }] },
      // A text that doubles with each element.
      { reduce: [list, { cat: [{ var: "accumulator" }, { var: "accumulator" }] }, "x"] },
      // A list that doubles with each element.
      { reduce: [list, { merge: [{ var: "accumulator" }, { var: "accumulator" }] }, [1]] },
      { and: Array.from({ length: 90 }, () => nested) },
    ] as Json[]) {
      expect(() => createEvaluate(createBudget(), NOW)(condition, { list })).toThrow(
        expect.objectContaining({ code: "RULE_CONDITION_FAILED" }),
      );
    }
    // The worst case of a search: every place fails at the last character.
    const text = `${"a".repeat(1_000_000)}`;
    fails({ in: [`b${"a".repeat(900)}`, { var: "text" }] }, { text });
    expect(holds({ in: ["needle", { var: "text" }] }, { text: `${text}needle` })).toBe(true);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("are bounded in size and depth", () => {
    let deep: Json = true;
    for (let n = 0; n <= limits.conditionDepth; n++) deep = { "!": deep };
    expect(logicProblem(deep)).toMatch(/nested/);
    expect(logicProblem({ and: Array.from({ length: limits.conditionNodes }, () => 1) })).toMatch(/parts/);
    expect(logicProblem({ "==": ["x".repeat(limits.conditionTextChars + 1), 1] })).toMatch(/longer/);
    expect(logicProblem({ or: Array.from({ length: 100 }, () => "x".repeat(200)) })).toMatch(/larger/);
  });

  it("give true or false or a typed error, whatever they and the values are", () => {
    const operator = fc.constantFrom(...OPERATORS);
    const { wild } = fc.letrec<{ wild: Json }>((tie) => ({
      wild: fc.oneof(
        { maxDepth: 5, withCrossShrink: true },
        fc.constantFrom<Json>(
          null,
          true,
          0,
          -1,
          1e308,
          "",
          "a",
          "a.b",
          "__proto__",
          "accumulator",
          "2026-01-01",
        ),
        fc.array(tie("wild"), { maxLength: 3 }),
        fc.tuple(operator, tie("wild")).map(([name, args]) => ({ [name]: args })),
      ),
    }));
    const values = fc.dictionary(fc.constantFrom("a", "b", "list", "constructor"), fc.jsonValue());
    fc.assert(
      fc.property(wild, values, (condition, variables) => {
        expect(logicProblem(condition)).toBeNull();
        try {
          expect(createEvaluate(createBudget(), NOW)(condition, variables as Variables)).toBeTypeOf(
            "boolean",
          );
        } catch (error) {
          expect(error).toMatchObject({ code: "RULE_CONDITION_FAILED" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the budget", () => {
  it("is per row, and for all rows together", () => {
    const budget = createBudget(100, 60);
    budget.charge(60);
    expect(() => budget.charge(1)).toThrow(expect.objectContaining({ details: { exhausted: "row" } }));
    budget.nextRow();
    budget.charge(39);
    expect(budget.taken()).toBe(100);
    expect(budget.taken()).toBe(0);
    expect(() => budget.charge(1)).toThrow(expect.objectContaining({ details: { exhausted: "firing" } }));
  });

  it("makes a step cost about a microsecond", () => {
    const list = Array.from({ length: 90 }, (_, n) => n);
    const condition = { all: [list, { ">=": [{ "+": [{ var: "" }, 1] }, 0] }] };
    const budget = createBudget();
    const evaluate = createEvaluate(budget, NOW);
    for (let n = 0; n < 50; n++) {
      budget.nextRow();
      evaluate(condition, {});
    }
    budget.taken();
    const before = process.cpuUsage();
    for (let n = 0; n < 100; n++) {
      budget.nextRow();
      evaluate(condition, {});
    }
    const { user, system } = process.cpuUsage(before);
    const perStepUs = (user + system) / budget.taken();
    expect(perStepUs).toBeLessThan(5);
  });
});
