import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ReadScope } from "../memory/service.ts";
import type { RowFacts, SubstrateChange } from "./changes.ts";
import { parseCursor, tagOf } from "./cursor.ts";
import { movesLinks, opFor } from "./visibility.ts";

const facts = (kind: string | null, subtype: string | null = null, sourceAppId: string | null = null) =>
  ({ kind, subtype, sourceAppId }) satisfies RowFacts;
const change = (tbl: string, before: RowFacts | null, after: RowFacts | null): SubstrateChange => ({
  ...{ organizationId: "o", tbl, id: "x", before, after, place: "" },
  op: before === null ? "insert" : after === null ? "delete" : "update",
});

describe("opFor", () => {
  const people: ReadScope = { appId: "app_a", kinds: ["entity"], entityTypes: ["person"] };
  const own: ReadScope = { appId: "app_a", ownOnly: true };

  it("shows whoever sees everything what was done", () => {
    for (const tbl of ["entities", "action_ledger", "approvals", "attention_rules"]) {
      expect(opFor(change(tbl, null, facts(null)), null)).toBe("insert");
      expect(opFor(change(tbl, facts(null), facts(null)), null)).toBe("update");
      expect(opFor(change(tbl, facts(null), null), null)).toBe("delete");
    }
  });

  it("shows an app what its link lets it see, and what comes into it or goes", () => {
    const [person, company] = [facts("entity", "person"), facts("entity", "company")];
    expect(opFor(change("entities", null, person), people)).toBe("insert");
    expect(opFor(change("entities", null, company), people)).toBeNull();
    expect(opFor(change("entities", company, person), people)).toBe("insert");
    expect(opFor(change("entities", person, company), people)).toBe("delete");
    expect(opFor(change("entities", person, null), people)).toBe("delete");
    expect(opFor(change("entities", company, null), people)).toBeNull();
    expect(opFor(change("decisions", null, facts("decision", "strategic")), people)).toBeNull();
    expect(opFor(change("decisions", null, facts("decision", "x", "app_a")), own)).toBe("insert");
    expect(opFor(change("decisions", null, facts("decision", "x", "app_b")), own)).toBeNull();
    expect(opFor(change("decisions", null, facts("decision", "x")), own)).toBeNull();
  });

  it("shows an app a link only with both records it joins", () => {
    const scope: ReadScope = { appId: "app_a", entityTypes: ["person"] };
    const [person, company] = [facts("entity", "person"), facts("entity", "company")];
    const link = (...ends: (RowFacts | null)[]): RowFacts => ({ ...facts("link", "knows"), ends });
    const shown = (of: ReadScope | null, ...ends: (RowFacts | null)[]) =>
      opFor(change("links", null, link(...ends)), of);
    expect(shown(scope, person, person)).toBe("insert");
    expect(shown(scope, person, facts("decision"))).toBe("insert");
    expect(shown(scope, person, company)).toBeNull();
    expect(shown(scope, person, null)).toBeNull();
    expect(opFor(change("links", null, facts("link")), scope)).toBeNull();
    expect(opFor(change("links", null, facts("link")), { appId: "app_a" })).toBe("insert");
    expect(shown({ appId: "app_a", kinds: ["entity"] }, person, person)).toBeNull();
    expect(shown({ appId: "app_a", kinds: ["link"] }, person, person)).toBeNull();
    expect(opFor(change("links", link(person, person), link(person, company)), scope)).toBe("delete");
    const leaves = change("entities", person, company);
    expect(movesLinks(leaves, opFor(leaves, scope)!, scope)).toBe(true);
    expect(movesLinks(leaves, "delete", { ...scope, kinds: ["entity"] })).toBe(false);
    expect(movesLinks(change("entities", person, null), "delete", scope)).toBe(false);
  });

  it("shows an app the actions it proposed, and nothing of rules, firings and approvals", () => {
    const open: ReadScope = { appId: "app_a" };
    expect(opFor(change("action_ledger", null, facts(null, null, "app_a")), open)).toBe("insert");
    expect(opFor(change("action_ledger", null, facts(null, null, "app_b")), open)).toBeNull();
    for (const tbl of ["attention_rules", "attention_rule_firings", "approvals"])
      expect(opFor(change(tbl, null, facts(null)), open)).toBeNull();
  });

  it("never lets a deleted row through that is not known to have been visible", () => {
    const kinds = fc.constantFrom("entity", "decision", "link", null);
    fc.assert(
      fc.property(kinds, fc.constantFrom(people, own), (kind, scope) => {
        expect(opFor(change("entities", facts(kind), null), scope)).toBeNull();
      }),
    );
  });
});

describe("cursors", () => {
  it("tell scopes apart, whatever the order they are written in", () => {
    const scope: ReadScope = { appId: "a", kinds: ["entity", "decision"], entityTypes: ["x", "y"] };
    const tags = [
      tagOf(null),
      tagOf(scope),
      tagOf({ ...scope, appId: "b" }),
      tagOf({ ...scope, kinds: ["entity"] }),
      tagOf({ ...scope, ownOnly: true }),
      tagOf({ appId: "a", kinds: ["entity", "decision"] }),
      tagOf({ appId: "a", kinds: [] }),
      tagOf({ appId: "a" }),
    ];
    expect(new Set(tags).size).toBe(tags.length);
    expect(tagOf({ ...scope, kinds: ["decision", "entity"], ownOnly: false })).toBe(tagOf(scope));
  });

  it("are read only in the one form", () => {
    const good = "AbC_-9.all.0123456789ABCDEF-00000001";
    expect(parseCursor(good)).toEqual({ epoch: "AbC_-9", tag: "all", place: "0123456789ABCDEF-00000001" });
    fc.assert(fc.property(fc.string(), (text) => parseCursor(text) === null));
    for (const bad of ["", `${good}0`, good.toLowerCase(), good.replace(".all", ""), `x${good} `])
      expect(parseCursor(bad)).toBeNull();
  });
});
