import fc from "fast-check";
import { type Data, Refused } from "./model.ts";
import { given, index, type MakeMove, maybe } from "./move.ts";

export const commitment = fc.record({ from: maybe(index), to: maybe(index) }).map(
  (of): MakeMove =>
    (pick) => {
      const from = of.from === undefined ? undefined : pick(of.from, "ent");
      const to = of.to === undefined ? undefined : pick(of.to, "ent");
      return {
        capability: "record_commitment",
        payload: given({
          description: "owes",
          status: "proposed",
          from_entity: from,
          to_entity: to,
          amount: 5,
        }),
        idField: "commitment_id",
        apply(model, action, made) {
          model.put(action, made, "commitment", {
            ...{ description: "owes", status: "proposed", amount: 5, unit: null, due_at: null, attrs: {} },
            from_entity: from === undefined ? null : model.named(from, "entity"),
            to_entity: to === undefined ? null : model.named(to, "entity"),
            source_artifact_id: null,
          });
        },
      };
    },
);

const DECISION: Data = {
  ...{ status: "active", rationale: null, salience: "normal", source_artifact_id: null },
  ...{ supersedes: null, superseded_by: null },
};

export const decision = maybe(index).map(
  (of): MakeMove =>
    (pick) => {
      const artifact = of === undefined ? undefined : pick(of, "art");
      return {
        capability: "record_decision",
        payload: given({ title: "so", kind: "operational", source_artifact_id: artifact }),
        idField: "decision_id",
        apply(model, action, made) {
          const source = artifact === undefined ? null : model.named(artifact, "source_artifact");
          model.put(action, made, "decision", {
            ...DECISION,
            title: "so",
            kind: "operational",
            source_artifact_id: source,
          });
        },
      };
    },
);

export const principle = fc.constant<MakeMove>(() => ({
  capability: "record_principle",
  payload: { title: "ask", applies_to: {}, constraint_spec: { type: "max_per_week", params: { n: 1 } } },
  idField: "principle_id",
  apply(model, action, made) {
    const spec = { applies_to: {}, constraint_spec: { type: "max_per_week", params: { n: 1 } } };
    model.put(action, made, "decision", {
      ...DECISION,
      title: "ask",
      kind: "principle",
      salience: "ambient",
      ...spec,
    });
  },
}));

export const amend = fc.record({ of: index, retire: fc.boolean(), n: fc.nat(2) }).map(
  ({ of, retire, n }): MakeMove =>
    (pick) => {
      const id = pick(of, "dec");
      return {
        capability: retire ? "retire_principle" : "amend_principle",
        payload: given(
          retire ? { principle_id: id, reason: "old" } : { principle_id: id, title: `ask ${n}` },
        ),
        idField: "principle_id",
        apply(model, action) {
          const old = model.data(id);
          if (old?.kind !== "principle") throw new Refused("RESOURCE_NOT_FOUND");
          if (old.status !== "active") throw new Refused("DECISION_NOT_ACTIVE");
          const change = retire ? { status: "retired", retired_reason: "old" } : { title: `ask ${n}` };
          model.put(action, id, "decision", { ...old, ...change });
        },
      };
    },
);

export const supersede = index.map(
  (of): MakeMove =>
    (pick) => {
      const id = pick(of, "dec");
      return {
        capability: "supersede_decision",
        payload: { old_decision_id: id, new_title: "rather", kind: "strategic" },
        idField: "decision_id",
        apply(model, action, made) {
          const old = model.data(model.named(id, "decision"))!;
          if (old.status !== "active") throw new Refused("DECISION_NOT_ACTIVE");
          if (old.constraint_spec !== undefined) throw new Refused("DECISION_IS_PRINCIPLE");
          const next = {
            ...DECISION,
            title: "rather",
            kind: "strategic",
            salience: old.salience,
            supersedes: id,
          };
          model.put(action, made, "decision", next);
          model.put(action, id, "decision", { ...old, status: "superseded", superseded_by: made });
        },
      };
    },
);

export const learning = maybe(index).map(
  (of): MakeMove =>
    (pick) => {
      const id = of === undefined ? undefined : pick(of, "dec");
      return {
        capability: "record_learning",
        payload: given({ title: "taught", description: "so it is", related_decision_id: id }),
        idField: "learning_id",
        apply(model, action, made) {
          const related = id === undefined ? null : model.named(id, "decision");
          const rest = { resolution_taken: null, source_artifact_id: null };
          model.put(action, made, "learning", {
            title: "taught",
            description: "so it is",
            related_decision_id: related,
            ...rest,
          });
        },
      };
    },
);

export const artifact = fc
  .record({
    external: maybe(fc.constantFrom("1", "2", "3")),
    entities: maybe(fc.array(index, { maxLength: 2 })),
    title: fc.constantFrom("A", "B"),
  })
  .map(
    ({ external, entities, title }): MakeMove =>
      (pick) => {
        const ids = entities?.map((each) => pick(each, "ent"));
        const system = external === undefined ? undefined : "mail";
        const links = ids === undefined ? undefined : { entity_ids: ids };
        return {
          capability: "upsert_source_artifact",
          payload: given({ kind: "mail", title, external_system: system, external_id: external, links }),
          idField: "artifact_id",
          apply(model, action, made) {
            const entityIds = ids?.map((id) => model.named(id, "entity"));
            const [existing] = external === undefined ? [] : model.owners([`artifact ${external}`]);
            const old =
              existing === undefined
                ? { external_system: system ?? null, external_id: external ?? null }
                : model.data(existing)!;
            const next: Data = {
              ...{ summary: null, content: null, storage_object_id: null, url: null, attrs: {} },
              ...{ links: { entity_ids: [], project_tags: [] } },
              ...old,
              kind: "mail",
              title,
            };
            if (entityIds !== undefined)
              next.links = { entity_ids: [...new Set(entityIds)], project_tags: [] };
            model.putKeyed(action, existing ?? made, "source_artifact", next);
          },
        };
      },
  );

const ANY = ["entity", "decision", "commitment", "learning", "source_artifact"];

export const link = fc
  .record({
    from: index,
    to: index,
    at: fc.constantFrom("ent", "com", "dec"),
    relation: fc.constantFrom("knows", "made"),
    cut: fc.nat(3),
  })
  .map(
    ({ from, to, at, relation, cut }): MakeMove =>
      (pick) => {
        const ends = { from_id: pick(from, "ent"), to_id: pick(to, at) };
        const unlinks = cut === 0;
        return {
          capability: unlinks ? "unlink_records" : "link_records",
          payload: { ...ends, relation },
          idField: "link_id",
          apply(model, action, made) {
            const found = {
              from_id: model.named(ends.from_id, ...ANY),
              to_id: model.named(ends.to_id, ...ANY),
              relation,
            };
            const [existing] = model.owners(model.keys("link", found));
            if (unlinks) {
              if (existing === undefined) throw new Refused("RESOURCE_NOT_FOUND");
              return model.put(action, existing, "link", null);
            }
            if (found.from_id === found.to_id) throw new Refused("VALIDATION_INVALID_SCHEMA");
            if (existing === undefined) model.put(action, made, "link", { ...found, attrs: {} });
          },
        };
      },
  );
