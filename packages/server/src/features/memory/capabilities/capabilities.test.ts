import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Queryable, Transaction } from "../../../engines/postgres/database.ts";
import type { JsonObject } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import { stored, type TestMemory, testMemory, wrongs } from "../write/testing/memory.ts";

let memory: TestMemory;
beforeAll(async () => {
  memory = await testMemory();
});
afterAll(async () => {
  expect(await wrongs(memory.platform.database, memory.organizationId)).toEqual([]);
  await memory.stop();
});

/** Does it and gives the id in this field of the result. */
const made = async (field: string, capability: string, payload: JsonObject) =>
  (await memory.run(capability, payload)).result[field] as string;
const person = (fields: JsonObject = {}) =>
  made("entity_id", "upsert_entity", { type: "person", display_name: "P", ...fields });
const refused = async (capability: string, payload: JsonObject) => {
  const { error, outcome } = await memory.attempt(capability, payload);
  expect(outcome).toBe(null);
  return error!;
};
const nobody = "ent_01nobody";

describe("what is recorded", () => {
  it("is a record that names the action and the app it came from", async () => {
    const source = await made("artifact_id", "upsert_source_artifact", { kind: "mail", title: "M" });
    const { actionId, result, changes } = await memory.run("record_decision", {
      ...{ title: "Ship on Friday", kind: "operational", rationale: "It is ready." },
      source_artifact_id: source,
    });
    const record = (await memory.record(result.decision_id as string))!;
    expect(record).toMatchObject({
      ...{ kind: "decision", subtype: "operational", title: "Ship on Friday", status: "active", version: 1 },
      ...{ body: "It is ready.", action_id: actionId, created_by_action: actionId, source_app_id: null },
      data: { salience: "normal", source_artifact_id: source, supersedes: null },
    });
    expect(record.id).toMatch(/^dec_[0-9a-z]{26}$/);
    expect(changes).toEqual([{ id: record.id, kind: "decision", before: null, after: record }]);
    const work = {
      ...{ organizationId: memory.organizationId, actionId: "act_app", nowMs: 1_800_000_000_000 },
    };
    const { result: byApp } = await memory.platform.database.transaction((tx) =>
      memory.writer.execute(tx, { ...work, sourceAppId: "app_x" }, "record_learning", {
        title: "L",
        description: "D",
      }),
    );
    expect(await memory.record(byApp.learning_id as string)).toMatchObject({
      ...{ source_app_id: "app_x", action_id: "act_app" },
      created_at: "2027-01-15T08:00:00.000Z",
    });
  });

  it("of a commitment is listed by its first line, and says what it was given", async () => {
    const [from, to] = [await person(), await person()];
    const id = await made("commitment_id", "record_commitment", {
      ...{ description: `${"x".repeat(300)}\nmore`, status: "tentative", from_entity: from, to_entity: to },
      ...{ amount: 0.1, unit: "EUR", due_at: "2027-01-31", attrs: { why: "because" } },
    });
    const { title, status, body, data } = (await memory.record(id))!;
    expect({ status, title: title.length, end: title.at(-1) }).toEqual({
      status: "tentative",
      title: 160,
      end: "…",
    });
    expect(body).toContain("because");
    expect(data).toMatchObject({
      from_entity: from,
      to_entity: to,
      amount: 0.1,
      due_at: "2027-01-31T00:00:00.000Z",
    });
  });

  it("names only what is there, of the right kind; every wrong id is told", async () => {
    const decision = await made("decision_id", "record_decision", { title: "D", kind: "vision" });
    const error = await refused("record_commitment", {
      ...{ description: "D", status: "proposed", from_entity: decision, to_entity: nobody },
      source_artifact_id: "art_01none",
    });
    expect(error).toMatchObject({ code: "VALIDATION_UNKNOWN_REFERENCE", status: 400 });
    expect(error.details).toEqual([
      {
        path: "from_entity",
        id: decision,
        message: `from_entity: ${decision} is a decision, not an entity.`,
      },
      { path: "to_entity", id: nobody, message: `to_entity: there is no entity ${nobody}.` },
      {
        path: "source_artifact_id",
        id: "art_01none",
        message: "source_artifact_id: there is no source_artifact art_01none.",
      },
    ]);
  });

  it("does not reach into another organisation", async () => {
    const other = await memory.another();
    const { result } = await other.run("upsert_entity", {
      type: "person",
      display_name: "O",
      primary_email: "o@x.io",
    });
    const commitment = { description: "D", status: "proposed", to_entity: result.entity_id! };
    expect((await refused("record_commitment", commitment)).code).toBe("VALIDATION_UNKNOWN_REFERENCE");
    expect((await refused("update_entity", { id: result.entity_id!, display_name: "X" })).code).toBe(
      "RESOURCE_NOT_FOUND",
    );
    const here = await memory.run("upsert_entity", {
      type: "person",
      display_name: "H",
      primary_email: "o@x.io",
    });
    expect(here.result).toMatchObject({ was_insert: true });
  });
});

