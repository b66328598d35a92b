import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../ledger/service.ts";
import type { RecordKind } from "../memory/service.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let agent: Member;
beforeAll(async () => {
  stand = await substrateStand();
  owner = await stand.member("owner");
  agent = await stand.member("developer", { kind: "agent" });
});
afterAll(() => stand.stop());

type Any = any;
const errorOf = (promise: Promise<unknown>): Promise<Any> =>
  promise.then(
    () => ({ code: "done" }),
    (error) => error,
  );
const action = (id: string): Promise<Any> => stand.substrate.service.action(stand.organizationId, id);
const reader = () => ({ organizationId: stand.organizationId, scope: null });
const propose = (capability: string, payload: JsonObject) => stand.propose(agent, capability, payload);
const revert = (action_id: string, by = agent) => stand.propose(by, "revert_action", { action_id });

describe("revert_action", () => {
  it("puts back what was, names what it did, and marks what it undid", async () => {
    const made = await propose("upsert_entity", { type: "person", display_name: "Ada", attrs: { a: 1 } });
    const id = (made.result as Any).entity_id;
    const change = await propose("update_entity", { id, display_name: "Changed", attrs: { b: 2 } });
    const undo = await revert(change.action_id);
    expect(undo).toMatchObject({
      requires_approval: false,
      result: { reverted_action_id: change.action_id, record_ids: [id] },
    });
    const record = (await stand.memory.service.get(reader(), id))!;
    expect(record).toMatchObject({ title: "Ada", data: { attrs: { a: 1 } }, action_id: undo.action_id });
    expect(await action(change.action_id)).toMatchObject({ status: "executed", reverted_by: undo.action_id });
    expect(await action(undo.action_id)).toMatchObject({ changes: [{ id, change: "updated" }] });
  });

  it("refuses with the reason, and writes nothing", async () => {
    const made = await propose("upsert_entity", { type: "person", display_name: "Bea" });
    const id = (made.result as Any).entity_id;
    const later = await propose("record_commitment", {
      description: "x",
      status: "confirmed",
      from_entity: id,
    });
    const blocked = await errorOf(revert(made.action_id));
    expect(blocked).toMatchObject({ code: "REVERT_BLOCKED", status: 409 });
    expect(blocked.details.blockers[0]).toMatchObject({ action_id: later.action_id });
    expect((await action(made.action_id)).reverted_by).toBeNull();
    const undo = await revert(later.action_id);
    expect((await errorOf(revert(undo.action_id))).code).toBe("ACTION_NOT_REVERSIBLE");
    expect((await errorOf(revert(later.action_id))).code).toBe("wrong_status");
    expect((await errorOf(revert("act_00000000000000000000000000"))).code).toBe("RESOURCE_NOT_FOUND");
    const waiting = await propose("delete_entity", { id, reason: "x" });
    expect(await errorOf(revert(waiting.action_id))).toMatchObject({ code: "wrong_status", status: 409 });
    await owner.call("substrate.approve", { action_id: waiting.action_id });
    expect((await errorOf(revert(waiting.action_id))).code).toBe("ACTION_NOT_REVERSIBLE");
  });

  it("by an app reaches only what that app proposed", async () => {
    const app = await stand.createApp();
    const asApp = { ...agent, proposer: { ...agent.proposer, sourceAppId: app.id } };
    const theirs = await propose("record_learning", { title: "a", description: "b" });
    const own = await stand.propose(asApp, "record_learning", { title: "a", description: "b" });
    expect((await errorOf(revert(theirs.action_id, asApp))).code).toBe("RESOURCE_NOT_FOUND");
    expect(await revert(own.action_id, asApp)).toMatchObject({ requires_approval: false });
  });

  it("of one action by many at once is one revert", async () => {
    const { action_id } = await propose("record_learning", { title: "a", description: "b" });
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => errorOf(revert(action_id)).then(({ code }) => code)),
    );
    expect(outcomes.sort()).toEqual(["done", ...Array.from({ length: 7 }, () => "wrong_status")]);
  });

  it("a chain undone in order is as if it had never been", async () => {
    const counts = () =>
      stand.memory.service.counts(stand.platform.database, stand.organizationId, stand.now());
    const before = await counts();
    const entity = await propose("upsert_entity", { type: "company", display_name: "Chain" });
    const id = (entity.result as Any).entity_id;
    const steps = [
      entity,
      await propose("patch_entity", { id, attrs_patch: { a: { b: 1 } } }),
      await propose("record_commitment", { description: "c", status: "confirmed", to_entity: id }),
      await propose("patch_entity", { id, attrs_patch: { a: null } }),
    ];
    for (const { action_id } of steps.toReversed()) await revert(action_id);
    expect(await stand.memory.service.get(reader(), id)).toBeNull();
    const after: Any = await counts();
    expect({ ...after, entity_count_24h: 0 }).toMatchObject({
      entity_count: before.entity_count!,
      commitment_count: before.commitment_count!,
    });
  });
});

