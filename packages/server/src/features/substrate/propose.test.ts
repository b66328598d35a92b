import { canonicalText } from "@ambit/ledger";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../ledger/service.ts";
import { CAPABILITIES } from "./capabilities.ts";
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
    (done) => {
      throw new Error(`no error, but ${JSON.stringify(done)}`);
    },
    (error) => error,
  );
const codeOf = async (promise: Promise<unknown>) => (await errorOf(promise)).code;
const action = (id: string): Promise<Any> => stand.substrate.service.action(stand.organizationId, id);
const person = async (name = "Ada"): Promise<string> =>
  ((await stand.propose(agent, "upsert_entity", { type: "person", display_name: name })).result as Any)
    .entity_id;

describe("every capability", () => {
  /** A payload of each that can be executed, and what its result must have. */
  const cases: Record<string, () => Promise<[payload: JsonObject, result: JsonObject]>> = {
    upsert_entity: async () => [
      { type: "company", display_name: "Acme", primary_email: "hi@acme.example" },
      { entity_id: expect.stringMatching(/^ent_/), was_insert: true } as Any,
    ],
    update_entity: async () => [{ id: await person(), display_name: "Ada L." }, {}],
    patch_entity: async () => [{ id: await person(), attrs_patch: { role: "lead" } }, {}],
    record_decision: async () => [
      { title: "Ship on Fridays", kind: "operational" },
      { decision_id: expect.stringMatching(/^dec_/) } as Any,
    ],
    record_commitment: async () => [
      { description: "Pay", status: "confirmed", from_entity: await person(), amount: 12.5, unit: "EUR" },
      { commitment_id: expect.stringMatching(/^com_/) } as Any,
    ],
    record_learning: async () => [
      { title: "Tests", description: "They pay off" },
      { learning_id: expect.stringMatching(/^lrn_/) } as Any,
    ],
    upsert_source_artifact: async () => [
      { kind: "email", title: "Re: hello", external_system: "mail", external_id: "1" },
      { artifact_id: expect.stringMatching(/^art_/), was_insert: true, before: null } as Any,
    ],
    link_records: async () => [
      { from_id: await person(), to_id: await person(), relation: "knows" },
      { link_id: expect.stringMatching(/^lnk_/) } as Any,
    ],
    async unlink_records() {
      const payload = { from_id: await person(), to_id: await person(), relation: "knows" };
      const { result } = await stand.propose(agent, "link_records", payload);
      return [{ link_id: (result as Any).link_id }, {}];
    },
    async revert_action() {
      const { action_id } = await stand.propose(agent, "record_learning", {
        title: "No",
        description: "Not so",
      });
      return [{ action_id }, { reverted_action_id: action_id }];
    },
    record_principle: async () => [
      {
        title: "Few",
        applies_to: { capability: "place_call" },
        constraint_spec: { type: "max_per_week", params: { n: 3 } },
      },
      { decision_id: expect.stringMatching(/^dec_/) } as Any,
    ],
    async amend_principle() {
      const { id } = await stand.principle(
        owner,
        { type: "max_per_week", params: { n: 3 } },
        { capability: "place_call" },
      );
      return [{ principle_id: id, constraint_spec: { type: "max_per_day", params: { n: 1 } } }, {}];
    },
    async retire_principle() {
      const { id } = await stand.principle(
        owner,
        { type: "max_per_week", params: { n: 3 } },
        { capability: "place_call" },
      );
      return [{ principle_id: id, reason: "old" }, {}];
    },
    async supersede_decision() {
      const { result } = await stand.propose(agent, "record_decision", { title: "Old", kind: "strategic" });
      return [{ old_decision_id: (result as Any).decision_id, new_title: "New", kind: "strategic" }, {}];
    },
    delete_entity: async () => [{ id: await person("Gone"), reason: "a mistake" }, {}],
    merge_entities: async () => [
      { loser_id: await person("Ada2"), winner_id: await person("Ada1"), reason: "same" },
      {},
    ],
    async bulk_revert_actions() {
      const one = await stand.propose(agent, "record_learning", { title: "a", description: "b" });
      return [
        { action_ids: [one.action_id], reason: "wrong" },
        { reverted: [one.action_id], failed: [] },
      ];
    },
    send_email_draft: async () => [
      { to: "ada@example.com", subject: "Hi", body: "Hello" },
      { queued: 0, hint: expect.stringContaining("send_email_draft") } as Any,
    ],
    place_call: async () => [
      { to: "+49 30 1234", purpose: "remind" },
      { queued: 0, outbox_ids: [] },
    ],
  };

  it("has a case here", () => {
    expect(Object.keys(cases).sort()).toEqual([...CAPABILITIES.keys()].sort());
  });

  it.each([...CAPABILITIES.values()])(
    "$name does what it says, at once or after approval",
    async (capability) => {
      const [payload, result] = await cases[capability.name]!();
      const answer = await stand.propose(agent, capability.name, payload);
      const waits = capability.defaultMode === "approval";
      expect(answer).toMatchObject({
        action_id: expect.stringMatching(/^act_[0-9a-z]{26}$/),
        verdict: { result: waits ? "requires_approval" : "auto_approved", conflicts: [] },
        requires_approval: waits,
      });
      if (waits) {
        expect(answer.result).toBeUndefined();
        expect(answer.approval_url).toBe(`http://127.0.0.1:4000/approve/${answer.approval_id}`);
        expect(await action(answer.action_id)).toMatchObject({ status: "proposed", executed_at: null });
        await owner.call("substrate.approve", { action_id: answer.action_id });
      }
      const row = await action(answer.action_id);
      expect(row).toMatchObject({ status: "executed", action_type: capability.name, result, error: null });
      if (!waits) expect(row.result).toEqual(answer.result);
      const kinds = (await stand.entries(answer.action_id)).map(({ kind }) => kind);
      expect(kinds).toEqual(
        waits ? ["substrate.action.proposed", "substrate.action.executed"] : ["substrate.action.executed"],
      );
    },
  );
});

