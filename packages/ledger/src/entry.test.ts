import { createHmac, randomBytes } from "node:crypto";
import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalText } from "./canonical.ts";
import { commit, newOpening, opens } from "./commitment.ts";
import { canonicalEntry, isCanonical, parseEntry } from "./entry.ts";
import type { LedgerErrorCode } from "./errors.ts";
import { limits } from "./limits.ts";
import { bytesOf, leafOf } from "./testing/log.ts";
import type { Json } from "./types.ts";

const code = (wanted: LedgerErrorCode) => expect.objectContaining({ name: "LedgerError", code: wanted });
const { entry } = leafOf(7);
const json = fc.jsonValue({ maxDepth: 5 }).filter((value) => JSON.stringify(value).isWellFormed());
const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)]);

describe("canonical text", () => {
  it("is that of RFC 8785", () => {
    const sample = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    );
    expect(canonicalText(sample)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    const sorted = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\u{1f600}": 5, "\u0080": 6, "\u00f6": 7 };
    expect(Object.values(JSON.parse(canonicalText(sorted)))).toHaveLength(7);
    const order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\u{1f600}", "\ufb33"];
    const places = order.map((key) => canonicalText(sorted).indexOf(JSON.stringify(key)));
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    expect(canonicalText({ b: -0, a: [1e21, 1e-7, 100] })).toBe('{"a":[1e+21,1e-7,100],"b":0}');
  });

  it("is known again, and nothing else of the same meaning is taken for it", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalText(value as Json);
        expect(isCanonical(text)).toBe(true);
        const loose = JSON.stringify(value, null, 1);
        expect(isCanonical(loose)).toBe(loose === text);
        expect(isCanonical(JSON.stringify(value))).toBe(JSON.stringify(value) === text);
      }),
      { numRuns: 2_000, seed: 4 },
    );
    for (const text of ['{"10":1,"9":2}', '{"\\\\ud":1}', '["\\b\\u000b"]', '{"__proto__":1,"a":{}}'])
      expect([text, isCanonical(text)]).toEqual([text, true]);
    const wrong = [
      '{"9":2,"10":1}',
      '{"a":1,"a":1}',
      '{"a":1,"a":2}',
      '{"b":1,"a":1}',
      '{"a":1.0}',
      "-0",
      "1E3",
      "1e400",
      '"\\u0041"',
      '"\\u000B"',
      '"\\/"',
      '"\\ud800"',
      '"\ud800"',
      " 1",
      "1\n",
      "[1, 2]",
      "{",
      "",
      "[".repeat(50_000) + "]".repeat(50_000),
    ];
    for (const text of wrong)
      expect([text.slice(0, 20), isCanonical(text)]).toEqual([text.slice(0, 20), false]);
  });

  it("is not made of what JSON can't hold, and the place is named", () => {
    class Thing {}
    const wrong: [unknown, RegExp][] = [
      [{ a: [1, { b: Number.NaN }] }, /^The value\.a\[1\]\.b is NaN\.$/],
      [{ a: -Infinity }, /\.a is -Infinity/],
      [{ a: undefined }, /\.a is undefined/],
      [new Array(2), /\[0\] is undefined/],
      [{ a: 1n }, /\.a is a bigint/],
      [{ a: () => 1 }, /\.a is a function/],
      [{ a: Symbol("x") }, /\.a is a symbol/],
      [{ a: "x\ud800" }, /\.a has half of a surrogate pair/],
      [{ "\udc00": 1 }, /has half of a surrogate pair in its name/],
      [{ a: new Date(0) }, /\.a is not a plain object/],
      [{ a: new Thing() }, /\.a is not a plain object/],
      [nested(limits.depth + 1), /nested deeper than 100 levels/],
      [nested(5_000), /nested deeper/],
    ];
    for (const [value, message] of wrong) {
      expect(() => canonicalText(value as Json)).toThrow(code("not_canonical"));
      expect(() => canonicalText(value as Json)).toThrow(message);
    }
    expect(canonicalText(nested(limits.depth))).toContain("1");
  });
});

