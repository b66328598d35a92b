import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../ledger/service.ts";
import { type Answer, openStage, type Stage } from "./testing/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.stop());

const person = (display_name: string, fields: object = {}) =>
  stage.write("upsert_entity", { type: "person", display_name, ...fields });

describe("pages while others write", () => {
  it("of entities show every one that was there at the first page once, whatever changes in between", async () => {
    const there: string[] = [];
    for (let n = 0; n < 12; n++) there.push(await person(`Steady ${n}`, { attrs: { n } }));
    const shown: string[] = [];
    let cursor: string | undefined;
    let turn = 0;
    do {
      const page: Answer = await stage.read("findEntities", { limit: 3, cursor });
      shown.push(...page.entities.map(({ id }: Answer) => id));
      cursor = page.next_cursor;
      // One that was shown, one that is yet to be shown, and one that is new.
      await stage.write("patch_entity", { id: there[11 - turn]!, attrs_patch: { turn } });
      await stage.write("patch_entity", { id: there[0]!, attrs_patch: { turn } });
      await person(`New ${turn}`);
      turn += 1;
    } while (cursor !== undefined);
    expect(shown).toEqual([...there].reverse());
    expect(turn).toBe(4);
  });

  it("of the memory show everything that did not change once, and nothing twice", async () => {
    const before: Answer = await stage.read("listMemory", { limit: 100 });
    const unchanged = before.results.map(({ id }: Answer) => id).slice(3);
    const shown: string[] = [];
    let next: string | null | undefined;
    do {
      const page: Answer = await stage.read("listMemory", { limit: 4, before: next ?? undefined });
      shown.push(...page.results.map(({ id }: Answer) => id));
      next = page.next_before;
      await person("Later");
    } while (next !== null);
    expect(new Set(shown).size).toBe(shown.length);
    expect(shown.filter((id) => unchanged.includes(id))).toEqual(unchanged);
  });
});