describe("what an action leaves", () => {
  it("is a row with everything a client reads, and a ledger entry that gives nothing away", async () => {
    const { action_id, result } = await stand.substrate.service.propose(
      { ...agent.proposer, label: "Mallory's key" },
      {
        organizationId: stand.organizationId,
        capability: "upsert_entity",
        payload: { type: "person", display_name: "Grace Hopper", primary_email: "grace@navy.example" },
        idempotencyKey: "grace",
        triggerContext: "a talk with Grace",
      },
      stand.now(),
    );
    const row = await action(action_id);
    const id = (result as Any).entity_id;
    expect(row).toMatchObject({
      ...{ id: action_id, status: "executed", action_type: "upsert_entity", capability: "upsert_entity" },
      ...{ proposed_at: expect.stringMatching(/Z$/), executed_at: expect.stringMatching(/Z$/) },
      ...{ approved_by: null, rejected_reason: null, source_app_id: null, source_rule_id: null },
      ...{ trigger_context: "a talk with Grace", idempotency_key: "grace", reverted_by: null },
      proposer: {
        kind: "agent",
        id: agent.key.keyId,
        account_id: agent.key.accountId,
        label: "Mallory's key",
      },
      changes: [{ id, kind: "entity", change: "created" }],
      changes_count: 1,
    });
    const [entry] = await stand.entries(action_id);
    expect(entry).toMatchObject({
      actor: { type: "agent", id: agent.key.keyId, account: agent.key.accountId },
      data: { capability: "upsert_entity", verdict: "auto_approved", principles: [], records_changed: 1 },
    });
    expect(Object.keys(entry!.sealed).sort()).toEqual([
      "payload",
      "proposer",
      "reason",
      "result",
      "trigger_context",
    ]);
    expect(JSON.stringify(entry)).not.toMatch(/grace|navy|mallory/i);
    expect(row.ledger_entry_id).toBe((entry as Any).id);
    const record = await stand.memory.service.get({ organizationId: stand.organizationId, scope: null }, id);
    expect(record).toMatchObject({ created_by_action: action_id, action_id });
  });

  it("is nothing at all when it can't be done, also of its key", async () => {
    const before = await stand.platform.database.query("select count(*) from ambit.ledger_entries");
    const update = { id: "ent_00000000000000000000000000", display_name: "x" };
    const error = await errorOf(stand.propose(agent, "update_entity", update, { idempotencyKey: "later" }));
    expect([400, 404]).toContain(error.status);
    expect(await stand.platform.database.query("select count(*) from ambit.ledger_entries")).toEqual(before);
    const mended = await stand.propose(
      ...([agent, "update_entity", { ...update, id: await person() }, { idempotencyKey: "later" }] as const),
    );
    expect(mended).toMatchObject({ requires_approval: false });
    expect(mended.replay).toBeUndefined();
  });
});

it("an automatic proposal takes eight round trips", async () => {
  const learn = () => stand.propose(agent, "record_learning", { title: "a", description: "b" });
  await learn();
  const sent = vi.spyOn(pg.Client.prototype, "query");
  await learn();
  const count = sent.mock.calls.length;
  sent.mockRestore();
  expect(count).toBeLessThanOrEqual(8);
});

