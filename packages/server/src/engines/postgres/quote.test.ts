import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { quoteIdent, quoteLiteral } from "./quote.ts";

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client({ ...inject("postgres"), database: "postgres" });
  await client.connect();
});
afterAll(() => client.end());

// Text as Postgres can hold it: valid Unicode without null characters.
const text = fc
  .array(
    fc.oneof(fc.constantFrom("'", "\\", '"', ";", "--", "\n", "$$", "E'"), fc.string({ unit: "binary" })),
  )
  .map((parts) => parts.join("").replaceAll("\0", ""));

test.each(["on", "off"])(
  "a literal comes back unchanged with standard_conforming_strings %s",
  async (setting) => {
    await client.query(`set standard_conforming_strings = ${setting}`);
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows } = await client.query(`select 1 as x,${quoteLiteral(value)}::text as value`);
        expect(rows[0].value).toBe(value);
      }),
      { numRuns: 200 },
    );
  },
);

test("an identifier comes back unchanged", async () => {
  const name = text.filter((value) => value !== "" && Buffer.byteLength(value) <= 63);
  await fc.assert(
    fc.asyncProperty(name, async (value) => {
      const { fields } = await client.query(`select 1 as ${quoteIdent(value)}`);
      expect(fields[0]?.name).toBe(value);
    }),
    { numRuns: 200 },
  );
});

test("what Postgres would change or cannot hold is refused", () => {
  expect(quoteIdent('a"b')).toBe('"a""b"');
  expect(() => quoteIdent("")).toThrow(RangeError);
  expect(() => quoteIdent("é".repeat(32))).toThrow(RangeError);
  expect(() => quoteIdent("a\0b")).toThrow(RangeError);
  expect(() => quoteLiteral("a\0b")).toThrow(RangeError);
});
