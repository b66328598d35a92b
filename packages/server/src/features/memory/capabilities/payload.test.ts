import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AmbitError } from "../../../kernel/errors.ts";
import type { JsonObject } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import { memoryCapabilities } from "./index.ts";
import { parsePayload, payloadSchema } from "./payload.ts";

const hits: string[] = [];
const capabilities = new Map(
  memoryCapabilities((spec) => (spec.type === "unheard_of" ? "there is no constraint unheard_of" : null)).map(
    (each) => [each.name, each],
  ),
);
const parse = (name: string, payload: unknown) =>
  parsePayload(capabilities.get(name)!, payload as JsonObject, (limit) => hits.push(limit));

function problems(name: string, payload: unknown): Record<string, string> {
  try {
    parse(name, payload);
    return {};
  } catch (error) {
    const { code, details } = error as AmbitError;
    expect(code).toBe("VALIDATION_INVALID_SCHEMA");
    return Object.fromEntries(
      (details as { path: string; message: string }[]).map((each) => [each.path, each.message]),
    );
  }
}

/** A payload of each capability with every field it has. */
const FULL: Record<string, JsonObject> = {
  record_decision: {
    ...{ title: "Ship", kind: "strategic", rationale: "Because", salience: "archival" },
    source_artifact_id: "art_01",
  },
  record_commitment: {
    ...{ description: "Pay", status: "confirmed", from_entity: "ent_01", to_entity: "ent_02", amount: 12.5 },
    ...{ unit: "EUR", due_at: "2027-02-01", source_artifact_id: "art_01", attrs: { a: [null, { b: 1 }] } },
  },
  record_learning: {
    ...{ title: "L", description: "D", resolution_taken: "R", related_decision_id: "dec_01" },
    source_artifact_id: "art_01",
  },
  upsert_entity: {
    ...{
      type: "person",
      display_name: "Ada",
      id: "ent_01",
      primary_email: " Ada@x.io ",
      canonical_keys: { no: 7 },
    },
    ...{ linked_app_user_id: "3f0c6f0e-8a0a-4b1e-9d5d-3a0c6f0e8a0a", linked_app_id: "app_1", attrs: {} },
  },
  update_entity: { id: "ent_01", display_name: "A", primary_email: null, attrs: { a: null } },
  patch_entity: {
    ...{ id: "ent_01", display_name: "A", primary_email: "a@b", attrs_patch: { a: null } },
    if_updated_at: "2027-01-01T00:00:00.123+02:00",
  },
  upsert_source_artifact: {
    ...{ kind: "mail", title: "T", id: "art_01", external_system: "gmail", external_id: "1", summary: "S" },
    ...{ content: "C", storage_object_id: "o", url: "https://x.io/1", attrs: {} },
    links: { entity_ids: ["ent_01", "ent_01"], project_tags: ["p", "p"] },
  },
  link_records: { from_id: "ent_01", to_id: "dec_01", relation: " took ", attrs: { a: 1 } },
  unlink_records: { from_id: "ent_01", to_id: "dec_01", relation: "took" },
  record_principle: {
    ...{ title: "P", applies_to: { capability: "record_commitment" }, rationale: "R", salience: "normal" },
    constraint_spec: { type: "max_per_week", params: { n: 3 }, effect: "approval" },
  },
  amend_principle: {
    ...{ principle_id: "dec_01", title: "P", applies_to: {}, rationale: "R", salience: "normal" },
    constraint_spec: { type: "max_per_week" },
  },
  supersede_decision: { old_decision_id: "dec_01", new_title: "N", kind: "vision", new_rationale: "R" },
  retire_principle: { principle_id: "dec_01", reason: "old" },
  delete_entity: { id: "ent_01", reason: "gone" },
  merge_entities: { loser_id: "ent_01", winner_id: "ent_02", reason: "same" },
};