describe("what is refused before it is an action", () => {
  it.each<[string, JsonObject, string]>([
    ["fly_to_moon", {}, "CAPABILITY_UNKNOWN"],
    ["toString", {}, "CAPABILITY_UNKNOWN"],
    ["record_decision", {}, "VALIDATION_INVALID_SCHEMA"],
    ["record_decision", { title: "x", kind: "whim" }, "VALIDATION_INVALID_SCHEMA"],
    ["revert_action", {}, "VALIDATION_INVALID_SCHEMA"],
    ["bulk_revert_actions", { action_ids: [], reason: "x" }, "VALIDATION_INVALID_SCHEMA"],
    ["bulk_revert_actions", { action_ids: ["act_1", "act_1"], reason: "x" }, "VALIDATION_INVALID_SCHEMA"],
    ["send_email_draft", { to: [], subject: "x", body: "y" }, "VALIDATION_INVALID_SCHEMA"],
    ["record_decision", { title: Number.NaN, kind: "mission" }, "VALIDATION_INVALID_SCHEMA"],
    ["place_call", { to: "1", purpose: "null \0 character" }, "VALIDATION_INVALID_SCHEMA"],
    ["place_call", { to: "1", purpose: "half \ud83d pair" }, "VALIDATION_INVALID_SCHEMA"],
    ["record_learning", { title: "x", description: "y".repeat(4_200_000) }, "PROPOSAL_TOO_LARGE"],
    [
      "record_principle",
      { title: "x", applies_to: {}, constraint_spec: { type: "max_per_fortnight", params: { n: 1 } } },
      "VALIDATION_INVALID_SCHEMA",
    ],
    [
      "record_principle",
      {
        title: "x",
        applies_to: { capability: "fly" },
        constraint_spec: { type: "max_per_week", params: { n: 1 } },
      },
      "VALIDATION_INVALID_SCHEMA",
    ],
  ])("%s (case %#)", async (capability, payload, code) => {
    expect(await codeOf(stand.propose(agent, capability, payload))).toBe(code);
  });

  it("keys and contexts that are too long", async () => {
    const payload = { title: "x", kind: "mission" };
    for (const idempotencyKey of ["", "k".repeat(256)])
      expect(await codeOf(stand.propose(agent, "record_decision", payload, { idempotencyKey }))).toBe(
        "VALIDATION_INVALID_SCHEMA",
      );
  });
});

describe("idempotency", () => {
  const payload = { type: "company", display_name: "Initech", attrs: { a: 1, b: [2] } };

  it("answers the same for ever, whatever the order of the fields", async () => {
    const first = await stand.propose(agent, "upsert_entity", payload, { idempotencyKey: "initech" });
    const again = await stand.propose(
      ...([
        agent,
        "upsert_entity",
        { attrs: { b: [2], a: 1 }, display_name: "Initech", type: "company" },
      ] as const),
      { idempotencyKey: "initech" },
    );
    expect(again).toEqual({ ...first, replay: true });
    const other = { ...payload, attrs: { a: 1, b: [3] } };
    const error = await errorOf(stand.propose(agent, "upsert_entity", other, { idempotencyKey: "initech" }));
    expect(error).toMatchObject({
      code: "IDEMPOTENCY_CONFLICT",
      status: 409,
      details: { action_id: first.action_id },
    });
  });

  it("comes before validation: a key that is known is answered or refused, never read", async () => {
    const proposal = { title: "Read once", kind: "mission" };
    await stand.propose(agent, "record_decision", proposal, { idempotencyKey: "once" });
    for (const [capability, bad] of [
      ["record_decision", { nonsense: true }],
      ["no_such_capability", proposal],
    ] as const)
      expect(await codeOf(stand.propose(agent, capability, bad, { idempotencyKey: "once" }))).toBe(
        "IDEMPOTENCY_CONFLICT",
      );
    expect(
      await codeOf(stand.propose(agent, "record_decision", { nonsense: true }, { idempotencyKey: "new" })),
    ).toBe("VALIDATION_INVALID_SCHEMA");
  });

  it("a replay leaves out the conflicts and tells the status of today", async () => {
    const gone = { id: await person("Waits"), reason: "test" };
    const first = await stand.propose(agent, "delete_entity", gone, { idempotencyKey: "gone" });
    const waiting = await stand.propose(agent, "delete_entity", gone, { idempotencyKey: "gone" });
    expect(waiting).toEqual({ ...first, replay: true });
    await owner.call("substrate.approve", { action_id: first.action_id });
    const done = await stand.propose(agent, "delete_entity", gone, { idempotencyKey: "gone" });
    expect(done).toMatchObject({ action_id: first.action_id, requires_approval: false, replay: true });
    expect(done.result).toBeDefined();
    expect(done.approval_url).toBeUndefined();
  });

  it("keys of two organisations are two keys", async () => {
    const elsewhere = await stand.member("owner", { organizationId: await stand.organization() });
    await stand.propose(agent, "upsert_entity", payload, { idempotencyKey: "shared" });
    const theirs = await stand.propose(elsewhere, "upsert_entity", payload, { idempotencyKey: "shared" });
    expect(theirs.replay).toBeUndefined();
  });

  it("32 proposals at once with one key are one action, on two nodes", async () => {
    const nodes = [stand, stand.node()];
    const proposal = {
      ...{ organizationId: stand.organizationId, capability: "upsert_entity", idempotencyKey: "burst" },
      payload: { type: "person", display_name: "Burst", primary_email: "burst@example.com" },
    };
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, n) =>
        nodes[n % 2]!.substrate.service.propose(agent.proposer, proposal, stand.now()),
      ),
    );
    expect(new Set(answers.map(({ action_id }) => action_id)).size).toBe(1);
    expect(answers.filter(({ replay }) => replay !== true)).toHaveLength(1);
    expect(new Set(answers.map(({ result }) => canonicalText(result!))).size).toBe(1);
    expect(await stand.entries(answers[0]!.action_id)).toHaveLength(1);
  });

  it("32 at once of what can be done only once are one deletion and 31 replays", async () => {
    await owner.call("substrate.set_capability_policy", { capability: "delete_entity", mode: "auto" });
    const id = await person("Once");
    const answers = await Promise.all(
      Array.from({ length: 32 }, () =>
        stand.propose(agent, "delete_entity", { id, reason: "x" }, { idempotencyKey: "delete-once" }),
      ),
    );
    expect(answers.filter(({ replay }) => replay === true)).toHaveLength(31);
    await owner.call("substrate.reset_capability_policy", { capability: "delete_entity" });
  });
});

