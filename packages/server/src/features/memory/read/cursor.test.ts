import fc from "fast-check";
import { expect, it } from "vitest";
import { AmbitError } from "../../../kernel/errors.ts";
import { decodeCursor, decodePlace, encodeCursor, encodePlace, FIRST_PLACE } from "./cursor.ts";

it("what a page gave leads to where it ended", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }),
      fc.string(),
      (at, id) => {
        const row = { updated_at: at.toISOString(), id: id.replaceAll("\0", "") };
        fc.pre(row.id.isWellFormed());
        expect(decodePlace(encodePlace(row))).toEqual({ at: row.updated_at, id: row.id });
      },
    ),
  );
  expect(decodePlace(undefined)).toBe(FIRST_PLACE);
  expect(decodePlace("2026-01-02T03:04:05+01:00")).toEqual({ at: "2026-01-02T02:04:05.000Z", id: "" });
});

it("anything else is refused by name", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json().map((text) => Buffer.from(text).toString("base64url")),
    fc.constantFrom(
      "0000-01-01T00:00:00Z",
      "2026-99-01T00:00:00Z",
      encodeCursor(["2026-02-30T99:00:00Z", "x"]),
    ),
    fc.constantFrom(encodeCursor([1, "x"]), encodeCursor(["2026-01-01T00:00:00Z", "a\0b"]), encodeCursor([])),
  );
  const wrong = (read: () => unknown) => {
    try {
      read();
      return false;
    } catch (error) {
      expect((error as AmbitError).code).toBe("MEMORY_CURSOR_INVALID");
      expect(error).toBeInstanceOf(AmbitError);
      return true;
    }
  };
  let refused = 0;
  fc.assert(
    fc.property(texts, (text) => {
      if (wrong(() => decodePlace(text))) refused += 1;
      wrong(() => decodeCursor(text, ["number", "time", "string", "number"]));
    }),
  );
  expect(refused).toBeGreaterThan(50);
});
