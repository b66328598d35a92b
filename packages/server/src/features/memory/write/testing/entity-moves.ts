import fc from "fast-check";
import { type Data, type Model, Refused } from "./model.ts";
import { given, index, type MakeMove, maybe } from "./move.ts";

const attrs = fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom(1, 2, "x"), {
  maxKeys: 2,
  noNullPrototype: true,
});
const email = fc.constantFrom("a@x.io", "A@x.io", "b@x.io", "c@x.io");
const keys = fc.dictionary(fc.constantFrom("domain", "vat"), fc.constantFrom("1", "2", "3"), {
  maxKeys: 2,
  noNullPrototype: true,
});

export const upsertEntity = fc
  .record({
    type: fc.constantFrom("person", "company"),
    name: fc.constantFrom("One", "Two", "Three"),
    email: maybe(email),
    keys: maybe(keys),
    attrs: maybe(attrs),
    of: fc.option(index, { nil: undefined, freq: 8 }),
  })
  .map(
    ({ type, name, email, keys, attrs, of }): MakeMove =>
      (pick) => {
        const id = of === undefined ? undefined : pick(of, "ent");
        const fields = { type, display_name: name, primary_email: email, canonical_keys: keys, attrs, id };
        return {
          capability: "upsert_entity",
          payload: given(fields),
          idField: "entity_id",
          apply(model, action, made) {
            const asked = { ...EMPTY, type, primary_email: email ?? null, canonical_keys: keys ?? {} };
            const found = new Set(model.owners(model.keys("entity", asked)));
            if (id !== undefined) found.add(model.entity(id));
            if (found.size > 1) throw new Refused("ENTITY_AMBIGUOUS");
            const [existing] = found;
            const old = existing === undefined ? { ...EMPTY, type } : model.data(existing)!;
            if (old.type !== type) throw new Refused("ENTITY_TYPE_MISMATCH");
            const next = {
              ...old,
              display_name: name,
              canonical_keys: { ...old.canonical_keys, ...keys },
              attrs: { ...old.attrs, ...attrs },
            };
            if (email !== undefined) setEmail(next, email);
            model.putKeyed(action, existing ?? made, "entity", next);
          },
        };
      },
  );

/** A person with this e-mail and nothing else, or a company. */
export const entityWith =
  (email: string | undefined): MakeMove =>
  () => {
    const type = email === undefined ? "company" : "person";
    return {
      capability: "upsert_entity",
      payload: given({ type, display_name: "One", primary_email: email }),
      idField: "entity_id",
      apply(model, action, made) {
        const next = { ...EMPTY, type, display_name: "One" };
        if (email !== undefined) setEmail(next, email);
        model.putKeyed(action, made, "entity", next);
      },
    };
  };

const EMPTY: Data = {
  primary_email: null,
  canonical_keys: {},
  merged_keys: {},
  merged_ids: [],
  linked_app_user_id: null,
  linked_app_id: null,
  attrs: {},
};

/** Here no key is ever named `email` by itself, so that it always follows the e-mail. */
function setEmail(data: Data, email: string | null): void {
  if (email !== null && data.primary_email?.toLowerCase() === email.toLowerCase()) return;
  const { email: _, ...others } = data.canonical_keys;
  data.primary_email = email;
  data.canonical_keys = email === null ? others : { ...others, email: email.toLowerCase() };
}

export const patchEntity = fc
  .record({
    of: index,
    email: maybe(fc.option(email)),
    patch: maybe(fc.record({ a: fc.constantFrom(null, 7) })),
    stale: fc.nat(5),
  })
  .map(
    ({ of, email, patch, stale }): MakeMove =>
      (pick) => {
        const id = pick(of, "ent");
        const since = stale === 0 ? "2001-01-01T00:00:00Z" : undefined;
        const nothing = email === undefined && patch === undefined;
        const name = nothing ? "Patched" : undefined;
        return {
          capability: "patch_entity",
          payload: given({
            id,
            primary_email: email,
            attrs_patch: patch,
            if_updated_at: since,
            display_name: name,
          }),
          idField: "entity_id",
          apply(model, action) {
            const entity = model.entity(id);
            if (since !== undefined) throw new Refused("ENTITY_CHANGED");
            const old = model.data(entity)!;
            const next: Data = { ...old, attrs: { ...old.attrs }, display_name: name ?? old.display_name };
            if (patch?.a === null) delete next.attrs.a;
            else if (patch !== undefined) next.attrs.a = patch.a;
            if (email !== undefined && !(email !== null && old.primary_email === email)) {
              if (email !== null && old.primary_email?.toLowerCase() === email.toLowerCase())
                next.primary_email = email;
              else setEmail(next, email);
            }
            model.putKeyed(action, entity, "entity", next);
          },
        };
      },
  );

