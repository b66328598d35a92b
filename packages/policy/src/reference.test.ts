import fc from "fast-check";
import { expect, it } from "vitest";
import { compile } from "./compile.ts";
import { decide } from "./decide.ts";
import { PolicyInvalid } from "./errors.ts";
import { anyJson, calls, documents, times } from "./testing/generate.ts";
import { runsOf } from "./testing/helpers.ts";
import { referenceDecide } from "./testing/reference.ts";
import type { Counters, Json, PolicyDocument } from "./types.ts";
import { validate } from "./validate.ts";

/** What is used of a counter: anything, but always the same for the same key and window. */
function countersFrom(salt: number): Counters {
  return ({ key, windowStartMs }) => {
    const name = `${key}@${windowStartMs}`;
    let sum = salt;
    for (let at = 0; at < name.length; at++) sum = (sum * 31 + name.charCodeAt(at)) % 1_000_003;
    return sum % 5;
  };
}

it("decides as a plain reading of the document does", () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(
      documents,
      fc.array(calls, { minLength: 1, maxLength: 8 }),
      times,
      fc.nat(1000),
      (document, all, nowMs, salt) => {
        const policy = compile(document);
        const counters = countersFrom(salt);
        for (const call of all) {
          const decision = decide(policy, call, counters, nowMs);
          expect(decision).toEqual(referenceDecide(document as unknown as Json, call, counters, nowMs));
          const kind = /\/(require|deny_if|approve_if|limits)\//.exec(decision.rule)?.[1] ?? decision.rule;
          const reached = `${decision.outcome} ${kind}`;
          outcomes.set(reached, (outcomes.get(reached) ?? 0) + 1);
        }
      },
    ),
    runsOf(4_000),
  );
  // The generator is of use only while it reaches every row of the evaluation often.
  if (process.env.AMBIT_RUNS !== undefined) return;
  const rows = [
    "deny (hidden)",
    "deny (default deny)",
    "deny require",
    "deny deny_if",
    "deny (tool changed)",
  ];
  for (const row of [...rows, "deny limits", "limit limits", "hold approve_if", "allow "]) {
    expect(outcomes.get(row), row).toBeGreaterThan(100);
  }
});

it("decides the same for a document, its JSON, and what was compiled of either, however often", () => {
  fc.assert(
    fc.property(documents, calls, times, fc.nat(1000), (document, call, nowMs, salt) => {
      const counters = countersFrom(salt);
      const before = JSON.stringify([document, call]);
      const policy = compile(document);
      const first = decide(policy, call, counters, nowMs);
      expect(decide(policy, call, counters, nowMs)).toEqual(first);
      expect(decide(compile({ text: JSON.stringify(document) }), call, counters, nowMs)).toEqual(first);
      expect(decide(document as unknown as PolicyDocument, call, counters, nowMs)).toEqual(first);
      expect(JSON.stringify([document, call])).toBe(before);
    }),
    runsOf(500),
  );
});

it("accepts what the reference understands, and lists a tool exactly when a call of it can be allowed for some document", () => {
  fc.assert(
    fc.property(documents, calls, (document, call) => {
      expect(validate(document)).toMatchObject({ valid: true, problems: [] });
      const rule = referenceDecide(document as unknown as Json, call, () => 0, 0).rule;
      expect(compile(document).lists(call.tool)).toBe(rule !== "(hidden)" && rule !== "(default deny)");
    }),
    runsOf(1_000),
  );
});

it("takes anything for a document without failing otherwise than by saying what is wrong", () => {
  /** A valid document in which one value, anywhere, is another one. */
  const broken = fc.tuple(documents, fc.nat(), anyJson).map(([document, nth, value]) => {
    let count = 0;
    const total = JSON.stringify(document).split(/[:,[]/).length;
    return JSON.parse(JSON.stringify(document), (_, one) =>
      count++ === nth % total ? value : one,
    ) as unknown;
  });
  fc.assert(
    fc.property(fc.oneof(broken, anyJson), calls, (document, call) => {
      const { valid, problems } = validate(document);
      expect(valid).toBe(problems.length === 0);
      if (valid) {
        const decision = decide(compile(document), call, () => 0, 1);
        expect(decision).toEqual(referenceDecide(document as Json, call, () => 0, 1));
      } else {
        expect(() => compile(document)).toThrow(PolicyInvalid);
        for (const { pointer } of problems) expect(pointer).toMatch(/^(?:\/|$)/);
      }
    }),
    runsOf(3_000),
  );
});
