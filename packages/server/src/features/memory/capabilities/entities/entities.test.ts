import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../../../kernel/ids.ts";
import type { JsonObject } from "../../../ledger/service.ts";
import { limits } from "../../limits.ts";
import { type TestMemory, testMemory, wrongs } from "../../write/testing/memory.ts";

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

describe("an entity", () => {
  it("is found by id, by key, by e-mail in any case, by linked user; within its type", async () => {
    const user = newUuid();
    const id = await person({
      primary_email: "Ada@x.io",
      canonical_keys: { github: "ada" },
      linked_app_user_id: user,
    });
    const same = async (fields: JsonObject) => {
      const { result } = await memory.run("upsert_entity", {
        type: "person",
        display_name: "Ada",
        ...fields,
      });
      expect(result).toMatchObject({ entity_id: id, was_insert: false });
    };
    await same({ id });
    await same({ canonical_keys: { github: "ada" } });
    await same({ primary_email: " aDA@X.IO" });
    await same({ canonical_keys: { email: "ADA@x.io" } });
    await same({ linked_app_user_id: user.toUpperCase(), linked_app_id: "app_1" });
    expect(
      await made("entity_id", "upsert_entity", {
        type: "company",
        display_name: "Ada",
        primary_email: "ada@x.io",
      }),
    ).not.toBe(id);
    expect(await person({ canonical_keys: { github: "Ada" } })).not.toBe(id);
  });

  it("is merged with what is said of it; saying it again makes no version", async () => {
    const first = await memory.run("upsert_entity", {
      ...{ type: "company", display_name: "Old", canonical_keys: { domain: "m.io", vat: "1" } },
      attrs: { a: { deep: 1 }, b: 2 },
    });
    const said = {
      ...{ type: "company", display_name: "New", canonical_keys: { domain: "m.io", duns: "9" } },
      attrs: { a: { other: 1 }, c: 3 },
    };
    const second = await memory.run("upsert_entity", said);
    const id = first.result.entity_id as string;
    expect(second.result).toEqual({ entity_id: id, was_insert: false, updated_at: expect.any(String) });
    expect(await memory.record(id)).toMatchObject({
      ...{ title: "New", version: 2, action_id: second.actionId, created_by_action: first.actionId },
      data: {
        canonical_keys: { domain: "m.io", vat: "1", duns: "9" },
        attrs: { a: { other: 1 }, b: 2, c: 3 },
      },
    });
    const third = await memory.run("upsert_entity", said);
    expect(third.changes).toEqual([]);
    expect((await memory.record(id))!.version).toBe(2);
  });

  it("whose keys belong to two is refused, and both are named", async () => {
    const [a, b] = [
      await person({ primary_email: "two-a@x.io" }),
      await person({ canonical_keys: { no: "two-b" } }),
    ];
    const both = { primary_email: "two-a@x.io", canonical_keys: { no: "two-b" } };
    const error = await refused("upsert_entity", { type: "person", display_name: "P", ...both });
    expect(error).toMatchObject({ code: "ENTITY_AMBIGUOUS", status: 409 });
    expect(error.remediation).toContain("merge_entities");
    expect(error.details).toEqual({
      candidates: [
        { entity_id: a, display_name: "P", matched_by: [{ name: "email", value: "two-a@x.io" }] },
        { entity_id: b, display_name: "P", matched_by: [{ name: "no", value: "two-b" }] },
      ],
    });
    const payloads: JsonObject[] = [
      { id: b, primary_email: "two-a@x.io" },
      { id: b, primary_email: "TWO-A@x.io", display_name: "Q" },
    ];
    for (const payload of payloads) {
      const taken = await refused("update_entity", payload);
      expect(taken.code).toBe("ENTITY_AMBIGUOUS");
      expect(taken.message).toContain(a);
      expect(taken.message).toContain(b);
    }
    expect(
      (
        await refused("upsert_entity", {
          type: "person",
          display_name: "P",
          id: b,
          primary_email: "two-a@x.io",
        })
      ).code,
    ).toBe("ENTITY_AMBIGUOUS");
  });

  it("that is not there, or of another type, is not made up", async () => {
    const id = await person();
    expect((await refused("upsert_entity", { type: "person", display_name: "P", id: nobody })).code).toBe(
      "RESOURCE_NOT_FOUND",
    );
    expect((await refused("upsert_entity", { type: "team", display_name: "P", id })).code).toBe(
      "ENTITY_TYPE_MISMATCH",
    );
    expect((await refused("patch_entity", { id: nobody, display_name: "P" })).code).toBe(
      "RESOURCE_NOT_FOUND",
    );
    const decision = await made("decision_id", "record_decision", { title: "D", kind: "vision" });
    expect((await refused("update_entity", { id: decision, display_name: "P" })).code).toBe(
      "RESOURCE_NOT_FOUND",
    );
  });

  it("loses what an update replaces and a patch removes, and the e-mail it gives up is free", async () => {
    const id = await person({ primary_email: "give@x.io", attrs: { a: 1, b: { c: 1, d: 2 } } });
    await memory.run("patch_entity", { id, attrs_patch: { a: null, b: { c: null } } });
    expect((await memory.record(id))!.data.attrs).toEqual({ b: { d: 2 } });
    await memory.run("update_entity", { id, attrs: { z: null }, primary_email: null });
    expect((await memory.record(id))!.data).toMatchObject({
      attrs: { z: null },
      primary_email: null,
      canonical_keys: {},
    });
    expect(await person({ primary_email: "give@x.io" })).not.toBe(id);
  });

  it("is patched only as it was seen, when the caller says so", async () => {
    const { result } = await memory.run("upsert_entity", { type: "event", display_name: "E" });
    const id = result.entity_id as string;
    const patched = await memory.run("patch_entity", {
      id,
      display_name: "F",
      if_updated_at: result.updated_at!,
    });
    const error = await refused("patch_entity", { id, display_name: "G", if_updated_at: result.updated_at! });
    expect(error).toMatchObject({ code: "ENTITY_CHANGED", status: 409 });
    expect(error.details).toEqual({ entity_id: id, updated_at: patched.result.updated_at });
    const zoned = String(patched.result.updated_at).replace("Z", "+00:00");
    await memory.run("patch_entity", { id, display_name: "G", if_updated_at: zoned });
  });

  it("has an updated_at that always grows, whatever the clock does", async () => {
    const id = await person();
    let before = Date.parse((await memory.record(id))!.updated_at);
    for (const nowMs of [Date.now(), 0, 5]) {
      await memory.platform.database.transaction((tx) =>
        memory.writer.execute(
          tx,
          { organizationId: memory.organizationId, actionId: `act_t${nowMs}`, sourceAppId: null, nowMs },
          "patch_entity",
          { id, attrs_patch: { nowMs } },
        ),
      );
      const now = Date.parse((await memory.record(id))!.updated_at);
      expect(now).toBeGreaterThan(before);
      before = now;
    }
  });

  it("is deleted only when nothing refers to it", async () => {
    const [id, other] = [await person({ primary_email: "del@x.io" }), await person()];
    const commitment = await made("commitment_id", "record_commitment", {
      description: "D",
      status: "proposed",
      from_entity: id,
    });
    const link = await made("link_id", "link_records", { from_id: other, to_id: id, relation: "knows" });
    const error = await refused("delete_entity", { id, reason: "asked to" });
    expect(error).toMatchObject({ code: "ENTITY_IN_USE", status: 409 });
    expect(error.details).toEqual({
      references: [
        { id: commitment, kind: "commitment", field: "from_entity" },
        { id: link, kind: "link", field: "to_id" },
      ],
    });
    await memory.run("unlink_records", { link_id: link });
    await memory.run("merge_entities", { loser_id: id, winner_id: other, reason: "so that it can go" });
    expect((await refused("delete_entity", { id, reason: "an alias" })).message).toContain(other);
    const free = await person({ primary_email: "del2@x.io" });
    expect((await memory.run("delete_entity", { id: free, reason: "asked to" })).result).toEqual({
      entity_id: free,
      removed: true,
    });
    expect(await memory.record(free)).toBe(null);
    expect(await person({ primary_email: "del2@x.io" })).not.toBe(free);
  });
});

