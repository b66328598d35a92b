import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCatalogue } from "../../doors/mcp/catalogue.ts";
import type { AnyOperation, Call, HttpForm } from "../../kernel/operation.ts";
import { createPipeline } from "../../kernel/pipeline.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let agent: Member;
let viewer: Member;
beforeAll(async () => {
  stand = await substrateStand();
  owner = await stand.member("owner");
  agent = await stand.member("developer", { kind: "agent" });
  viewer = await stand.member("viewer");
});
afterAll(() => stand.stop());

type Any = any;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code,
  );
const learning = (title: string) => ({ capability: "record_learning", payload: { title, description: "x" } });

describe("proposing", () => {
  it("is for whoever may develop, with a key for the substrate", async () => {
    expect(await agent.call("substrate.propose", learning("one"))).toMatchObject({
      requires_approval: false,
    });
    expect(await codeOf(viewer.call("substrate.propose", learning("two")))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(await codeOf(agent.call("substrate.propose", learning("two"), { scopes: ["*"] }))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(
      await codeOf(agent.call("substrate.propose", learning("two"), { scopes: ["*", "substrate", "read"] })),
    ).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(await codeOf(viewer.call("substrate.preview", learning("two")))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
  });

  it("a person's key is a human, an agent's key an agent, named as the key is", async () => {
    const proposers = await Promise.all(
      [owner, agent].map(async (by) => {
        const { action_id } = await by.call<Any>("substrate.propose", learning("who"));
        return (await by.call<Any>("substrate.get_action", { action_id })).proposer;
      }),
    );
    expect(proposers).toMatchObject([
      { kind: "human", id: owner.key.keyId, label: "owner's person key" },
      { kind: "agent", id: agent.key.keyId, label: "developer's agent key" },
    ]);
  });

  it("stores where the call came from", async () => {
    const operation = stand.operations.find(({ name }) => name === "substrate.propose")!;
    const pipeline = createPipeline({ findApp: async () => null, record: async () => {} });
    const withContext = (context: string) =>
      pipeline(
        operation,
        {
          ...{
            principal: agent.key,
            door: "http",
            requestId: "r",
            ip: "::1",
            userAgent: "t",
            nowMs: stand.now(),
          },
          ...{ headers: { "x-butterbase-trigger-context": context }, signal: new AbortController().signal },
        } satisfies Call,
        learning("context"),
      ) as Promise<Any>;
    const { action_id } = await withContext("webhook stripe/evt_1");
    expect(await agent.call("substrate.get_action", { action_id })).toMatchObject({
      trigger_context: "webhook stripe/evt_1",
    });
    expect(await codeOf(withContext("x".repeat(5_000)))).toBe("VALIDATION_INVALID_SCHEMA");
  });

  it("PATCH of an entity is a proposal like any other", async () => {
    const { result } = await agent.call<Any>("substrate.propose", {
      capability: "upsert_entity",
      payload: { type: "person", display_name: "Ada", attrs: { a: 1 } },
    });
    const answer = await agent.call<Any>("substrate.patch_entity", {
      ...{ entity_id: result.entity_id, attrs: { a: null, b: 2 }, display_name: "Ada L." },
    });
    expect(answer).toMatchObject({ verdict: { result: "auto_approved" } });
    const action = await agent.call<Any>("substrate.get_action", { action_id: answer.action_id });
    expect(action).toMatchObject({
      action_type: "patch_entity",
      payload: { id: result.entity_id, attrs_patch: { b: 2 } },
    });
    const entity = await stand.memory.service.get(
      { organizationId: stand.organizationId, scope: null },
      result.entity_id,
    );
    expect(entity).toMatchObject({ title: "Ada L.", data: { attrs: { b: 2 } } });
    const stale = {
      entity_id: result.entity_id,
      display_name: "x",
      if_updated_at: "2020-01-01T00:00:00.000Z",
    };
    expect(await codeOf(agent.call("substrate.patch_entity", stale))).toBe("ENTITY_CHANGED");
  });
});

describe("lists", () => {
  it("are newest first, filtered and paged", async () => {
    const organizationId = await stand.organization();
    const boss = await stand.member("owner", { organizationId });
    const ids: string[] = [];
    for (let n = 0; n < 7; n++)
      ids.unshift((await boss.call<Any>("substrate.propose", learning(`${n}`))).action_id);
    const call = { to: "1", purpose: "x" };
    const waiting = await boss.call<Any>("substrate.propose", { capability: "place_call", payload: call });
    const list = async (filter: object) =>
      (await boss.call<Any>("substrate.list_actions", { ...filter })).actions.map(({ id }: Any) => id);
    expect(await list({})).toHaveLength(8);
    expect(await list({ status: "proposed" })).toEqual([waiting.action_id]);
    const walked: string[] = [];
    let before: string | undefined;
    do {
      const page = await boss.call<Any>("substrate.list_actions", {
        ...{ capability: "record_learning", limit: "3" },
        ...(before === undefined ? {} : { before }),
      });
      walked.push(...page.actions.map(({ id }: Any) => id));
      before = page.next_before ?? undefined;
    } while (before !== undefined);
    expect(walked.toSorted()).toEqual(ids.toSorted());
    expect(walked).toEqual(walked.toSorted().reverse());
    for (const row of (await boss.call<Any>("substrate.list_actions")).actions)
      for (const field of ["id", "status", "action_type", "proposed_at"])
        expect(typeof row[field]).toBe("string");
    expect(await list({ source_app_id: "app_x" })).toEqual([]);
    expect(await codeOf(boss.call("substrate.list_actions", { limit: 501 }))).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
    expect(await codeOf(owner.call("substrate.get_action", { action_id: ids[0] }))).toBe(
      "RESOURCE_NOT_FOUND",
    );
  });
});

describe("a key bound to an app", () => {
  it("proposes for its app, and sees what it proposed and nothing else", async () => {
    const app = await stand.createApp();
    const bound = await stand.member("developer", { kind: "agent", scopes: [`app:${app.id}`] });
    expect(await codeOf(bound.call("substrate.propose", learning("unlinked")))).toBe("SUBSTRATE_NOT_LINKED");
    expect(await codeOf(bound.call("substrate.list_actions"))).toBe("SUBSTRATE_NOT_LINKED");
    await stand.links.service.link(app.id, stand.organizationId, { own_only: true });
    const { action_id: foreign } = await agent.call<Any>("substrate.propose", learning("theirs"));
    const { action_id: own } = await bound.call<Any>("substrate.propose", learning("mine"));
    const { actions } = await bound.call<Any>("substrate.list_actions");
    expect(actions).toMatchObject([{ id: own, source_app_id: app.id, proposer: { kind: "agent" } }]);
    expect(await codeOf(bound.call("substrate.get_action", { action_id: foreign }))).toBe(
      "RESOURCE_NOT_FOUND",
    );
    expect((await bound.call<Any>("substrate.list_actions", { source_app_id: "app_other" })).actions).toEqual(
      [],
    );
    expect((await agent.call<Any>("substrate.list_actions", { source_app_id: app.id })).actions).toHaveLength(
      1,
    );
    await stand.principle(owner, { type: "max_per_day", params: { n: 0 } }, { capability: "place_call" });
    const dial = { capability: "place_call", payload: { to: "1", purpose: "x" } };
    await agent.call("substrate.propose", dial);
    expect((await bound.call<Any>("substrate.list_policy_conflicts")).conflicts).toEqual([]);
    const { action_id } = await bound.call<Any>("substrate.propose", dial);
    const { conflicts } = await bound.call<Any>("substrate.list_policy_conflicts");
    expect(conflicts).toMatchObject([{ action_id }]);
    expect((await agent.call<Any>("substrate.list_policy_conflicts")).conflicts).toHaveLength(2);
  });

  it("learns nothing by writing what it may not read", async () => {
    const app = await stand.createApp();
    const bound = await stand.member("developer", { kind: "agent", scopes: [`app:${app.id}`] });
    await stand.links.service.link(app.id, stand.organizationId, { kinds: ["learning"] });
    const artifact = {
      kind: "mail",
      title: "Salaries",
      summary: "secret",
      external_system: "m",
      external_id: "1",
    };
    await agent.call("substrate.propose", { capability: "upsert_source_artifact", payload: artifact });
    const over = { capability: "upsert_source_artifact", payload: { ...artifact, title: "x", summary: "x" } };
    const seen = await bound.call<Any>("substrate.preview", over);
    expect(seen).toMatchObject({ result: null, changes: [{ kind: "source_artifact", hidden: true }] });
    const { action_id, result } = await bound.call<Any>("substrate.propose", over);
    expect(result).toMatchObject({ was_insert: false, before: null });
    for (const shown of [
      (await bound.call<Any>("substrate.list_actions")).actions[0],
      await bound.call<Any>("substrate.get_action", { action_id }),
    ])
      expect(shown.result).toMatchObject({ before: null });
    const whole = await agent.call<Any>("substrate.get_action", { action_id });
    expect(whole.result.before).toMatchObject({ title: "Salaries" });
    await stand.links.service.link(app.id, stand.organizationId, { kinds: ["source_artifact"] });
    const shown = await bound.call<Any>("substrate.get_action", { action_id });
    expect(shown.result.before).toMatchObject({ title: "Salaries" });
    const again = { ...over, payload: { ...artifact, title: "y" } };
    const [change] = (await bound.call<Any>("substrate.preview", again)).changes;
    expect(change).toMatchObject({ before: { title: "x" }, after: { title: "y" } });
  });
});

describe("settings", () => {
  it("are an owner's alone, in person, and recorded", async () => {
    const set = { capability: "record_decision", mode: "approval", approvers: 2 };
    const boss = { role: "owner" as const };
    expect(await codeOf(viewer.call("substrate.set_capability_policy", set))).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(await codeOf(agent.call("substrate.set_capability_policy", set, boss))).toBe(
      "AUTH_PERSON_REQUIRED",
    );
    expect(await codeOf(agent.call("substrate.set_yolo", { yolo_mode: true }, boss))).toBe(
      "AUTH_PERSON_REQUIRED",
    );
    expect(await owner.call("substrate.set_capability_policy", set)).toMatchObject({
      mode: "approval",
      approvers: 2,
    });
    expect(owner.audited.at(-1)).toMatchObject({
      eventType: "substrate.set_capability_policy",
      resourceId: "record_decision",
    });
    expect(await codeOf(owner.call("substrate.set_capability_policy", { ...set, capability: "fly" }))).toBe(
      "CAPABILITY_UNKNOWN",
    );
    expect(await codeOf(owner.call("substrate.set_capability_policy", { ...set, approvers: 11 }))).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
    const { capabilities, ...rest } = await viewer.call<Any>("substrate.get_settings");
    expect(rest).toEqual({ yolo_mode: false, four_eyes: null });
    expect(capabilities.find(({ name }: Any) => name === "record_decision")).toMatchObject({
      ...{ mode: "approval", default_mode: "auto", approvers: 2, set_by_owner: true },
    });
    await owner.call("substrate.reset_capability_policy", { capability: "record_decision" });
    expect((await viewer.call<Any>("substrate.list_capabilities")).capabilities).toHaveLength(19);
  });

  it("a capability's payload can be looked up", async () => {
    const { capabilities } = await viewer.call<Any>("substrate.list_capabilities", {
      capability: "send_email_draft",
    });
    expect(capabilities).toMatchObject([
      { name: "send_email_draft", payload_schema: { type: "object", required: ["to", "subject", "body"] } },
    ]);
    for (const { name } of (await viewer.call<Any>("substrate.list_capabilities")).capabilities) {
      const one = (await viewer.call<Any>("substrate.list_capabilities", { capability: name }))
        .capabilities[0];
      expect(one.payload_schema.properties, name).toBeTypeOf("object");
      expect(one.summary, name).toMatch(/\.$/);
    }
  });

  it("provisioning has happened long ago", async () => {
    expect(await viewer.call("substrate.provision")).toEqual({
      ...{ ok: true, created: false, organization_id: stand.organizationId },
    });
  });
});

describe("the tool", () => {
  it("has every action, and propose_action, approve_action, reject_action beside it", () => {
    const { operations, tools = [] } = stand.substrate.feature;
    const { merged } = buildCatalogue(operations as AnyOperation[], tools);
    expect(merged.listed.map(({ name }) => name)).toEqual([
      ...["approve_action", "manage_substrate", "propose_action", "reject_action"],
    ]);
    const actions = [...merged.callable.get("manage_substrate")!.forms.keys()];
    for (const action of [
      ...[
        "propose",
        "preview",
        "approve",
        "reject",
        "list_actions",
        "get_action",
        "provision",
        "get_settings",
      ],
      ...[
        "set_yolo",
        "list_capabilities",
        "set_capability_policy",
        "list_policy_conflicts",
        "get_policy_conflict",
      ],
      "resolve_policy_conflict",
    ])
      expect(actions).toContain(action);
    const proposing = merged.listed.find(({ name }) => name === "propose_action")!;
    expect(proposing.inputSchema).toMatchObject({ required: ["capability", "payload"] });
  });

  it("declares every route once, and marks what only a person may do", () => {
    const { operations } = stand.substrate.feature;
    const routes = operations.flatMap(({ http }) =>
      [http ?? []].flat().map(({ method, path }: HttpForm) => `${method} ${path}`),
    );
    expect(new Set(routes).size).toBe(routes.length);
    const personal = operations.filter(({ personOnly }) => personOnly).map(({ name }) => name);
    expect(personal.sort()).toEqual([
      "substrate.approve",
      "substrate.erase",
      "substrate.reject",
      "substrate.reset_capability_policy",
      "substrate.resolve_policy_conflict",
      "substrate.set_capability_policy",
      "substrate.set_yolo",
    ]);
    for (const { name, surface } of operations) expect(surface, name).toBe("substrate");
  });
});
