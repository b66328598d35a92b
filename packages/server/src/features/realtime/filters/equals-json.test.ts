import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalsJson } from "./equals-json.ts";

describe("equalsJson", () => {
  it.each([
    [1, "1", true],
    [1, '"1"', true],
    ["1", "1", true],
    ["1", '"1"', true],
    ["01", '"1"', false],
    [1.5, "1.50", true],
    ["9007199254740993", "9007199254740993", true],
    ["9007199254740993", "9007199254740992", false],
    [1e21, "1000000000000000000000", true],
    [-0, "0", true],
    [-1, "1", false],
    [true, "true", true],
    ["true", "true", false],
    [null, "null", true],
    [null, '"null"', false],
    ["null", "null", false],
    ["", '""', true],
    ["a", '"b"', false],
    [{ a: [1, { b: null }] }, '{"a": [1, {"b": null}]}', true],
    [[1, 2], "[1, 3]", false],
  ])("%j and %s: %s", (wanted, text, equal) => expect(equalsJson(wanted, text)).toBe(equal));

  it("agrees with decimal arithmetic however a number is written", () => {
    const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat(6));
    const written = ([digits, scale]: [bigint, number], zeros: number): string => {
      const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, "0");
      const point = text.length - scale;
      const fraction = `${text.slice(point)}${"0".repeat(scale === 0 ? 0 : zeros)}`;
      return `${digits < 0n ? "-" : ""}${text.slice(0, point)}${fraction === "" ? "" : `.${fraction}`}`;
    };
    fc.assert(
      fc.property(decimal, decimal, fc.nat(4), (a, b, zeros) => {
        const same = a[0] * 10n ** BigInt(b[1]) === b[0] * 10n ** BigInt(a[1]);
        expect(equalsJson(written(a, 0), written(b, zeros))).toBe(same);
        expect(equalsJson(written(a, 0), written(a, zeros))).toBe(true);
      }),
    );
  });
});