describe("skipping", () => {
  const mail = { to: "a@example.com", subject: "s", body: "b" };
  const verdictOf = async (by: Member, capability: string, payload: JsonObject, skip: boolean) =>
    (await stand.propose(by, capability, payload, { dangerouslySkipApproval: skip })).verdict.result;

  it("is for people, where the capability allows it", async () => {
    expect(await verdictOf(owner, "send_email_draft", mail, false)).toBe("requires_approval");
    expect(await verdictOf(owner, "send_email_draft", mail, true)).toBe("auto_approved_yolo");
    expect(await verdictOf(agent, "send_email_draft", mail, true)).toBe("requires_approval");
    expect(await verdictOf(owner, "place_call", { to: "1", purpose: "x" }, true)).toBe("requires_approval");
    expect(await verdictOf(owner, "delete_entity", { id: await person(), reason: "x" }, true)).toBe(
      "requires_approval",
    );
  });

  it("YOLO mode is the same for everything a person proposes", async () => {
    await owner.call("substrate.set_yolo", { yolo_mode: true });
    expect(await verdictOf(owner, "send_email_draft", mail, false)).toBe("auto_approved_yolo");
    expect(await verdictOf(agent, "send_email_draft", mail, false)).toBe("requires_approval");
    for (const kind of ["app", "rule"] as const) {
      const proposer = { ...agent.proposer, kind, id: kind, accountId: null };
      expect(await verdictOf({ ...agent, proposer }, "send_email_draft", mail, true)).toBe(
        "requires_approval",
      );
    }
    await owner.call("substrate.set_yolo", { yolo_mode: false });
  });

  it("an owner's word is the last: forbidden is rejected, auto is auto, approval can't be skipped", async () => {
    const set = (mode: string) =>
      owner.call("substrate.set_capability_policy", { capability: "send_email_draft", mode });
    await set("approval");
    expect(await verdictOf(owner, "send_email_draft", mail, true)).toBe("requires_approval");
    await set("auto");
    expect(await verdictOf(owner, "send_email_draft", mail, false)).toBe("auto_approved");
    expect(await verdictOf(agent, "send_email_draft", mail, false)).toBe("requires_approval");
    await set("forbidden");
    const answer = await stand.propose(owner, "send_email_draft", mail);
    expect(answer).toMatchObject({ verdict: { result: "rejected" }, requires_approval: false });
    expect(await action(answer.action_id)).toMatchObject({
      status: "rejected",
      rejected_reason: answer.verdict.reason,
    });
    expect(await codeOf(owner.call("substrate.approve", { action_id: answer.action_id }))).toBe(
      "wrong_status",
    );
    await owner.call("substrate.reset_capability_policy", { capability: "send_email_draft" });
    expect(await verdictOf(owner, "send_email_draft", mail, true)).toBe("auto_approved_yolo");
  });
});