describe("a decision", () => {
  it("is superseded once, by one that names it", async () => {
    const old = await made("decision_id", "record_decision", {
      title: "Old",
      kind: "strategic",
      salience: "archival",
    });
    const { result } = await memory.run("supersede_decision", {
      old_decision_id: old,
      new_title: "New",
      kind: "strategic",
      new_rationale: "R",
    });
    const id = result.decision_id as string;
    expect(result).toEqual({ decision_id: id, superseded_decision_id: old });
    expect(await memory.record(old)).toMatchObject({ status: "superseded", data: { superseded_by: id } });
    expect(await memory.record(id)).toMatchObject({
      title: "New",
      body: "R",
      data: { supersedes: old, salience: "archival" },
    });
    const again = await refused("supersede_decision", {
      old_decision_id: old,
      new_title: "X",
      kind: "vision",
    });
    expect(again).toMatchObject({
      code: "DECISION_NOT_ACTIVE",
      details: { status: "superseded", superseded_by: id },
    });
    expect(
      (await refused("supersede_decision", { old_decision_id: "dec_01none", new_title: "X", kind: "vision" }))
        .code,
    ).toBe("VALIDATION_UNKNOWN_REFERENCE");
  });

  it("that is a principle is in force until it is retired, as it was amended last", async () => {
    const inForce = async () =>
      await memory.writer.principles(memory.platform.database, memory.organizationId);
    const spec = { type: "max_per_week", params: { n: 3 } };
    const id = await made("principle_id", "record_principle", {
      title: "P",
      applies_to: { capability: "record_decision" },
      constraint_spec: spec,
    });
    const principle = {
      id,
      title: "P",
      rationale: null,
      appliesTo: { capability: "record_decision" },
      constraint: spec,
    };
    expect(await inForce()).toEqual([principle]);
    expect(await memory.record(id)).toMatchObject({ subtype: "principle", data: { salience: "ambient" } });
    await memory.run("amend_principle", {
      principle_id: id,
      rationale: "R",
      constraint_spec: { ...spec, effect: "forbid" },
    });
    expect(await inForce()).toEqual([
      { ...principle, rationale: "R", constraint: { ...spec, effect: "forbid" } },
    ]);
    expect(
      (await refused("supersede_decision", { old_decision_id: id, new_title: "X", kind: "vision" })).code,
    ).toBe("DECISION_IS_PRINCIPLE");
    const { actionId } = await memory.run("retire_principle", { principle_id: id, reason: "old" });
    expect(await inForce()).toEqual([]);
    expect(await memory.record(id)).toMatchObject({ status: "retired", data: { retired_reason: "old" } });
    expect((await refused("amend_principle", { principle_id: id, title: "Q" })).code).toBe(
      "DECISION_NOT_ACTIVE",
    );
    await memory.revert(actionId);
    expect(await inForce()).toHaveLength(1);
    await memory.run("retire_principle", { principle_id: id, reason: "old" });
    const plain = await made("decision_id", "record_decision", { title: "D", kind: "vision" });
    expect((await refused("retire_principle", { principle_id: plain, reason: "old" })).code).toBe(
      "RESOURCE_NOT_FOUND",
    );
  });

  it("of kind principle without a constraint constrains nothing until it is given one", async () => {
    const id = await made("decision_id", "record_decision", { title: "Be kind", kind: "principle" });
    expect(await memory.writer.principles(memory.platform.database, memory.organizationId)).toEqual([]);
    await memory.run("amend_principle", { principle_id: id, constraint_spec: { type: "x", params: {} } });
    const [principle] = await memory.writer.principles(memory.platform.database, memory.organizationId);
    expect(principle).toMatchObject({ id, appliesTo: {} });
    await memory.run("retire_principle", { principle_id: id, reason: "done" });
  });
});