export const updateEntity = fc.record({ of: index, attrs }).map(
  ({ of, attrs }): MakeMove =>
    (pick) => {
      const id = pick(of, "ent");
      return {
        capability: "update_entity",
        payload: { id, attrs },
        idField: "entity_id",
        apply(model, action) {
          const entity = model.entity(id);
          model.putKeyed(action, entity, "entity", { ...model.data(entity)!, attrs });
        },
      };
    },
);

export const merge = fc.record({ loser: index, winner: index }).map(
  (of): MakeMove =>
    (pick) => {
      const [loserId, winnerId] = [pick(of.loser, "ent"), pick(of.winner, "ent")];
      return {
        capability: "merge_entities",
        payload: { loser_id: loserId, winner_id: winnerId, reason: "the same" },
        idField: "entity_id",
        apply(model, action) {
          const lead = model.lead(loserId);
          if (lead !== null && lead !== loserId) throw new Refused("RESOURCE_NOT_FOUND");
          if (loserId === winnerId || model.lead(winnerId) === loserId)
            throw new Refused("VALIDATION_INVALID_SCHEMA");
          const [loser, winner] = [model.data(model.entity(loserId))!, model.entity(winnerId)];
          const old = model.data(winner)!;
          if (old.type !== loser.type) throw new Refused("ENTITY_TYPE_MISMATCH");
          const next: Data = {
            ...old,
            primary_email: old.primary_email ?? loser.primary_email,
            canonical_keys: { ...loser.canonical_keys, ...old.canonical_keys },
            attrs: { ...loser.attrs, ...old.attrs },
            merged_ids: [...old.merged_ids, loserId, ...loser.merged_ids].sort(),
            merged_keys: structuredClone(old.merged_keys),
          };
          const own = new Set(model.keys("entity", next));
          for (const key of model.keys("entity", loser)) {
            if (own.has(key)) continue;
            const [, name, value] = /^\w+ (\w+)=(.*)$/.exec(key)!;
            next.merged_keys[name!] = [...(next.merged_keys[name!] ?? []), value].sort();
          }
          model.put(action, loserId, "entity", null);
          model.put(action, winner, "entity", next);
          rewrite(model, action, loserId, winner);
        },
      };
    },
);

function rewrite(model: Model, action: string, loser: string, winner: string): void {
  const idOf = (id: string | null) => (id === loser ? winner : id);
  for (const [id, kind, data] of [...model.all()].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!model.references(kind, data).includes(loser)) continue;
    const next = Object.fromEntries(
      Object.entries(data).map(([name, value]) => [name, typeof value === "string" ? idOf(value) : value]),
    );
    if (kind === "source_artifact")
      next.links = { ...data.links, entity_ids: [...new Set(data.links.entity_ids.map(idOf))] };
    const said = kind === "link" && model.owners(model.keys(kind, next)).some((other) => other !== id);
    const dropped = kind === "link" && (said || next.from_id === next.to_id);
    model.put(action, id, kind, dropped ? null : next);
  }
}

export const deleteEntity = index.map(
  (of): MakeMove =>
    (pick) => {
      const id = pick(of, "ent");
      return {
        capability: "delete_entity",
        payload: { id, reason: "gone" },
        idField: "entity_id",
        apply(model, action) {
          if (model.entity(id) !== id) throw new Refused("RESOURCE_NOT_FOUND");
          for (const [, kind, data] of model.all())
            if (model.references(kind, data).includes(id)) throw new Refused("ENTITY_IN_USE");
          model.put(action, id, "entity", null);
        },
      };
    },
);
