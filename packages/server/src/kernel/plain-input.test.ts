import fc from "fast-check";
import { expect, it } from "vitest";
import { inputProblem } from "./plain-input.ts";

const text = fc.string({ unit: fc.constantFrom("a", "\0", "\ud83d", "\ude00", "é", "😀") });
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.integer(),
    fc.constant(null),
    fc.array(tie("any")),
    fc.dictionary(text, tie("any")),
  ),
})).any;

it("takes over exactly the texts that Postgres can hold, as values and as keys", () => {
  const holdable = (json: string) => !/\\u(0000|d[89a-f])/.test(json);
  fc.assert(
    fc.property(value, (input) => {
      expect(inputProblem(input, 20) === null).toBe(holdable(JSON.stringify(input)));
    }),
    { numRuns: 500 },
  );
});

it("stops at the depth it is given, however deep the value is", () => {
  const nested = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels));
  expect(inputProblem(nested(20), 20)).toBeNull();
  expect(inputProblem(nested(21), 20)).toMatch(/too deep/);
  expect(inputProblem(nested(200_000), 20)).toMatch(/too deep/);
});