describe("a source artifact", () => {
  it("is known by its external id, keeps what is not given, and tells what it was", async () => {
    const [a, b] = [await person(), await person()];
    const key = { external_system: "gmail", external_id: "m-1" };
    const first = await memory.run("upsert_source_artifact", {
      kind: "mail",
      title: "Old",
      ...key,
      content: "C",
      links: { entity_ids: [a, a], project_tags: ["t"] },
      attrs: { x: 1 },
    });
    expect(first.result).toEqual({
      artifact_id: expect.stringMatching(/^art_/),
      was_insert: true,
      before: null,
    });
    const second = await memory.run("upsert_source_artifact", {
      kind: "mail",
      title: "New",
      ...key,
      links: { entity_ids: [b] },
      attrs: { y: 2 },
    });
    const id = first.result.artifact_id as string;
    expect(second.result).toMatchObject({
      artifact_id: id,
      was_insert: false,
      before: { id, title: "Old", links: { entity_ids: [a] } },
    });
    expect(second.result.before).not.toHaveProperty("content");
    expect((await memory.record(id))!.data).toMatchObject({
      title: "New",
      content: "C",
      links: { entity_ids: [b], project_tags: [] },
      attrs: { x: 1, y: 2 },
    });
    const other = await made("artifact_id", "upsert_source_artifact", { kind: "mail", title: "Other" });
    const both = await refused("upsert_source_artifact", { kind: "mail", title: "X", id: other, ...key });
    expect(both).toMatchObject({ code: "ARTIFACT_AMBIGUOUS", status: 409 });
    expect((await refused("upsert_source_artifact", { kind: "mail", title: "X", id: a })).code).toBe(
      "RESOURCE_NOT_FOUND",
    );
    await memory.run("upsert_source_artifact", {
      kind: "mail",
      title: "X",
      id,
      external_system: "gmail",
      external_id: "m-2",
    });
    expect(
      await made("artifact_id", "upsert_source_artifact", { kind: "mail", title: "X", ...key }),
    ).not.toBe(id);
  });

  it("may have any content that is not too long, and can be searched as far as that goes", async () => {
    const unlike = Array.from({ length: limits.contentChars / 8 }, (_, at) =>
      at.toString(36).padStart(7, "q"),
    ).join("-");
    for (const content of [
      unlike,
      "ab ".repeat(limits.contentChars / 3),
      "漢字".repeat(limits.contentChars / 2),
      "x".repeat(limits.contentChars),
    ])
      await memory.run("upsert_source_artifact", {
        kind: "file",
        title: "Big",
        content,
        external_system: "fs",
        external_id: "big",
      });
    const error = await refused("upsert_source_artifact", {
      kind: "file",
      title: "Q",
      content: '"'.repeat(limits.contentChars),
    });
    expect(error).toMatchObject({ code: "MEMORY_RECORD_TOO_LARGE", status: 413 });
  });
});

describe("a link", () => {
  it("joins two records once per relation, and is undone by id or by what it joins", async () => {
    const [a, b] = [
      await person(),
      await made("decision_id", "record_decision", { title: "D", kind: "vision" }),
    ];
    const ends = { from_id: a, to_id: b, relation: "took part in" };
    const first = await memory.run("link_records", { ...ends, attrs: { x: 1 } });
    const second = await memory.run("link_records", { ...ends, attrs: { y: 2 } });
    const id = first.result.link_id as string;
    expect([first.result, second.result]).toEqual([
      { link_id: id, was_insert: true },
      { link_id: id, was_insert: false },
    ]);
    expect((await memory.record(id))!.data).toEqual({ ...ends, attrs: { x: 1, y: 2 } });
    expect((await refused("link_records", { from_id: a, to_id: a, relation: "is" })).code).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
    expect((await refused("link_records", { from_id: a, to_id: id, relation: "is" })).code).toBe(
      "VALIDATION_UNKNOWN_REFERENCE",
    );
    expect((await memory.run("unlink_records", ends)).result).toEqual({ link_id: id, removed: true });
    expect((await refused("unlink_records", ends)).code).toBe("RESOURCE_NOT_FOUND");
    expect((await refused("unlink_records", { link_id: id })).code).toBe("RESOURCE_NOT_FOUND");
    expect((await refused("unlink_records", { link_id: a })).code).toBe("RESOURCE_NOT_FOUND");
  });
});

it("what is written takes few statements", async () => {
  const entity = await person();
  const count = async (capability: string, payload: JsonObject) => {
    let statements = 0;
    await memory.platform.database.transaction(async (tx) => {
      const counted: Transaction = {
        query: <R extends object>(text: string, values?: readonly unknown[]) => {
          statements++;
          return tx.query<R>(text, values);
        },
        beforeCommit: (work: (tx: Queryable) => Promise<void>) => tx.beforeCommit(work),
        nested(work) {
          statements += 2;
          return tx.nested(() => work(counted));
        },
      };
      const work = {
        organizationId: memory.organizationId,
        actionId: "act_n",
        sourceAppId: null,
        nowMs: Date.now(),
      };
      await memory.writer.execute(counted, work, capability, payload);
    });
    return statements;
  };
  expect(await count("record_decision", { title: "D", kind: "vision" })).toBe(1);
  expect(await count("record_commitment", { description: "D", status: "proposed", to_entity: entity })).toBe(
    2,
  );
  expect(await count("record_learning", { title: "D", description: "D" })).toBe(1);
  const someone = { type: "person", display_name: "N", primary_email: "n@x.io" };
  expect(await count("upsert_entity", someone)).toBe(2);
  expect(await count("upsert_entity", { ...someone, display_name: "M" })).toBe(2);
  expect(await count("upsert_entity", { ...someone, display_name: "M" })).toBe(1);
  expect(await count("patch_entity", { id: entity, attrs_patch: { a: 1 } })).toBe(2);
  expect((await stored(memory.platform.database, memory.organizationId)).records.size).toBeGreaterThan(0);
});
