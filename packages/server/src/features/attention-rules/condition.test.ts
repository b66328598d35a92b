import { describe, expect, it } from "vitest";
import type { Json } from "../ledger/service.ts";
import { readCondition } from "./condition.ts";
import { limits } from "./limits.ts";

const row = (condition: Json) => readCondition("row_query", condition);

describe("readCondition", () => {
  it("reads a query, and takes JSON-Logic alone for one over entities", () => {
    const where = { "==": [{ var: "status" }, "overdue"] };
    expect(row({ from: "commitments", where, status: "confirmed", limit: 5 })).toEqual({
      ...{ mode: "row_query", from: "commitments", type: null, status: "confirmed", logic: where, limit: 5 },
    });
    expect(row(where)).toMatchObject({ from: "entities", logic: where, limit: limits.bindings });
    expect(row({ from: "decisions" })).toMatchObject({ logic: true });
    expect(row({ where, type: "person" })).toMatchObject({ from: "entities", type: "person" });
    expect(readCondition("snapshot_predicate", where)).toEqual({ mode: "snapshot_predicate", logic: where });
  });

  it.each<Json>([
    { from: "pg_shadow" },
    { from: "constructor" },
    { from: 3 },
    { from: "entities", limit: 0 },
    { from: "entities", limit: 1.5 },
    { from: "entities", limit: limits.bindings + 1 },
    { from: "entities", where: { eval: [1] } },
    { from: "entities", sort: "name" },
    { from: "entities", type: 3 },
    { from: "entities", status: "" },
    { sql: "select 1" },
  ])("refuses %j", (condition) => {
    expect(() => row(condition)).toThrow(expect.objectContaining({ code: "RULE_CONDITION_INVALID" }));
  });

  it("has no query in a predicate over a snapshot", () => {
    expect(() => readCondition("snapshot_predicate", { from: "entities", where: true })).toThrow();
  });
});
