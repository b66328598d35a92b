import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../ledger/service.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
beforeAll(async () => {
  stand = await substrateStand();
});
afterAll(() => stand.stop());

/** Each test has an organisation of its own, with one member who may decide. */
let organizationId: string;
let owner: Member;
let agent: Member;
beforeEach(async () => {
  organizationId = await stand.organization();
  owner = await stand.member("owner", { organizationId });
  agent = await stand.member("developer", { organizationId, kind: "agent" });
});

type Any = any;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code,
  );
const action = (id: string): Promise<Any> => stand.substrate.service.action(organizationId, id);
const person = async (name = "Ada"): Promise<string> =>
  ((await stand.propose(agent, "upsert_entity", { type: "person", display_name: name })).result as Any)
    .entity_id;
const exists = async (id: string) =>
  (await stand.memory.service.get({ organizationId, scope: null }, id)) !== null;
const deletion = async () => {
  const id = await person();
  const { action_id } = await stand.propose(agent, "delete_entity", { id, reason: "wrong" });
  return { id, action_id };
};
const approve = (action_id: string, by = owner) => by.call<Any>("substrate.approve", { action_id });
const kindsOf = async (id: string) => (await stand.entries(id)).map(({ kind }) => kind);

describe("a waiting action", () => {
  it("changes nothing until it is approved, and then once", async () => {
    const { id, action_id } = await deletion();
    expect(await exists(id)).toBe(true);
    const done = await approve(action_id);
    expect(done).toMatchObject({
      ...{ id: action_id, status: "executed", approved_by: owner.key.accountId, approved_by_kind: "human" },
      approval: { status: "approved", decisions: [{ decision: "approve", account_id: owner.key.accountId }] },
      changes: [{ id, kind: "entity", change: "deleted" }],
    });
    expect(await exists(id)).toBe(false);
    expect(await codeOf(approve(action_id))).toBe("wrong_status");
    expect(await codeOf(owner.call("substrate.reject", { action_id }))).toBe("wrong_status");
    const [, executed] = await stand.entries(action_id);
    expect(executed).toMatchObject({
      kind: "substrate.action.executed",
      actor: { type: "person", id: owner.key.keyId, account: owner.key.accountId },
    });
  });

  it("is executed once, however many approve at once on two nodes", async () => {
    const { action_id } = await deletion();
    const others = await Promise.all(
      Array.from({ length: 5 }, () => stand.member("policy_manager", { organizationId })),
    );
    const node = stand.node();
    const decide = (by: Member, on: Pick<Stand, "approvals">) =>
      on.approvals.service.decide(
        by.key,
        { kind: "substrate_action", subject: action_id },
        { decision: "approve", reason: null },
        stand.now(),
      );
    const outcomes = await Promise.all(
      [owner, ...others].map((by, n) => codeOf(decide(by, n % 2 === 0 ? stand : node))),
    );
    expect(outcomes.sort()).toEqual(["done", ...Array.from({ length: 5 }, () => "wrong_status")]);
    expect(await kindsOf(action_id)).toEqual(["substrate.action.proposed", "substrate.action.executed"]);
  });

  it("is rejected with a reason that its proposer finds", async () => {
    const { id, action_id } = await deletion();
    await owner.call("substrate.reject", { action_id, reason: "We need her" });
    expect(await action(action_id)).toMatchObject({
      status: "rejected",
      rejected_reason: "We need her",
      result: null,
    });
    expect(await exists(id)).toBe(true);
    expect(await kindsOf(action_id)).toEqual(["substrate.action.proposed", "substrate.action.rejected"]);
    expect(JSON.stringify(await stand.entries(action_id))).not.toContain("need her");
  });

  it("expires", async () => {
    const { id, action_id } = await deletion();
    stand.setTime(stand.now() + 25 * 3_600_000);
    expect(await codeOf(approve(action_id))).toBe("wrong_status");
    expect(await action(action_id)).toMatchObject({
      ...{ status: "rejected", rejected_reason: expect.stringContaining("expired"), approved_by: null },
      approval: { status: "expired" },
    });
    expect(await exists(id)).toBe(true);
    expect(await kindsOf(action_id)).toEqual(["substrate.action.proposed", "substrate.action.rejected"]);
  });

  it("that can't be done any more fails, and nothing of it is done", async () => {
    const { id, action_id } = await deletion();
    const { action_id: second } = await stand.propose(agent, "delete_entity", { id, reason: "again" });
    await approve(action_id);
    const failed = await approve(second);
    expect(failed).toMatchObject({
      status: "failed",
      error: { code: expect.any(String) },
      result: null,
      executed_at: null,
    });
    expect(failed.error.code).not.toBe("INTERNAL_ERROR");
    expect(await kindsOf(second)).toEqual(["substrate.action.proposed", "substrate.action.failed"]);
    expect(await codeOf(approve(second))).toBe("wrong_status");
  });

  it("fails when an owner has forbidden its capability meanwhile", async () => {
    const { id, action_id } = await deletion();
    await owner.call("substrate.set_capability_policy", { capability: "delete_entity", mode: "forbidden" });
    expect(await approve(action_id)).toMatchObject({
      status: "failed",
      error: { code: "CAPABILITY_FORBIDDEN" },
    });
    expect(await exists(id)).toBe(true);
  });

  it("waits for as many people as the owner asked for", async () => {
    await owner.call("substrate.set_capability_policy", {
      capability: "delete_entity",
      mode: "approval",
      approvers: 2,
    });
    const { id, action_id } = await deletion();
    expect(await approve(action_id)).toMatchObject({ status: "proposed" });
    expect(await codeOf(approve(action_id))).toBe("APPROVAL_TWICE");
    expect(await exists(id)).toBe(true);
    const second = await stand.member("policy_manager", { organizationId });
    expect(await approve(action_id, second)).toMatchObject({
      status: "executed",
      approved_by: second.key.accountId,
    });
    expect(await exists(id)).toBe(false);
  });

  it("is decided by people with the right to, and not by whoever proposed once there are two", async () => {
    const { action_id } = await deletion();
    expect(await codeOf(approve(action_id, agent))).toBe("AUTH_PERSON_REQUIRED");
    const developer = await stand.member("developer", { organizationId });
    expect(await codeOf(approve(action_id, developer))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    const reader = await stand.member("owner", { organizationId, scopes: ["*", "read"] });
    expect(await codeOf(approve(action_id, reader))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    const own = await stand.propose(owner, "delete_entity", { id: await person(), reason: "mine" });
    expect(await codeOf(approve(own.action_id))).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(await approve(action_id)).toMatchObject({ status: "executed" });
  });

  it("shows in the inbox exactly what is asked for, and what approving would do", async () => {
    const { id, action_id } = await deletion();
    const { approval } = await action(action_id);
    const seen = await owner.call<Any>("approvals.get", { approval_id: approval.id });
    expect(seen).toMatchObject({
      ...{ kind: "substrate_action", subject: action_id, title: "Delete an entity (delete_entity)" },
      reason: "delete_entity needs approval by default.",
      request: { capability: "delete_entity", payload: { id, reason: "wrong" } },
      preview: { changes: [{ id, kind: "entity", before: { title: "Ada" }, after: null }], problem: null },
    });
    expect(await exists(id)).toBe(true);
    const again = await owner.call<Any>("approvals.get", { approval_id: approval.id });
    expect(again.preview_hash).toBe(seen.preview_hash);
  });
});

describe("conflicts with principles", () => {
  const learn = () => stand.propose(agent, "record_learning", { title: "a", description: "b" });
  const conflictsOf = async (filter: JsonObject) =>
    (await owner.call<Any>("substrate.list_policy_conflicts", filter)).conflicts;

  it("gate even what is automatic, are listed, and settled with the action", async () => {
    const { id } = await stand.principle(
      owner,
      { type: "max_per_day", params: { n: 0 } },
      { capability: "record_learning" },
      "None",
    );
    const { action_id, verdict } = await learn();
    expect(verdict.result).toBe("requires_approval");
    expect(verdict.reason).toContain('The principle "None" stands against it');
    const [conflict] = await conflictsOf({ status: "open" });
    expect(conflict).toMatchObject({
      action_id,
      principle_id: id,
      title: "None",
      status: "open",
      resolution: null,
    });
    const { conflict_id } = { conflict_id: conflict.id };
    const settled = await owner.call<Any>("substrate.resolve_policy_conflict", {
      conflict_id,
      resolution: "approve",
    });
    expect(settled).toMatchObject({
      status: "resolved",
      resolution: "approve",
      resolved_by: owner.key.accountId,
    });
    expect(await action(action_id)).toMatchObject({ status: "executed" });
    expect(
      await codeOf(owner.call("substrate.resolve_policy_conflict", { conflict_id, resolution: "approve" })),
    ).toBe("wrong_status");
    const replay = await conflictsOf({ action_id });
    expect(replay).toHaveLength(1);
  });

  it("reject and dismiss", async () => {
    await stand.principle(
      owner,
      { type: "max_per_day", params: { n: 0 } },
      { capability: "record_learning" },
    );
    const first = await learn();
    const second = await learn();
    const [of2, of1] = await conflictsOf({ status: "open" });
    await owner.call("substrate.resolve_policy_conflict", {
      conflict_id: of1.id,
      resolution: "reject",
      reason: "no",
    });
    expect(await action(first.action_id)).toMatchObject({ status: "rejected", rejected_reason: "no" });
    await owner.call("substrate.resolve_policy_conflict", {
      conflict_id: of2.id,
      resolution: "dismiss",
      reason: "fine",
    });
    expect(await action(second.action_id)).toMatchObject({ status: "proposed" });
    expect(await conflictsOf({ status: "open" })).toEqual([]);
    expect(
      await codeOf(
        agent.call("substrate.resolve_policy_conflict", { conflict_id: of2.id, resolution: "approve" }),
      ),
    ).toBe("AUTH_PERSON_REQUIRED");
    expect(await codeOf(owner.call("substrate.get_policy_conflict", { conflict_id: "con_none" }))).toBe(
      "RESOURCE_NOT_FOUND",
    );
  });

  it("a principle may reject, and is retired all the same", async () => {
    const everything = await stand.principle(
      owner,
      { type: "max_per_day", params: { n: 0 }, effect: "reject" },
      {},
    );
    const { action_id, verdict, requires_approval } = await learn();
    expect({ result: verdict.result, requires_approval }).toEqual({
      result: "rejected",
      requires_approval: false,
    });
    expect(await conflictsOf({ action_id })).toMatchObject([{ status: "resolved", resolution: "reject" }]);
    await everything.retire();
    expect((await learn()).verdict.result).toBe("auto_approved");
  });
});