describe("a merge", () => {
  it("has everything refer to the winner, and every key and id of the loser lead there", async () => {
    const loser = await person({
      primary_email: "lo@x.io",
      canonical_keys: { no: "lo" },
      attrs: { only: 1, both: 1 },
    });
    const winner = await person({ primary_email: "wi@x.io", attrs: { both: 2 } });
    const third = await person();
    const commitment = await made("commitment_id", "record_commitment", {
      description: "D",
      status: "proposed",
      from_entity: loser,
      to_entity: winner,
    });
    const artifact = await made("artifact_id", "upsert_source_artifact", {
      kind: "mail",
      title: "M",
      links: { entity_ids: [loser, winner, third] },
    });
    const kept = await made("link_id", "link_records", { from_id: loser, to_id: third, relation: "knows" });
    const double = await made("link_id", "link_records", { from_id: third, to_id: loser, relation: "knows" });
    const said = await made("link_id", "link_records", { from_id: third, to_id: winner, relation: "knows" });
    const self = await made("link_id", "link_records", { from_id: loser, to_id: winner, relation: "is" });
    const { result, changes, actionId } = await memory.run("merge_entities", {
      loser_id: loser,
      winner_id: winner,
      reason: "the same",
    });
    expect(result).toEqual({ entity_id: winner, merged_id: loser, references_rewritten: 5 });
    expect(changes).toHaveLength(7);
    expect(await memory.record(loser)).toBe(null);
    expect(await memory.record(winner)).toMatchObject({
      action_id: actionId,
      data: {
        ...{ primary_email: "wi@x.io", attrs: { only: 1, both: 2 }, merged_ids: [loser] },
        canonical_keys: { email: "wi@x.io", no: "lo" },
        merged_keys: { email: ["lo@x.io"] },
      },
    });
    expect((await memory.record(commitment))!.data).toMatchObject({ from_entity: winner, to_entity: winner });
    expect((await memory.record(artifact))!.data.links).toEqual({
      entity_ids: [winner, third],
      project_tags: [],
    });
    expect((await memory.record(kept))!.data).toMatchObject({ from_id: winner, to_id: third });
    expect(await memory.record(said)).not.toBe(null);
    expect([await memory.record(double), await memory.record(self)]).toEqual([null, null]);
    const leads: JsonObject[] = [
      { primary_email: "lo@x.io" },
      { canonical_keys: { no: "lo" } },
      { id: loser },
    ];
    for (const fields of leads) expect(await person(fields)).toBe(winner);
    const later = await made("commitment_id", "record_commitment", {
      description: "D",
      status: "proposed",
      to_entity: loser,
    });
    expect((await memory.record(later))!.data.to_entity).toBe(winner);
    await memory.run("merge_entities", { loser_id: winner, winner_id: third, reason: "and again" });
    expect(await person({ id: loser })).toBe(third);
    expect(
      (await refused("merge_entities", { loser_id: loser, winner_id: third, reason: "again" })).code,
    ).toBe("RESOURCE_NOT_FOUND");
  });

  it("is of two entities of one type", async () => {
    const [a, b] = [
      await person(),
      await made("entity_id", "upsert_entity", { type: "team", display_name: "T" }),
    ];
    expect((await refused("merge_entities", { loser_id: a, winner_id: b, reason: "r" })).code).toBe(
      "ENTITY_TYPE_MISMATCH",
    );
    expect((await refused("merge_entities", { loser_id: a, winner_id: a, reason: "r" })).code).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
    expect((await refused("merge_entities", { loser_id: a, winner_id: nobody, reason: "r" })).code).toBe(
      "RESOURCE_NOT_FOUND",
    );
  });

  it("rewrites at most as many records as one action may change, and no fewer", async () => {
    const { database } = memory.platform;
    const [loser, winner] = [await person(), await person()];
    const template = await made("commitment_id", "record_commitment", {
      description: "D",
      status: "proposed",
      to_entity: loser,
    });
    // As many as `record_commitment` would have made, at once.
    const copies = (count: number, from: number) =>
      database.transaction(async (tx) => {
        for (const [table, column] of [
          ["memory_records", "id"],
          ["memory_versions", "record_id"],
          ["memory_references", "from_id"],
        ]) {
          const columns = await tx.query<{ name: string }>(
            `select column_name as name from information_schema.columns where table_schema = 'ambit' and table_name = '${table}' and is_generated = 'NEVER'`,
          );
          const names = columns.map(({ name }) => name);
          const values = names.map((name) =>
            name === column
              ? `'com_copy' || n`
              : name === "state"
                ? "jsonb_set(state, '{id}', to_jsonb('com_copy' || n))"
                : name,
          );
          await tx.query(
            `insert into ambit.${table} (${names}) select ${values} from ambit.${table}, generate_series(${from}, ${from + count - 1}) n where ${column} = '${template}'`,
          );
        }
      });
    await copies(1200, 1);
    const { result, changes, actionId } = await memory.run("merge_entities", {
      loser_id: loser,
      winner_id: winner,
      reason: "r",
    });
    expect(result.references_rewritten).toBe(1201);
    expect(changes).toHaveLength(1203);
    const references = "select count(*)::int as count from ambit.memory_references where to_id = $1";
    expect(await database.query(references, [winner])).toEqual([{ count: 1201 }]);
    const undone = await memory.revert(actionId);
    expect(undone.outcome!.changes).toHaveLength(1203);
    expect(await database.query(references, [loser])).toEqual([{ count: 1201 }]);
    await copies(limits.recordsPerAction, 10_000);
    expect((await refused("merge_entities", { loser_id: loser, winner_id: winner, reason: "r" })).code).toBe(
      "MEMORY_CHANGE_TOO_LARGE",
    );
  }, 60_000);
});
