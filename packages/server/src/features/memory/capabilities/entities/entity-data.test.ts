import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entityIdentities, identityKey } from "../../write/shape.ts";
import { absorb, changeEntity, type EntityFacts, mergeFacts, withEmail } from "./entity-data.ts";

const email = fc.constantFrom("a@x.io", "A@X.io", "b@x.io");
const facts: fc.Arbitrary<EntityFacts> = fc.record(
  {
    type: fc.constant("person"),
    display_name: fc.constantFrom("One", "Two"),
    primary_email: email,
    canonical_keys: fc.dictionary(fc.constantFrom("email", "vat", "domain"), email, {
      noNullPrototype: true,
    }),
    linked_app_user_id: fc.constantFrom("u1", "u2"),
    linked_app_id: fc.constantFrom("app_1", "app_2"),
    attrs: fc.dictionary(fc.constantFrom("a", "b"), fc.nat(3), { noNullPrototype: true }),
  },
  { requiredKeys: ["type", "display_name"] },
);
const entity = fc
  .array(facts, { minLength: 1, maxLength: 4 })
  .map((all) =>
    all.reduce<ReturnType<typeof mergeFacts>>(
      (before, each) => mergeFacts(before, each),
      mergeFacts(null, all[0]!),
    ),
  );
const keys = (of: Parameters<typeof entityIdentities>[0]) => entityIdentities(of).map(identityKey);

describe("what is said of an entity", () => {
  it("is known of it afterwards, and said again changes nothing", () => {
    fc.assert(
      fc.property(entity, facts, (before, said) => {
        const after = mergeFacts(before, said);
        expect(keys(after)).toEqual(expect.arrayContaining(keys(mergeFacts(null, said))));
        expect(mergeFacts(after, said)).toEqual(after);
        for (const [name, value] of Object.entries(before.attrs))
          expect(after.attrs[name]).toBe(said.attrs?.[name] ?? value);
      }),
    );
  });

  it("has the e-mail among the keys, which follows it", () => {
    const ada = mergeFacts(null, { type: "person", display_name: "Ada", primary_email: "Ada@x.io" });
    expect(ada.canonical_keys).toEqual({ email: "ada@x.io" });
    expect(withEmail(ada, "b@x.io").canonical_keys).toEqual({ email: "b@x.io" });
    expect(withEmail(ada, null)).toMatchObject({ primary_email: null, canonical_keys: {} });
    const other = mergeFacts(ada, {
      type: "person",
      display_name: "Ada",
      canonical_keys: { email: "own@x.io" },
    });
    expect(withEmail(other, "b@x.io")).toMatchObject({
      primary_email: "b@x.io",
      canonical_keys: { email: "own@x.io" },
    });
  });
});

it("a merge's winner keeps what it has, gains what it lacks, and is found by all that led to either", () => {
  fc.assert(
    fc.property(entity, entity, entity, (winner, loser, third) => {
      const merged = absorb(absorb(winner, loser, "ent_loser"), third, "ent_third");
      const all = new Set([...keys(winner), ...keys(loser), ...keys(third)]);
      expect(new Set(keys(merged))).toEqual(all);
      expect(merged).toMatchObject({ display_name: winner.display_name, attrs: winner.attrs });
      expect(merged.canonical_keys).toMatchObject(winner.canonical_keys);
      expect(merged.primary_email).toBe(winner.primary_email ?? loser.primary_email ?? third.primary_email);
      expect(merged.merged_ids).toEqual(["ent_loser", "ent_third"]);
    }),
  );
});

it("a merge of one that had taken in others leads to all of them", () => {
  const plain = mergeFacts(null, { type: "person", display_name: "X" });
  const first = absorb(plain, plain, "ent_c");
  expect(absorb(plain, first, "ent_b").merged_ids).toEqual(["ent_b", "ent_c"]);
});

it("a change changes what it names", () => {
  const before = mergeFacts(null, { type: "person", display_name: "X", attrs: { a: { b: 1, c: 2 }, d: 1 } });
  expect(changeEntity(before, { attrs: { e: 1 } })).toEqual({ ...before, attrs: { e: 1 } });
  expect(changeEntity(before, { attrs_patch: { a: { b: null }, d: null } }).attrs).toEqual({ a: { c: 2 } });
  expect(changeEntity(before, {})).toEqual(before);
});
