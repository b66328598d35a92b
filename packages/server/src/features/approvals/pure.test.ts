import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newSortableId } from "../../kernel/ids.ts";
import type { JsonObject } from "../ledger/service.ts";
import { inert } from "./letter.ts";
import { previewHash } from "./preview.ts";
import { kindsFor } from "./visibility.ts";

const json = fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()) as fc.Arbitrary<JsonObject>;
/** The same value with every object's fields in another order. */
function turned(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(turned);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, each]) => [name, turned(each)]),
  );
}

describe("a preview's name", () => {
  const never = { fromMs: 0, toMs: 0 };

  it("does not depend on the order of fields, and tells any two other values apart", () => {
    fc.assert(
      fc.property(json, json, (one, two) => {
        const hash = previewHash(one, never);
        expect(previewHash(turned(one) as JsonObject, never)).toBe(hash);
        const plain = [one, two].map((value) => JSON.parse(JSON.stringify(value)));
        const equal = isDeepStrictEqual(plain[0], plain[1]);
        expect(previewHash(two, never) === hash).toBe(equal);
      }),
      { seed: 7, numRuns: 1_000 },
    );
  });

  it("passes over ids and times that computing it made, and over nothing else", () => {
    const made = (nowMs: number, existing: string): JsonObject => {
      const [entity, other] = [newSortableId("ent", nowMs), newSortableId("ent", nowMs)];
      const at = new Date(nowMs).toISOString();
      return { result: { entity }, links: [entity, other, existing], note: `made ${other} at ${at}` };
    };
    const computed = (nowMs: number) => ({ fromMs: nowMs, toMs: nowMs + 5 });
    const existing = newSortableId("ent", 1_000);
    const hash = previewHash(made(50_000, existing), computed(50_000));
    expect(previewHash(made(90_000, existing), computed(90_000))).toBe(hash);
    expect(previewHash(made(90_000, newSortableId("ent", 2_000)), computed(90_000))).not.toBe(hash);
    // Which of the new ids stands where is part of what it means.
    const swapped = made(90_000, existing) as { links: string[] } & JsonObject;
    swapped.links.reverse();
    expect(previewHash(swapped, computed(90_000))).not.toBe(hash);
    expect(previewHash(made(90_000, existing), computed(95_000))).not.toBe(hash);
  });
});

describe("text of others in a mail", () => {
  it("is one line with nothing hidden and nothing to click", () => {
    expect(inert("pay\r\nnow\u202e at  https://evil.example/approve?x=1", 200)).toBe(
      "pay now\ufffd at https[:]//evil[.]example/approve?x=1",
    );
    expect(inert("abcdef", 4)).toBe("abc…");
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.integer({ min: 2, max: 100 }),
        (text, max) => {
          const line = inert(text, max);
          expect([...line].length).toBeLessThanOrEqual(max);
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}\n\r]|:\/\/|\w\.\w/u);
        },
      ),
      { seed: 3 },
    );
  });
});

describe("who sees which approvals", () => {
  it("substrate actions need the substrate's scope", () => {
    expect(kindsFor(["*"])).toEqual(["tool_call"]);
    expect(kindsFor(["*", "substrate"])).toEqual(["substrate_action", "tool_call"]);
  });
});