describe("what a record shows", () => {
  it("an entity: its fields, its id, and where it comes from", async () => {
    const id = await person("Jane Doe", {
      primary_email: "Jane@x.io",
      canonical_keys: { github: "jane" },
      attrs: { a: 1 },
    });
    const entity = await stage.read("getEntity", { entity_id: id });
    expect(entity).toMatchObject({
      ...{ id, type: "person", display_name: "Jane Doe", primary_email: "Jane@x.io", attrs: { a: 1 } },
      ...{
        canonical_keys: { github: "jane", email: "jane@x.io" },
        linked_app_user_id: null,
        linked_app_id: null,
      },
      ...{ source_app_id: null, version: 1, status: "active" },
    });
    expect(entity.action_id).toBe(entity.created_by_action);
    expect(new Date(entity.created_at).toISOString()).toBe(entity.updated_at);
    expect(entity).not.toHaveProperty("requested_id");
    expect(await stage.read("getArtifact", { artifact_id: id })).toBeNull();
    expect(await stage.read("getEntity", { entity_id: "ent_nobody" })).toBeNull();
  });

  it("an id that was merged away leads to the one that is left; before the merge to itself", async () => {
    const [loser, winner] = [await person("Double"), await person("Real")];
    const between = new Date(stage.now() + 1).toISOString();
    await stage.write("merge_entities", { loser_id: loser, winner_id: winner, reason: "same" });
    expect(await stage.read("getEntity", { entity_id: loser })).toMatchObject({
      ...{ id: winner, requested_id: loser, alias_of: winner, merged_ids: [loser] },
    });
    expect(await stage.read("getEntity", { entity_id: loser, as_of: between })).toMatchObject({
      ...{ id: loser, display_name: "Double" },
    });
    expect(await stage.read("getRecord", { record_id: loser })).toMatchObject({
      id: winner,
      requested_id: loser,
    });
    const { versions } = await stage.read("history", { record_id: loser });
    expect(versions.map(({ deleted }: Answer) => deleted)).toEqual([true, false]);
    const links: Answer = await stage.read("connections", { record_id: loser });
    expect(links).toMatchObject({ id: winner, requested_id: loser, links: [] });
    const commitment = await stage.write("record_commitment", {
      ...{ description: "Pay", status: "confirmed", to_entity: winner },
    });
    expect(await stage.found("pay", { entity_id: loser })).toEqual([commitment]);
  });

  it("a source artifact by itself has its content; in lists it has not", async () => {
    const id = await stage.write("upsert_source_artifact", {
      kind: "mail",
      title: "Offer",
      content: "the content",
    });
    expect(await stage.read("getArtifact", { artifact_id: id })).toMatchObject({
      kind: "mail",
      content: "the content",
    });
    const { artifacts, source_artifacts } = await stage.read("listArtifacts", { kind: "mail" });
    expect(artifacts).toEqual(source_artifacts);
    expect(artifacts[0]).toMatchObject({ id, kind: "mail", title: "Offer" });
    expect(artifacts[0]).not.toHaveProperty("content");
    const { results } = await stage.read("searchMemory", { q: "content", kinds: "source_artifacts" });
    expect(results[0]).toMatchObject({
      id,
      kind: "source_artifact",
      subtype: "mail",
      body_text: "the content",
    });
  });

  it("a superseded decision says by which, and the new one which it took the place of", async () => {
    const old = await stage.write("record_decision", { title: "Old way", kind: "operational" });
    await stage.write("supersede_decision", {
      old_decision_id: old,
      new_title: "New way",
      kind: "operational",
    });
    const [now] = (await stage.read("searchMemory", { q: "new way" })).results;
    expect(now).toMatchObject({ supersedes: old, superseded_by: null, status: "active" });
    const gone = await stage.read("listMemory", { kinds: "decisions", superseded: true });
    expect(gone.results).toHaveLength(1);
    expect(gone.results[0]).toMatchObject({ id: old, superseded_by: now.id, status: "superseded" });
  });

  it("principles are those in force unless asked otherwise", async () => {
    const principle = { applies_to: {}, constraint_spec: { type: "max_per_week", params: { n: 1 } } };
    const kept = await stage.write("record_principle", { title: "Kept", ...principle });
    const retired = await stage.write("record_principle", { title: "Retired", ...principle });
    await stage.write("retire_principle", { principle_id: retired, reason: "done" });
    const of = async (input: object) =>
      (await stage.read("listPrinciples", { ...input })).principles.map(({ id }: Answer) => id);
    expect(await of({})).toEqual([kept]);
    expect(await of({ status: "retired" })).toEqual([retired]);
    expect(await of({ status: "all" })).toEqual([retired, kept]);
    expect(await stage.read("getPrinciple", { principle_id: kept })).toMatchObject({
      title: "Kept",
      ...principle,
    });
    const decision = await stage.write("record_decision", { title: "Plain", kind: "mission" });
    expect(await stage.read("getPrinciple", { principle_id: decision })).toBeNull();
  });
});

describe("what other features read", () => {
  it("lists records by kind and counts them for a day", async () => {
    const { createMemoryReads } = await import("./index.ts");
    const reads = createMemoryReads(stage.platform, { readerOf: async () => stage.everything });
    const first = await reads.list(stage.everything, { kinds: ["commitment"], limit: 1 });
    expect(first.records).toHaveLength(1);
    expect(first.nextBefore).toBeNull();
    expect((await reads.get(stage.everything, first.records[0]!.id))!.kind).toBe("commitment");
    const day = 86_400_000;
    const at = stage.now() + 30 * day;
    for (const [status, due] of [
      ["confirmed", -1],
      ["tentative", 1],
      ["broken", -1],
      ["fulfilled", -1],
      ["proposed", null],
    ] as const) {
      const due_at: JsonObject = due === null ? {} : { due_at: new Date(at + due * day).toISOString() };
      await stage.write("record_commitment", { description: "C", status, ...due_at }, { at });
    }
    expect(await reads.counts(stage.platform.database, stage.organizationId, at)).toMatchObject({
      ...{
        commitment_count: 6,
        commitment_count_24h: 5,
        open_commitment_count: 4,
        overdue_commitment_count: 1,
      },
      ...{ broken_commitment_count: 1, fulfilled_commitment_count: 1, entity_count_24h: 0 },
      ...{ principle_count: 2, active_principle_count: 1, source_artifact_count: 1, link_count: 0 },
    });
    const counts = await reads.counts(stage.platform.database, stage.organizationId, at - day - 1);
    expect(counts.commitment_count_24h).toBe(0);
  });
});
