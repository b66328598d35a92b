import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../ledger/service.ts";
import type { RevertBlocker } from "../service.ts";
import { type Memory, stored, type TestMemory, testMemory, wrongs } from "../write/testing/memory.ts";

let all: TestMemory;
let memory: Memory;
beforeAll(async () => {
  all = await testMemory();
});
beforeEach(async () => {
  memory = await all.another();
});
afterEach(async () => {
  expect(await wrongs(all.platform.database, memory.organizationId)).toEqual([]);
});
afterAll(() => all.stop());

const person = async (fields: JsonObject = {}) => {
  const { result, actionId } = await memory.run("upsert_entity", {
    type: "person",
    display_name: "P",
    ...fields,
  });
  return { id: result.entity_id as string, actionId };
};
const blockers = async (actionId: string): Promise<RevertBlocker[]> => {
  const before = await stored(all.platform.database, memory.organizationId);
  const { error } = await memory.revert(actionId);
  expect(error).toMatchObject({ code: "REVERT_BLOCKED", status: 409 });
  expect(await stored(all.platform.database, memory.organizationId)).toEqual(before);
  return (error!.details as { blockers: RevertBlocker[] }).blockers;
};
const plan = (...actionIds: string[]) =>
  memory.writer.planRevert(all.platform.database, memory.organizationId, actionIds);
const commitment = async (to: string) =>
  memory.run("record_commitment", { description: "D", status: "proposed", to_entity: to });

describe("undoing", () => {
  it("brings a deleted entity back under its id, with its keys, as a new version by the undoing action", async () => {
    const { id } = await person({ primary_email: "a@x.io", attrs: { a: 1 } });
    const before = (await memory.record(id))!;
    const { actionId } = await memory.run("delete_entity", { id, reason: "gone" });
    const undone = await memory.revert(actionId);
    const after = (await memory.record(id))!;
    const { action_id, version, updated_at, ...same } = after;
    expect(before).toMatchObject(same);
    expect({ action_id, version }).toEqual({ action_id: undone.actionId, version: 3 });
    expect(Date.parse(updated_at)).toBeGreaterThan(Date.parse(before.updated_at));
    expect(undone.outcome!.changes).toEqual([{ id, kind: "entity", before: null, after }]);
    expect((await person({ primary_email: "a@x.io" })).id).toBe(id);
  });

  it("a merge gives everybody back what was theirs", async () => {
    const [loser, winner, other] = [
      await person({ primary_email: "a@x.io" }),
      await person(),
      await person(),
    ];
    await commitment(loser.id);
    await memory.run("link_records", { from_id: loser.id, to_id: winner.id, relation: "knows" });
    await memory.run("merge_entities", { loser_id: other.id, winner_id: loser.id, reason: "r" });
    const meant = ({ records, ...rows }: Awaited<ReturnType<typeof stored>>) => ({
      ...rows,
      records: [...records.values()].map(({ id, kind, data, title, status }) => ({
        id,
        kind,
        data,
        title,
        status,
      })),
    });
    const before = meant(await stored(all.platform.database, memory.organizationId));
    const { actionId } = await memory.run("merge_entities", {
      loser_id: loser.id,
      winner_id: winner.id,
      reason: "r",
    });
    expect((await memory.revert(actionId)).error).toBe(null);
    expect(meant(await stored(all.platform.database, memory.organizationId))).toEqual(before);
    expect((await person({ id: other.id })).id).toBe(loser.id);
  });

  it("one's undoing does it again", async () => {
    const { id, actionId } = await person({ primary_email: "a@x.io" });
    const undone = await memory.revert(actionId);
    expect(await memory.record(id)).toBe(null);
    const redone = await memory.revert(undone.actionId);
    expect((await memory.record(id))!.data.primary_email).toBe("a@x.io");
    expect((await memory.revert(redone.actionId)).error).toBe(null);
    expect(await memory.record(id)).toBe(null);
  });

  it("what changed nothing changes nothing", async () => {
    await person({ primary_email: "a@x.io" });
    const { actionId } = await person({ primary_email: "a@x.io" });
    expect((await memory.revert(actionId)).outcome!.changes).toEqual([]);
    expect((await memory.revert("act_unheard_of")).outcome!.changes).toEqual([]);
  });
});

