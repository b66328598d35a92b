import { expect, it } from "vitest";
import type { TableInfo } from "../schema/service.ts";
import { createTableSource, type Tables, tableOf } from "./tables.ts";
import { ORDERS } from "./testing/shop.ts";

/** A schema service whose readings end when the test says so. */
function slowSchema() {
  const readings: ((tables: Tables) => void)[] = [];
  let cached: Tables | null = new Map();
  return {
    readings,
    tables: async () => cached ?? new Promise<Tables>((resolve) => readings.push(resolve)),
    forget: () => (cached = null),
  };
}

const WITH_ORDERS: Tables = new Map<string, TableInfo>([["orders", ORDERS]]);
const settled = () => new Promise((resolve) => setImmediate(resolve));

it("reads at most one at a time, and one more for whoever missed something meanwhile", async () => {
  const schema = slowSchema();
  const source = createTableSource(schema);
  const find = () =>
    source.using("app", async (tables) => tableOf(tables, "orders").name).catch((error) => error.code);
  const early = find();
  await settled();
  expect(schema.readings).toHaveLength(1);
  const late = Array.from({ length: 50 }, find);
  await settled();
  schema.readings[0]!(new Map());
  expect(await early).toBe("VALIDATION_TABLE_NOT_FOUND");
  await settled();
  for (const finish of schema.readings.slice(1)) finish(WITH_ORDERS);
  expect(new Set(await Promise.all(late))).toEqual(new Set(["orders"]));
});

it("passes other errors on without reading again", async () => {
  const schema = slowSchema();
  const failing = createTableSource(schema).using("app", async () => {
    throw new Error("other");
  });
  await expect(failing).rejects.toThrow("other");
  expect(schema.readings).toHaveLength(0);
});