describe("undoing what a person approved", () => {
  it("waits for a person again, unless a person asks for it", async () => {
    const rule = await stand.principle(owner, {
      type: "approval_above",
      params: { field: "amount", threshold: 10 },
    });
    const big = { description: "A big one", status: "confirmed", amount: 11 };
    const approved = async () => {
      const { action_id } = await stand.propose(agent, "record_commitment", big);
      await stand.approvals.service.decide(
        owner.key,
        { kind: "substrate_action", subject: action_id },
        { decision: "approve", reason: null },
        stand.now(),
      );
      return action_id;
    };
    const [first, second] = [await approved(), await approved()];
    const byAgent = await revert(first);
    expect(byAgent.verdict).toMatchObject({ result: "requires_approval" });
    expect(byAgent.verdict.reason).toContain(first);
    expect((await revert(second, owner)).verdict.result).toBe("auto_approved");
    await rule.retire();
  });
});

describe("bulk_revert_actions", () => {
  it("shows the plan first, undoes in that order, and collects what can't be undone", async () => {
    const entity = await propose("upsert_entity", { type: "company", display_name: "Bulk" });
    const id = (entity.result as Any).entity_id;
    const patch = await propose("patch_entity", { id, attrs_patch: { a: 1 } });
    const owed = await propose("record_commitment", { description: "c", status: "confirmed", to_entity: id });
    const kept = await propose("upsert_entity", { type: "company", display_name: "Kept" });
    const keptId = (kept.result as Any).entity_id;
    await propose("record_commitment", { description: "d", status: "confirmed", to_entity: keptId });
    const unknown = "act_00000000000000000000000000";
    const action_ids = [entity.action_id, kept.action_id, unknown, patch.action_id, owed.action_id];
    const bulk = await propose("bulk_revert_actions", { action_ids, reason: "all wrong" });
    const { approval } = await action(bulk.action_id);
    const { preview } = await owner.call<Any>("approvals.get", { approval_id: approval.id });
    const failures = [
      { action_id: unknown, code: "RESOURCE_NOT_FOUND" },
      { action_id: kept.action_id, code: "REVERT_BLOCKED" },
    ];
    expect(preview.plan.order.at(-1)).toBe(entity.action_id);
    expect(preview.plan.failed).toMatchObject(failures);
    expect(await stand.memory.service.get(reader(), id)).not.toBeNull();
    const done = await owner.call<Any>("substrate.approve", { action_id: bulk.action_id });
    expect(done.result.reverted).toEqual(preview.plan.order);
    expect(done.result.failed).toMatchObject(failures);
    expect(await stand.memory.service.get(reader(), id)).toBeNull();
    expect(await stand.memory.service.get(reader(), keptId)).not.toBeNull();
    for (const each of done.result.reverted) expect((await action(each)).reverted_by).toBe(bulk.action_id);
    expect((await action(kept.action_id)).reverted_by).toBeNull();
    expect((await errorOf(revert(bulk.action_id))).code).toBe("ACTION_NOT_REVERSIBLE");
  });

  it("of everything an organisation did leaves nothing", async () => {
    const organizationId = await stand.organization();
    const [owner, bot] = [
      await stand.member("owner", { organizationId }),
      await stand.member("developer", { organizationId, kind: "agent" }),
    ];
    const ids: string[] = [];
    const remember = async (capability: string, payload: JsonObject): Promise<Any> => {
      const { action_id, result } = await stand.propose(bot, capability, payload);
      ids.push(action_id);
      return result;
    };
    const entities: string[] = [];
    for (let n = 0; n < 12; n++) {
      const { entity_id } = await remember("upsert_entity", {
        type: "person",
        display_name: `P${n % 8}`,
        primary_email: `p${n % 8}@x.example`,
      });
      if (!entities.includes(entity_id)) entities.push(entity_id);
      await remember("patch_entity", {
        id: entities[n % 3 < entities.length ? n % 3 : 0]!,
        attrs_patch: { [`k${n}`]: n },
      });
      await remember("record_commitment", {
        description: `c${n}`,
        status: "proposed",
        from_entity: entity_id,
        to_entity: entities[0]!,
      });
    }
    const shuffled = ids.toSorted((a, b) => (a.slice(-5) < b.slice(-5) ? -1 : 1));
    const { action_id } = await stand.propose(owner, "bulk_revert_actions", {
      action_ids: shuffled,
      reason: "start over",
    });
    const done = await owner.call<Any>("substrate.approve", { action_id });
    expect(done).toMatchObject({ status: "executed", result: { failed: [] } });
    expect(done.result.reverted).toHaveLength(ids.length);
    const kinds: RecordKind[] = ["entity", "commitment"];
    const { records } = await stand.memory.service.list(
      { organizationId, scope: null },
      { kinds, limit: 50 },
    );
    expect(records).toEqual([]);
  });
});
