import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../ledger/service.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let agent: Member;
let appId: string;
let bound: Member;
beforeAll(async () => {
  stand = await substrateStand();
  owner = await stand.member("owner");
  agent = await stand.member("developer", { kind: "agent" });
  appId = (await stand.createApp()).id;
  bound = await stand.member("developer", { kind: "agent", scopes: [`app:${appId}`] });
  await stand.links.service.link(appId, stand.organizationId, { own_only: true });
});
afterAll(() => stand.stop());

type Any = any;
const refusalOf = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: "done" }),
    ({ code, message, details }) => ({ code, message, details }),
  );
const person = (by: Member, facts: JsonObject): Promise<string> =>
  by
    .call<Any>("substrate.propose", { capability: "upsert_entity", payload: { type: "person", ...facts } })
    .then(({ result }) => result.entity_id);

describe("an app that sees only what it wrote", () => {
  let secret: string;
  let own: string;
  beforeAll(async () => {
    const facts = { display_name: "Mata Hari", primary_email: "h21@x.example", attrs: { salary: 4711 } };
    secret = await person(agent, facts);
    own = await person(bound, { display_name: "Own", primary_email: "own@x.example" });
  });

  it("is not shown by a preview what another's record would give to its own", async () => {
    const merge = {
      capability: "merge_entities",
      payload: { loser_id: secret, winner_id: own, reason: "I wonder" },
    };
    const seen = await bound.call<Any>("substrate.preview", merge);
    expect(seen.changes).toEqual(
      expect.arrayContaining([secret, own].map((id) => ({ id, kind: "entity", hidden: true }))),
    );
    expect(JSON.stringify(seen)).not.toMatch(/4711|h21@/);
    expect(JSON.stringify(await agent.call("substrate.preview", merge))).toMatch(/4711/);
  });

  it("is not shown by a preview what undoing brings back", async () => {
    const joined = await agent.call<Any>("substrate.propose", {
      capability: "link_records",
      payload: { from_id: secret, to_id: own, relation: "handles", attrs: { pay: "0815" } },
    });
    const gone = await bound.call<Any>("substrate.propose", {
      capability: "unlink_records",
      payload: { link_id: joined.result.link_id },
    });
    const back = { capability: "revert_action", payload: { action_id: gone.action_id } };
    const seen = await bound.call<Any>("substrate.preview", back);
    expect(seen.changes).toEqual([{ id: joined.result.link_id, kind: "link", hidden: true }]);
    expect((await bound.call<Any>("substrate.propose", back)).requires_approval).toBe(false);
  });

  it("sees its own records change", async () => {
    const patch = { capability: "patch_entity", payload: { id: own, attrs_patch: { a: 1 } } };
    const [change] = (await bound.call<Any>("substrate.preview", patch)).changes;
    expect(change).toMatchObject({ before: { title: "Own" }, after: { data: { attrs: { a: 1 } } } });
    const fresh = { capability: "upsert_entity", payload: { type: "person", display_name: "New" } };
    const [made] = (await bound.call<Any>("substrate.preview", fresh)).changes;
    expect(made).toMatchObject({ before: null, after: { title: "New" } });
  });

  it("learns no names from keys that lead to others", async () => {
    const both = {
      type: "person",
      display_name: "Own",
      primary_email: "h21@x.example",
      canonical_keys: { email: "own@x.example" },
    };
    const upsert = { capability: "upsert_entity", payload: both };
    const refused = await refusalOf(bound.call("substrate.propose", upsert));
    expect(refused).toEqual({
      ...{ code: "ENTITY_AMBIGUOUS", message: "The keys belong to different entities." },
      details: undefined,
    });
    const { problem } = await bound.call<Any>("substrate.preview", upsert);
    expect(problem).toEqual({ code: refused.code, message: "The keys belong to different entities." });
    expect((await refusalOf(agent.call("substrate.propose", upsert))) as Any).toMatchObject({
      ...{ message: expect.stringContaining("Mata Hari"), details: { candidates: [{}, {}] } },
    });
    await stand.links.service.link(appId, stand.organizationId, {});
    expect(await refusalOf(bound.call("substrate.propose", upsert))).toMatchObject({
      message: expect.stringContaining("Mata Hari"),
    });
    await stand.links.service.link(appId, stand.organizationId, { own_only: true });
  });
});

