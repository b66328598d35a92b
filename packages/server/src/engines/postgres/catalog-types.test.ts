import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { isCatalogType } from "./sql-guard/index.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());

it("knows every type of the catalogue, and leaves ordinary words free", async () => {
  const rows = await test.platform.database.query<{ typname: string }>(
    "select typname from pg_type where typnamespace = 'pg_catalog'::regnamespace",
  );
  expect(rows.length).toBeGreaterThan(300);
  expect(rows.map(({ typname }) => typname).filter((name) => !isCatalogType(name))).toEqual([]);
  for (const word of ["region", "registration", "status", "pgroup"]) expect(isCatalogType(word)).toBe(false);
});