describe("undoing is refused, with the actions in the way, when", () => {
  it("the record was changed since, once or more", async () => {
    const { id, actionId } = await person();
    const first = await memory.run("patch_entity", { id, attrs_patch: { a: 1 } });
    const second = await memory.run("patch_entity", { id, attrs_patch: { a: 2 } });
    const reason = `${id} (entity) was changed since`;
    expect(await blockers(actionId)).toEqual([
      { action_id: second.actionId, record_id: id, reason },
      { action_id: first.actionId, record_id: id, reason },
    ]);
    await memory.revert(second.actionId);
    expect((await blockers(actionId)).map(({ action_id }) => action_id)).toEqual([first.actionId]);
    await memory.revert(first.actionId);
    expect((await memory.revert(actionId)).error).toBe(null);
  });

  it("it was undone already", async () => {
    const { id, actionId } = await person();
    const undone = await memory.revert(actionId);
    expect(await blockers(actionId)).toEqual([
      { action_id: undone.actionId, record_id: id, reason: `what it did to ${id} (entity) was undone since` },
    ]);
  });

  it("something refers to what would be gone, and the action that made it do so is named", async () => {
    const [first, second] = [await person(), await person()];
    const { result } = await commitment(second.id);
    const merged = await memory.run("merge_entities", {
      loser_id: second.id,
      winner_id: first.id,
      reason: "r",
    });
    const id = result.commitment_id as string;
    expect(await blockers(first.actionId)).toEqual([
      { action_id: merged.actionId, record_id: first.id, reason: `${first.id} (entity) was changed since` },
    ]);
    await memory.revert(merged.actionId);
    const third = await person();
    const artifact = { kind: "mail", title: "M", external_system: "s", external_id: "1" };
    await memory.run("upsert_source_artifact", artifact);
    const linking = await memory.run("upsert_source_artifact", {
      ...artifact,
      links: { entity_ids: [third.id] },
    });
    await memory.run("upsert_source_artifact", { ...artifact, title: "N" });
    expect(await blockers(third.actionId)).toEqual([
      {
        action_id: linking.actionId,
        record_id: linking.result.artifact_id,
        reason: `${linking.result.artifact_id} (source_artifact) refers to ${third.id}`,
      },
    ]);
    expect(await blockers(second.actionId)).toMatchObject([{ record_id: id }]);
  });

  it("what comes back names what is gone, or has a key that another has taken", async () => {
    const { id } = await person({ primary_email: "a@x.io" });
    const made = await commitment(id);
    const undone = await memory.revert(made.actionId);
    const deleted = await memory.run("delete_entity", { id, reason: "gone" });
    expect(await blockers(undone.actionId)).toEqual([
      {
        action_id: deleted.actionId,
        record_id: id,
        reason: `${made.result.commitment_id} (commitment) refers to ${id}, which is gone since`,
      },
    ]);
    const other = await person({ primary_email: "A@x.io" });
    expect(await blockers(deleted.actionId)).toEqual([
      {
        action_id: other.actionId,
        record_id: other.id,
        reason: `${other.id} (entity) has a key of ${id} by now`,
      },
    ]);
  });
});

describe("a plan", () => {
  it("undoes what came later first, tells what is in the way of the rest, and changes nothing", async () => {
    const { id, actionId } = await person();
    const patched = await memory.run("patch_entity", { id, attrs_patch: { a: 1 } });
    const made = await commitment(id);
    const learned = await memory.run("record_learning", { title: "L", description: "D" });
    const before = await stored(all.platform.database, memory.organizationId);
    expect(await plan(actionId, learned.actionId, made.actionId, patched.actionId, "act_unheard_of")).toEqual(
      {
        order: [learned.actionId, made.actionId, patched.actionId, actionId, "act_unheard_of"],
        blocked: [],
      },
    );
    expect(await plan(actionId, patched.actionId)).toEqual({
      order: [patched.actionId],
      blocked: [
        {
          action_id: actionId,
          blockers: [
            {
              action_id: made.actionId,
              record_id: made.result.commitment_id,
              reason: `${made.result.commitment_id} (commitment) refers to ${id}`,
            },
          ],
        },
      ],
    });
    expect(await plan()).toEqual({ order: [], blocked: [] });
    expect(await stored(all.platform.database, memory.organizationId)).toEqual(before);
  });

  it("holds for a record that was changed very often", async () => {
    const { id, actionId } = await person();
    await all.platform.database.query(
      `with copies as (
         select v.*, n from ambit.memory_versions v, generate_series(2, 5000) n
         where organization_id = $1 and record_id = $2
       ), written as (
         insert into ambit.memory_versions (organization_id, record_id, version, kind, action_id, state, known_from, known_until)
         select organization_id, record_id, n, kind, 'act_often' || n,
           state || jsonb_build_object('version', n, 'action_id', 'act_often' || n,
             'updated_at', to_char((known_from + n * interval '1 ms') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
           known_from + n * interval '1 ms',
           case when n < 5000 then known_from + (n + 1) * interval '1 ms' end from copies
       ), first as (
         update ambit.memory_versions set known_until = known_from + interval '2 ms'
         where organization_id = $1 and record_id = $2 and version = 1
       )
       update ambit.memory_records set version = 5000, action_id = 'act_often5000',
         updated_at = created_at + interval '5000 ms' where organization_id = $1 and id = $2`,
      [memory.organizationId, id],
    );
    const { blocked, order } = await plan(actionId, "act_often5000", "act_often4999", "act_often3");
    expect(order).toEqual(["act_often5000", "act_often4999"]);
    expect(blocked.map(({ action_id }) => action_id)).toEqual(["act_often3", actionId]);
    expect(blocked[0]!.blockers[0]).toMatchObject({ action_id: "act_often4998" });
    expect((await blockers(actionId))[0]).toMatchObject({ action_id: "act_often5000" });
  });
});
