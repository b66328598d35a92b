import { compile } from "@ambit/policy";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { calls, documents, times } from "../../../../policy/src/testing/generate.ts";
import { documentIn, hashOf, isIntact, isSame, textOf } from "./document.ts";

describe("a document's text", () => {
  it("is what was written, or the JSON of what was given", () => {
    expect(textOf(' {"version":"1"} ')).toBe(' {"version":"1"} ');
    expect(textOf({ version: "1", tools: { a: {} } })).toBe('{"version":"1","tools":{"a":{}}}');
    expect(textOf(5)).toBe("5");
    expect(textOf(JSON.parse('{"__proto__":1}'))).toBe('{"__proto__":1}');
  });

  it("is the same with other white space, and with nothing else", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.json({ maxDepth: 3 }), fc.nat(4), (a, b, indent) => {
        const spaced = JSON.stringify(JSON.parse(a), null, indent);
        expect(isSame(a, spaced)).toBe(true);
        expect(isSame(a, b)).toBe(JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b)));
      }),
    );
    for (const [a, b] of [
      ['{"a":1,"b":2}', '{"b":2,"a":1}'],
      ["1e999", "null"],
      ["1e999", "-1e999"],
      ["0", "-0"],
      ['{"__proto__":1}', "{}"],
      ["[1]", '["1"]'],
      ['{"0":1}', "[1]"],
    ]) {
      expect([a, b, isSame(a!, b!)]).toEqual([a, b, false]);
    }
  });

  it("that is the same decides the same", () => {
    const both = fc
      .tuple(documents, documents, fc.boolean())
      .map(([a, b, same]) => [a, same ? a : b] as const);
    fc.assert(
      fc.property(both, fc.array(calls, { minLength: 3, maxLength: 10 }), times, ([a, b], made, now) => {
        const [left, right] = [JSON.stringify(a, null, 1), JSON.stringify(b)];
        if (!isSame(left, right)) return;
        const [before, after] = [compile({ text: left }), compile({ text: right })];
        for (const call of made) expect(after.judge(call, now)).toEqual(before.judge(call, now));
      }),
    );
  });

  it("is known to be what was written, or not", () => {
    const stored = { document: "{}", document_sha256: hashOf("{}") };
    expect(isIntact(stored)).toBe(true);
    expect(isIntact({ ...stored, document: "{} " })).toBe(false);
    expect([documentIn('{"a":1}'), documentIn("{")]).toEqual([{ a: 1 }, "{"]);
  });
});