describe("every capability", () => {
  it("is one of those there are to be", () => {
    expect([...capabilities.keys()].sort()).toEqual(Object.keys(FULL).sort());
  });

  it.each(Object.keys(FULL))(
    "%s reads all its fields, and what it has read once more to the same",
    (name) => {
      const stored = parse(name, FULL[name]);
      expect(Object.keys(stored).sort()).toEqual(Object.keys(FULL[name]!).sort());
      expect(parse(name, stored)).toEqual(stored);
      expect(JSON.parse(JSON.stringify(stored))).toEqual(stored);
    },
  );

  it.each(Object.keys(FULL))("%s refuses a field it has not, and names those it has", (name) => {
    const found = problems(name, { ...FULL[name], titel: "x", extra: null });
    expect(Object.keys(found).sort()).toEqual(["extra", "titel"]);
    const known = Object.keys(capabilities.get(name)!.payload.shape);
    for (const field of known) expect(found.titel).toContain(field);
  });

  it.each(Object.keys(FULL))("%s tells every field that is missing or of the wrong type", (name) => {
    const { required } = payloadSchema(capabilities.get(name)!) as { required?: string[] };
    if (required !== undefined) {
      expect(Object.keys(problems(name, {})).sort()).toEqual(expect.arrayContaining([...required].sort()));
    }
    const wrong = Object.fromEntries(Object.keys(FULL[name]!).map((field) => [field, false]));
    expect(Object.keys(problems(name, wrong)).sort()).toEqual(Object.keys(wrong).sort());
  });

  it.each(Object.keys(FULL))("%s answers anything with a payload or VALIDATION_INVALID_SCHEMA", (name) => {
    const fields = fc.constantFrom(...Object.keys(FULL[name]!));
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(FULL[name]!)));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(fields, value)), (payload) => {
        problems(name, payload);
      }),
      { numRuns: 200 },
    );
  });
});

