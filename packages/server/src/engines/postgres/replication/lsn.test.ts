import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { earlierLsn, formatLsn, laterLsn, parseLsn } from "./lsn.ts";

const lsn = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });

describe("log sequence numbers", () => {
  it("are read and printed as Postgres does", () => {
    expect(parseLsn("0/16B3748")).toBe(23_803_720n);
    expect(formatLsn(0x1_0000_0000n)).toBe("1/0");
    expect(parseLsn("ffffffff/FFFFFFFF")).toBe(0xffff_ffff_ffff_ffffn);
    fc.assert(fc.property(lsn, (position) => parseLsn(formatLsn(position)) === position));
  });

  it("are refused in any other form", () => {
    for (const text of ["", "0", "/", "0/", "0/123456789", "g/0", "0x1/0", " 0/1", "0/1/2", "-1/0"]) {
      expect(() => parseLsn(text), text).toThrow(RangeError);
    }
  });

  it("are compared as numbers", () => {
    expect(laterLsn(parseLsn("9/0"), parseLsn("10/0"))).toBe(parseLsn("10/0"));
    expect(earlierLsn(parseLsn("9/0"), parseLsn("10/0"))).toBe(parseLsn("9/0"));
  });
});
