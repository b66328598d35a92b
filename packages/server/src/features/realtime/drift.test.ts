import { describe, expect, it } from "vitest";
import { mendsFor } from "./drift.ts";
import type { RecordedTable, TableFacts } from "./store.ts";

const recorded = (table_name: string, table_oid: number): RecordedTable => ({
  table_name,
  table_oid,
  created_at: new Date(0),
  updated_at: new Date(0),
});
const facts = (name: string, oid: number, more: Partial<TableFacts> = {}): TableFacts => ({
  oid,
  name,
  hasKey: true,
  rls: true,
  full: true,
  published: true,
  ...more,
});

describe("mendsFor", () => {
  it("leaves alone what agrees", () => {
    expect(mendsFor([recorded("a", 1)], [facts("a", 1), facts("b", 2)])).toEqual([]);
  });

  it("follows a renamed table", () => {
    const to = facts("b", 1);
    expect(mendsFor([recorded("a", 1)], [to])).toEqual([{ kind: "rename", name: "a", to }]);
  });

  it("switches on again what was made anew, lost its replica identity or left the publication", () => {
    for (const table of [
      facts("a", 2, { published: false, full: false }),
      facts("a", 1, { full: false }),
      facts("a", 1, { published: false }),
    ]) {
      expect(mendsFor([recorded("a", 1)], [table])).toEqual([{ kind: "enable", table }]);
    }
  });

  it("forgets what is gone or has no key any more", () => {
    expect(mendsFor([recorded("a", 1)], [])).toEqual([{ kind: "forget", name: "a" }]);
    expect(mendsFor([recorded("a", 1)], [facts("a", 1, { hasKey: false })])).toEqual([
      { kind: "forget", name: "a" },
    ]);
  });
});