describe("fields", () => {
  it("with null count as not sent, but where null takes something away", () => {
    expect(
      parse("record_decision", { title: "T", kind: "mission", rationale: null, source_artifact_id: null }),
    ).toEqual({
      ...{ title: "T", kind: "mission" },
      salience: "normal",
    });
    expect(problems("record_decision", { title: null, kind: "mission" })).toEqual({
      title: "is required (string)",
    });
    expect(parse("update_entity", { id: "ent_1", primary_email: null })).toEqual({
      id: "ent_1",
      primary_email: null,
    });
    expect(problems("patch_entity", { id: "ent_1", display_name: null })).toHaveProperty("display_name");
  });

  it("that are read in more than one form are stored in one", () => {
    const due = (due_at: string) =>
      parse("record_commitment", { description: "D", status: "broken", due_at }).due_at;
    expect(due("2028-02-29")).toBe("2028-02-29T00:00:00.000Z");
    expect(due("2027-05-01T12:00:00+02:00")).toBe("2027-05-01T10:00:00.000Z");
    expect(due("2027-05-01T12:00:00")).toBe("2027-05-01T12:00:00.000Z");
    const { primary_email, canonical_keys } = parse("upsert_entity", FULL.upsert_entity);
    expect({ primary_email, canonical_keys }).toEqual({
      primary_email: "Ada@x.io",
      canonical_keys: { no: "7" },
    });
    expect(parse("upsert_source_artifact", FULL.upsert_source_artifact).links).toEqual({
      entity_ids: ["ent_01"],
      project_tags: ["p"],
    });
    expect(
      parse("record_principle", { title: "P", applies_to: {}, constraint_spec: { type: "x" } }).salience,
    ).toBe("ambient");
  });

  it.each([
    ["record_commitment", { description: "D", status: "broken", due_at: "2027-02-30" }, "due_at"],
    ["record_commitment", { description: " ", status: "broken" }, "description"],
    ["record_commitment", { description: "D", status: "done" }, "status"],
    ["record_commitment", { description: "D", status: "broken", amount: "5" }, "amount"],
    ["record_commitment", { description: "D", status: "broken", attrs: [] }, "attrs"],
    ["upsert_entity", { type: "person", display_name: "A", primary_email: "no address" }, "primary_email"],
    [
      "upsert_entity",
      { type: "person", display_name: "A", canonical_keys: { email: "x" } },
      "canonical_keys.email",
    ],
    ["upsert_entity", { type: "person", display_name: "A", canonical_keys: { a: "" } }, "canonical_keys.a"],
    ["upsert_entity", { type: "person", display_name: "A", linked_app_user_id: "7" }, "linked_app_user_id"],
    ["upsert_source_artifact", { kind: "k", title: "T", url: "javascript:alert(1)" }, "url"],
    ["upsert_source_artifact", { kind: "k", title: "T", url: "/notes" }, "url"],
    ["upsert_source_artifact", { kind: "k", title: "T", links: { people: [] } }, "links.people"],
    ["upsert_source_artifact", { kind: "k", title: "T", external_id: "7" }, ""],
    ["update_entity", { id: "ent_1" }, ""],
    ["patch_entity", { id: "ent_1", if_updated_at: "2027-01-01T00:00:00Z" }, ""],
    ["amend_principle", { principle_id: "dec_1" }, ""],
    ["unlink_records", {}, ""],
    ["unlink_records", { link_id: "lnk_1", from_id: "ent_1" }, ""],
    ["unlink_records", { from_id: "ent_1", relation: "r" }, ""],
    [
      "record_principle",
      { title: "P", applies_to: {}, constraint_spec: { type: "unheard_of" } },
      "constraint_spec",
    ],
    ["record_principle", { title: "P", applies_to: {}, constraint_spec: {} }, "constraint_spec.type"],
  ])("%s refuses %j", (name, payload, path) => {
    expect(Object.keys(problems(name, payload))).toEqual([path]);
  });

  it("of one name in canonical_keys are ours", () => {
    const found = problems("upsert_entity", {
      type: "self",
      display_name: "A",
      canonical_keys: { app_user: "1", "a b": "2" },
    });
    expect(Object.keys(found).sort()).toEqual(["canonical_keys.a b", "canonical_keys.app_user"]);
  });

  it("hold no text and no depth that can't be stored", () => {
    const attrs = (value: unknown) =>
      problems("upsert_entity", { type: "self", display_name: "A", attrs: { a: value } });
    expect(attrs("\0")).toHaveProperty("payload");
    expect(attrs("\ud800")).toHaveProperty("payload");
    let deep: unknown = 1;
    for (let at = 0; at < 100_000; at++) deep = [deep];
    expect(attrs(deep)).toHaveProperty("payload");
    expect(problems("record_decision", [])).toHaveProperty("payload");
  });

  it("are bounded, and a bound that turns something away is counted", () => {
    hits.length = 0;
    const title = "x".repeat(limits.titleChars);
    expect(problems("record_decision", { title, kind: "vision" })).toEqual({});
    expect(hits).toEqual([]);
    expect(problems("record_decision", { title: `${title}x`, kind: "vision" })).toHaveProperty("title");
    expect(hits.splice(0)).toEqual(["memory_field_size"]);
    const attrs = { a: "x".repeat(limits.objectChars) };
    expect(problems("upsert_entity", { type: "self", display_name: "A", attrs })).toHaveProperty("attrs");
    expect(hits.splice(0)).toEqual(["memory_object_chars"]);
    const many = Object.fromEntries(
      Array.from({ length: limits.canonicalKeys + 1 }, (_, at) => [`k${at}`, at]),
    );
    expect(
      problems("upsert_entity", { type: "self", display_name: "A", canonical_keys: many }),
    ).toHaveProperty("canonical_keys");
    expect(hits.splice(0)).toEqual(["memory_canonical_keys"]);
    let deep: JsonObject = {};
    for (let at = 0; at <= limits.payloadDepth; at++) deep = { deep };
    expect(problems("upsert_entity", { type: "self", display_name: "A", attrs: deep })).toHaveProperty(
      "payload",
    );
    expect(hits).toEqual(["memory_payload_depth"]);
  });

  it("named __proto__ are fields like others", () => {
    const payload = JSON.parse('{"type":"self","display_name":"A","attrs":{"__proto__":{"a":1}}}');
    expect(JSON.stringify(parse("upsert_entity", payload))).toContain('"__proto__":{"a":1}');
    expect(
      problems("upsert_entity", JSON.parse('{"type":"self","display_name":"A","__proto__":{}}')),
    ).toHaveProperty("__proto__");
  });
});
