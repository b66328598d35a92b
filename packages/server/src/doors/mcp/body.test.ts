import fc from "fast-check";
import { expect, it } from "vitest";
import { MessageRefusal, parseMessage } from "./body.ts";
import { limits } from "./limits.ts";

const depthOf = (value: unknown): number =>
  typeof value !== "object" || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf));

it("reads every message up to the nesting limit as JSON does, and refuses every deeper one", () => {
  const wraps = fc.integer({ min: 0, max: limits.nestingDepth + 5 });
  const brackets = fc.string({ unit: fc.constantFrom("[", "{", "]", "}", '"', "\\", "é") });
  fc.assert(
    fc.property(
      fc.dictionary(brackets, fc.oneof(brackets, fc.jsonValue({ maxDepth: 4 }))),
      wraps,
      (inner, count) => {
        let message: unknown = inner;
        for (let level = 0; level < count; level += 1) message = { inner: message };
        const bytes = Buffer.from(JSON.stringify(message));
        if (depthOf(message) > limits.nestingDepth) expect(() => parseMessage(bytes)).toThrow(MessageRefusal);
        else expect(parseMessage(bytes)).toEqual(JSON.parse(bytes.toString()));
      },
    ),
    { numRuns: 300 },
  );
});