describe("an owner's key that is bound to an app", () => {
  it("decides and sets nothing for the whole organisation", async () => {
    await stand.principle(owner, { type: "max_per_day", params: { n: 0 } }, { capability: "place_call" });
    const boundOwner = await stand.member("owner", { scopes: [`app:${appId}`] });
    const dial = { capability: "place_call", payload: { to: "1", purpose: "x" } };
    const { action_id } = await agent.call<Any>("substrate.propose", dial);
    const { conflicts } = await owner.call<Any>("substrate.list_policy_conflicts");
    const { id: conflict_id } = conflicts.find((each: Any) => each.action_id === action_id);
    const tries: [string, JsonObject][] = [
      ["approve", { action_id }],
      ["reject", { action_id, reason: "x" }],
      ["resolve_policy_conflict", { conflict_id, resolution: "approve" }],
      ["resolve_policy_conflict", { conflict_id, resolution: "dismiss" }],
      ["set_yolo", { yolo_mode: true }],
      ["set_capability_policy", { capability: "merge_entities", mode: "auto", approvers: 1 }],
      ["reset_capability_policy", { capability: "merge_entities" }],
      ["erase", { action_ids: [action_id], reason: "x" }],
    ];
    for (const [name, input] of tries) {
      const { code } = await refusalOf(boundOwner.call(`substrate.${name}`, input));
      expect([name, code]).toEqual([name, "AUTH_INSUFFICIENT_PERMISSIONS"]);
    }
    expect(await owner.call("substrate.get_action", { action_id })).toMatchObject({ status: "proposed" });
    expect((await owner.call<Any>("substrate.get_settings")).yolo_mode).toBe(false);
    expect(await owner.call("substrate.approve", { action_id })).toMatchObject({ status: "executed" });
  });
});

describe("idempotency keys of Ambit's own proposals", () => {
  it("can't be taken by anyone else", async () => {
    const proposal = { capability: "record_learning", payload: { title: "t", description: "d" } };
    for (const idempotency_key of [
      `app_user:${appId}:0b0e8f0a-1c1c-4c8e-9c3e-1d1f2a3b4c5d:deleted`,
      "fire_01m81vapp2xjvdr4wfn73cyvvn:ent_01m81vapp2xjvdr4wfn73cyvvn",
    ]) {
      const { code } = await refusalOf(agent.call("substrate.propose", { ...proposal, idempotency_key }));
      expect(code).toBe("VALIDATION_INVALID_SCHEMA");
    }
    const free = { ...proposal, idempotency_key: "fire_drill" };
    expect(await agent.call("substrate.propose", free)).toMatchObject({ requires_approval: false });
  });
});

describe("what reaches people outside", () => {
  it("has nothing in its lines that ends them", async () => {
    const draft = { to: "a@x.example", subject: "Hello", body: "Two\nlines" };
    for (const payload of [
      { ...draft, subject: "Hello\r\nBcc: all@x.example" },
      { ...draft, to: ["b@x.example", "a@x.example\nBcc: all@x.example"] },
      { ...draft, target_role: "x\u2028y" },
    ]) {
      const call = { capability: "send_email_draft", payload };
      expect(await refusalOf(agent.call("substrate.propose", call))).toMatchObject({
        ...{ code: "VALIDATION_INVALID_SCHEMA", message: expect.stringContaining("one line") },
      });
    }
    const fine = { capability: "send_email_draft", payload: draft };
    expect(await agent.call("substrate.propose", fine)).toMatchObject({ requires_approval: true });
  });
});
