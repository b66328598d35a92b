import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonRefusal } from "./errors.ts";
import { readJson, strictParse } from "./json.ts";
import { runsOf } from "./testing/helpers.ts";
import { isStrictJson } from "./testing/strict-json.ts";

const found = (text: string, bounds?: Parameters<typeof readJson>[1]) =>
  readJson(text, bounds).problems.map(({ code, pointer }) => `${code} ${pointer}`);

describe("what is refused", () => {
  it.each([
    ['{"a":1,"a":1}', ["duplicate_key /a"]],
    ['{"a":1,"\\u0061":2}', ["duplicate_key /a"]],
    ['{"x/y":{"k":[0,{"~":1,"\\u007e":2}]}}', ["duplicate_key /x~1y/k/1/~0"]],
    ['{"__proto__":1,"__proto__":2}', ["duplicate_key /__proto__"]],
    ['{"":1,"":2}', ["duplicate_key /"]],
    ['[{"a":1},{"a":1}]', []],
    ['{"a":{"a":{"a":1}},"b":{"a":1}}', []],
    ["[1e999]", ["inexact_number /0"]],
    ["[1,-1e999,1E-999]", ["inexact_number /1", "inexact_number /2"]],
    ["9007199254740993", ["inexact_number "]],
    ['{"n":9007199254740992}', []],
    ["[0.1,0.30000000000000004,1.0,1e2,1E+2,12e-1,-0,0e9999,5e-324,1.7976931348623157e308]", []],
    ["0.1000000000000000055511151231257827", ["inexact_number "]],
    ["123456789012345678901234567890", ["inexact_number "]],
    ["100000000000000000000000000000", []],
    ["[12345678901234567]", ["inexact_number /0"]],
    ['"\\ud800"', ["lone_surrogate "]],
    ['{"a":"\\udc00\\ud800"}', ["lone_surrogate /a", "lone_surrogate /a"]],
    ['"\\udc00\\udc00"', ["lone_surrogate ", "lone_surrogate "]],
    ['"\\udbff\\udfff\\ud7ff\\ue000"', []],
    ['{"o":{"\\ud800":1}}', ["lone_surrogate /o"]],
    ['["\ud800"]', ["lone_surrogate /0"]],
    ['["\ud83d\\ude00"]', ["lone_surrogate /0", "lone_surrogate /0"]],
    ['["\\ud83d\\ude00","\u{1f600}","\\\\ud800"]', []],
    ["\ufeff{}", ["byte_order_mark "]],
    ["", ["not_json "]],
    ["{} {}", ["not_json "]],
    ["{'a':1}", ["not_json "]],
    ["[1,]", ["not_json "]],
    ['["\\x41"]', ["not_json "]],
    ['["\\u00g0"]', ["not_json "]],
    ['["a\nb"]', ["not_json "]],
    ["[01]", ["not_json "]],
    ["[NaN]", ["not_json "]],
    ["[+1]", ["not_json "]],
    ["/* */ {}", ["not_json "]],
  ])("%s", (text, problems) => {
    expect(found(text)).toEqual(problems);
  });

  it("finds duplicates in objects of any size, and does not mix objects up", () => {
    const keys = Array.from({ length: 40 }, (_, nth) => `k${nth}`);
    const object = (names: string[]) => `{${names.map((name) => `"${name}":{"k0":1,"k1":[]}`).join()}}`;
    expect(found(object(keys))).toEqual([]);
    for (const nth of [0, 5, 12, 39]) {
      expect(found(object([...keys, keys[nth]!]))).toEqual([`duplicate_key /k${nth}`]);
    }
    expect(found(`[${object(keys)},${object(keys)}]`)).toEqual([]);
  });

  it("is nested or large beyond its bounds", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(found(nested(128))).toEqual([]);
    expect(found(nested(129))[0]).toMatch(/^too_deep /);
    expect(found('{"a":{"b":[]}}', { maxDepth: 2 })).toEqual(["too_deep /a/b"]);
    expect(found(nested(1_000_000))).toHaveLength(1);
    expect(found('"1234567"', { maxBytes: 9 })).toEqual([]);
    expect(found('"12345678"', { maxBytes: 9 })).toEqual(["too_large "]);
    expect(found('"é€\u{1f600}"', { maxBytes: 11 })).toEqual([]);
    expect(found('"é€\u{1f600}"', { maxBytes: 10 })).toEqual(["too_large "]);
  });

  it("is thrown with a code, a place, and nothing of what was sent", () => {
    expect(strictParse('{"a":[1,"x"]}')).toEqual({ a: [1, "x"] });
    const refusal = (text: string) => {
      try {
        return strictParse(text);
      } catch (error) {
        return error;
      }
    };
    expect(refusal('{"b":{"a":1,"a":2}}')).toBeInstanceOf(JsonRefusal);
    expect(refusal('{"b":{"a":1,"a":2}}')).toMatchObject({ code: "duplicate_key", pointer: "/b/a" });
    for (const text of [
      '{"password":"hunter2"',
      '{"hunter2"}',
      "[hunter2]",
      'hunter2{"a":1}',
      '{"a":hunter2}',
    ]) {
      expect(refusal(text)).toMatchObject({
        code: "not_json",
        message: expect.not.stringContaining("hunter2"),
      });
    }
  });
});