describe("entries", () => {
  it("are written in canonical form and read back", () => {
    const text = canonicalEntry(entry);
    expect(text).toBe(canonicalize(entry));
    expect(
      text.startsWith('{"actor":{"account":"acc_1","id":"key_1","type":"agent"},"app":null,"at":"2026-'),
    ).toBe(true);
    expect(parseEntry(text)).toEqual(entry);
    expect(isCanonical(text)).toBe(true);
  });

  it("are refused with a word on what is wrong", () => {
    const { org: _org, ...without } = entry;
    const wrong: [unknown, RegExp][] = [
      [[], /not an object/],
      [null, /not an object/],
      [without, /has no org/],
      [{ ...entry, v: 2 }, /v is not 1/],
      [{ ...entry, id: "led_1" }, /id is not led_ and a ULID/],
      [{ ...entry, id: entry.id.toUpperCase() }, /id is not/],
      [{ ...entry, at: "2026-01-01T00:00:00Z" }, /at is not an instant/],
      [{ ...entry, at: "2026-13-01T00:00:00.000Z" }, /at is not an instant/],
      [{ ...entry, kind: "" }, /kind is not a text/],
      [{ ...entry, kind: "x".repeat(201) }, /kind is not a text/],
      [{ ...entry, app: 1 }, /app is not a text or null/],
      [{ ...entry, data: [] }, /data is not an object/],
      [{ ...entry, sealed: null }, /sealed is not an object/],
      [{ ...entry, sealed: { x: "short" } }, /sealed as "x" is not a commitment/],
      [{ ...entry, more: 1 }, /unknown field "more"/],
      [{ ...entry, actor: { type: "robot", id: null } }, /actor's type/],
      [{ ...entry, actor: { type: "agent" } }, /no type, or no id/],
      [{ ...entry, actor: { type: "agent", id: 1 } }, /actor's id/],
      [{ ...entry, actor: { type: "agent", id: null, name: "x" } }, /unknown field "name"/],
    ];
    for (const [value, message] of wrong) {
      expect(() => parseEntry(JSON.stringify(value))).toThrow(code("entry_malformed"));
      expect(() => parseEntry(JSON.stringify(value))).toThrow(message);
      expect(() => canonicalEntry(value as never)).toThrow(message);
    }
    expect(() => parseEntry("{")).toThrow(/not JSON/);
    expect(() => canonicalEntry({ ...entry, data: { a: { b: undefined } } as never })).toThrow(
      /\.data\.a\.b is undef/,
    );
  });
});

describe("commitments", () => {
  it("are HMAC-SHA-256 over name and value, keyed with the salt", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), json, (name, value) => {
        const salt = bytesOf(name);
        const expected = createHmac("sha256", salt)
          .update(name)
          .update(Buffer.from([0]))
          .update(canonicalize(value)!)
          .digest("base64url");
        expect(commit(name, value as Json, salt)).toBe(expected);
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  it("open with what they were made of and nothing else", () => {
    const opening = newOpening({ b: 1, a: "x" }, randomBytes);
    const commitment = commit("payload", opening.value, Buffer.from(opening.salt, "base64"));
    expect(opens(commitment, "payload", { ...opening, value: { a: "x", b: 1 } })).toBe(true);
    expect(newOpening(1, randomBytes).salt).not.toBe(newOpening(1, randomBytes).salt);
    const wrong: [string, unknown][] = [
      ["result", opening],
      ["payload", { ...opening, value: { a: "x", b: 2 } }],
      ["payload", { ...opening, salt: randomBytes(32).toString("base64") }],
      ["payload", { ...opening, salt: randomBytes(16).toString("base64") }],
      ["payload", { ...opening, salt: 7 }],
      ["payload", { salt: opening.salt }],
      ["payload", null],
      ["payload", "text"],
    ];
    for (const [name, given] of wrong) expect(opens(commitment, name, given as never)).toBe(false);
    expect(() => commit("x", 1, Buffer.alloc(16))).toThrow(/32 bytes/);
  });
});