describe("against other readers", () => {
  it("takes whatever JSON.stringify writes, and gives it back", () => {
    const sound = (value: unknown) =>
      JSON.stringify(value) === JSON.stringify(JSON.parse(JSON.stringify(value)));
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: "binary" }), (value) => {
        fc.pre(sound(value));
        const text = JSON.stringify(value);
        expect(readJson(text)).toEqual({ ok: true, value: JSON.parse(text), problems: [] });
      }),
      runsOf(2_000),
    );
  });

  /** Texts that are JSON or nearly: keys that repeat under another spelling, odd numbers, halves of pairs, stray marks. */
  const piece = fc.constantFrom(
    '"a"',
    '"\\u0061"',
    '"b"',
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"\ud83d"',
    '"\\n\\\\"',
    '""',
  );
  const number = fc.oneof(
    fc.constantFrom(
      "0",
      "-0",
      "1e999",
      "1e-400",
      "9007199254740993",
      "1.0",
      "0.1",
      "1e21",
      "5E-324",
      "-1.50e+3",
      "01",
    ),
    fc
      .tuple(fc.bigInt({ min: -(10n ** 22n), max: 10n ** 22n }), fc.integer({ min: -330, max: 310 }))
      .map(([digits, power]) => `${digits}e${power}`),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.stringMatching(/^-?[1-9]\d{0,20}\.\d{1,20}$/),
  );
  const texts = fc.letrec<{ text: string }>((tie) => ({
    text: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.oneof(piece, number, fc.constantFrom("true", "null", " false ", "nul", "\ufeff1")),
      fc.array(tie("text"), { maxLength: 4 }).map((all) => `[${all.join(", ")}]`),
      fc
        .array(fc.tuple(piece, tie("text")), { maxLength: 4 })
        .map((all) => `{${all.map(([k, v]) => `${k} :${v}`).join()}}`),
    ),
  })).text;

  it("takes exactly what a strict reader of another make takes", () => {
    let taken = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const reading = readJson(text, { maxDepth: 4 });
        expect(reading.ok).toBe(isStrictJson(text, 4));
        if (!reading.ok) return;
        taken++;
        expect(reading.value).toEqual(JSON.parse(text));
        // Whoever gets it written anew reads the same, and finds nothing to refuse.
        const again = JSON.stringify(reading.value);
        expect(JSON.stringify(strictParse(again))).toBe(again);
      }),
      runsOf(5_000),
    );
    if (process.env.AMBIT_RUNS === undefined) expect(taken).toBeGreaterThan(500);
  });

  it("never fails otherwise than by refusing, and takes no more than JSON.parse does", () => {
    const mutated = fc
      .tuple(
        texts,
        fc.nat(),
        fc.constantFrom("", "{", "}", "[", "]", '"', "\\", ",", ":", "e", "-", "\u0000", "\ud800"),
      )
      .map(([text, place, mark]) => {
        const at = place % (text.length + 1);
        return text.slice(0, at) + mark + text.slice(at + 1);
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string({ unit: "binary" })), (text) => {
        const reading = readJson(text);
        expect(reading.ok).toBe(isStrictJson(text, 128));
        if (reading.ok) expect(reading.value).toEqual(JSON.parse(text));
      }),
      runsOf(5_000),
    );
  });
});

it("takes time in proportion to the text, whatever is in it", () => {
  const size = 200_000;
  const hostile = [
    `[${"9".repeat(size)}]`,
    `[0.${"0".repeat(size)}1]`,
    `[1${"0".repeat(300)}.${"0".repeat(size)}]`,
    `"${"\\\\".repeat(size)}"`,
    `"${"\\ud800".repeat(size / 6)}"`,
    `{${Array.from({ length: size / 10 }, (_, nth) => `"k${nth}":1`).join()}}`,
    `{${Array.from({ length: size / 6 }, () => '"k":1').join()}}`,
    "[".repeat(size),
    `[${'{"a":'.repeat(100)}1${"}".repeat(100)}]`,
  ];
  const started = performance.now();
  for (const text of hostile) readJson(text);
  expect(performance.now() - started).toBeLessThan(2_000);
});
