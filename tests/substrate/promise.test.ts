import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Answer, type Api, apiAs, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { type Nodes, refusal } from "../support/functions.ts";
import { callTool } from "../support/mcp.ts";
import { execute, propose, SUBSTRATE } from "../support/substrate.ts";
import { codeOf, type Stand, startStand } from "./stand.ts";

let stand: Stand;
let nodes: Nodes;
let owner: Api;
let admin: Api;
let agent: Client;
let person: Client;
beforeAll(async () => {
  stand = await startStand(inject("postgres"));
  ({ nodes, owner, admin, agent, person } = stand);
});
afterAll(() => stand?.close());

const get = (path: string): Promise<any> => stand.get(path);
const entriesAbout = async (subject: string): Promise<any[]> =>
  must(await owner("GET", `/v1/ledger/entries?subject=${subject}&limit=50`)).entries;

describe("propose_action over MCP", () => {
  const made: Record<string, string> = {};

  it.each([
    ["upsert_entity", () => ({ type: "company", display_name: "Acme" }), "entity_id", /^ent_/],
    ["update_entity", () => ({ id: made.upsert_entity, attrs: { city: "Graz" } }), "entity_id", /^ent_/],
    ["record_decision", () => ({ title: "We go on", kind: "strategic" }), "decision_id", /^dec_/],
    [
      "record_commitment",
      () => ({ description: "Pay them", status: "confirmed", to_entity: made.upsert_entity }),
      ...(["commitment_id", /^com_/] as const),
    ],
    ["record_learning", () => ({ title: "Ask first", description: "It is cheaper" }), "learning_id", /^lrn_/],
  ] as const)(
    "%s is approved and done at once, and in the ledger",
    async (capability, payload, field, form) => {
      const answer = await callTool(agent, "propose_action", { capability, payload: payload() });
      expect(Object.keys(answer).sort()).toEqual(
        expect.arrayContaining(["action_id", "requires_approval", "result", "verdict"]),
      );
      expect(answer).toMatchObject({
        action_id: expect.stringMatching(/^act_01[0-9a-z]{24}$/),
        verdict: { result: "auto_approved", reason: expect.any(String), conflicts: [] },
        requires_approval: false,
        result: { [field]: expect.stringMatching(form) },
      });
      made[capability] = answer.result[field];
      const row = await callTool(agent, "manage_substrate", {
        action: "get_action",
        action_id: answer.action_id,
      });
      expect(row).toMatchObject({
        ...{ status: "executed", action_type: capability, result: answer.result },
        proposer: { kind: "agent" },
      });
      const entries = await entriesAbout(answer.action_id);
      expect(entries.map(({ entry }) => [entry.kind, entry.data.capability, entry.data.verdict])).toEqual([
        ["substrate.action.executed", capability, "auto_approved"],
      ]);
      expect(entries[0].openings.payload.value).toEqual(row.payload);
    },
  );

  it("what they wrote is found again, under the names clients use", async () => {
    const found = await callTool(agent, "find_entities", { type: "company", q: "acm" });
    expect(found.entities).toMatchObject([{ id: made.upsert_entity, attrs: { city: "Graz" } }]);
    expect(await callTool(agent, "get_entity", { entity_id: made.upsert_entity })).toMatchObject({
      display_name: "Acme",
    });
    const { results } = await callTool(agent, "search_memory", { q: "cheaper", kinds: "learnings" });
    expect(results).toMatchObject([{ id: made.record_learning, kind: "learning" }]);
    for (const action of [
      "list_memory",
      "list_actions",
      "list_source_artifacts",
      "snapshots",
      "get_settings",
    ])
      expect(await callTool(agent, "manage_substrate", { action })).toBeTypeOf("object");
    expect((await callTool(agent, "list_outbox", {})).outbox).toEqual([]);
    expect((await callTool(agent, "manage_attention_rules", { action: "list" })).rules).toEqual([]);
  });

  it("what is gated waits; a person approves or rejects it, an agent never", async () => {
    const gated = async (display_name: string) => {
      const { entity_id: id } = await execute(owner, "upsert_entity", { type: "person", display_name });
      const payload = { id, reason: "left" };
      return callTool(agent, "propose_action", { capability: "delete_entity", payload });
    };
    const first = await gated("Waits");
    expect(first).toMatchObject({ requires_approval: true, verdict: { result: "requires_approval" } });
    expect(first.result).toBeUndefined();
    const { action_id } = first;
    expect(await refusal(callTool(agent, "approve_action", { action_id }))).toMatchObject({
      ...{ code: "AUTH_PERSON_REQUIRED", remediation: expect.any(String) },
    });
    // The agent is the owner's: with a second person who may decide, four eyes hold.
    expect(await refusal(callTool(person, "approve_action", { action_id }))).toMatchObject({
      code: "AUTH_INSUFFICIENT_PERMISSIONS",
    });
    expect(must(await admin("POST", `${SUBSTRATE}/actions/${action_id}/approve`, {}))).toMatchObject({
      ...{ id: action_id, status: "executed", approved_by_kind: "human" },
    });
    expect(await refusal(callTool(person, "reject_action", { action_id, reason: "too late" }))).toMatchObject(
      {
        code: "wrong_status",
      },
    );
    const second = await gated("Stays");
    const rejected = await callTool(person, "reject_action", { action_id: second.action_id, reason: "no" });
    expect(rejected).toMatchObject({ status: "rejected", rejected_reason: "no" });
  });
});

describe("the routes", () => {
  let artifactId: string;
  let actionId: string;

  it("propose, replay, list, read, approve, reject", async () => {
    expect((await owner("POST", `${SUBSTRATE}/provision`, {})).status).toBe(200);
    const context = { "x-butterbase-trigger-context": "crm import 7" };
    const body = {
      ...{ capability: "upsert_source_artifact", idempotency_key: "mail-1" },
      payload: {
        kind: "email",
        title: "Offer",
        external_system: "gmail",
        external_id: "1",
        content: "whole text",
      },
    };
    const path = `${SUBSTRATE}/actions/propose`;
    const { action_id, result } = must(await owner("POST", path, body, context));
    actionId = action_id;
    artifactId = result.artifact_id;
    expect(result).toEqual({ artifact_id: expect.stringMatching(/^art_/), was_insert: true, before: null });
    expect(must(await owner("POST", path, body))).toMatchObject({
      ...{ action_id, result, replay: true, requires_approval: false, verdict: { conflicts: [] } },
    });
    const other = { ...body, payload: { ...body.payload, title: "Another" } };
    expect(codeOf(await owner("POST", path, other))).toEqual([409, "IDEMPOTENCY_CONFLICT"]);
    const row = await get(`actions/${action_id}`);
    expect(row).toMatchObject({
      ...{ id: action_id, trigger_context: "crm import 7", idempotency_key: "mail-1", source_app_id: null },
      ...{ source_rule_id: null, approved_by: null, rejected_reason: null, executed_at: expect.any(String) },
      proposer: { kind: "human" },
    });
    const { actions } = await get("actions?status=executed&capability=upsert_source_artifact&limit=5");
    expect(actions.map(({ id }: any) => id)).toEqual([action_id]);
    for (const field of ["id", "status", "action_type", "proposed_at"])
      expect(actions[0][field], field).toBeTypeOf("string");
    expect((await get(`actions?before=${action_id}&limit=500`)).actions.length).toBeGreaterThan(0);
    const decided = `${SUBSTRATE}/actions/${action_id}`;
    expect(codeOf(await owner("POST", `${decided}/approve`, {}))).toEqual([409, "wrong_status"]);
    expect(codeOf(await owner("POST", `${decided}/reject`, { reason: "no" }))).toEqual([409, "wrong_status"]);
  });

  it("entities, source artifacts under both names, memory, snapshots", async () => {
    const listed = await get("entities?type=company&limit=50&count=true");
    expect(listed).toMatchObject({ total: 1, entities: [{ type: "company", display_name: "Acme" }] });
    const { id } = listed.entities[0];
    expect(await get(`entities/${id}`)).toMatchObject({
      ...{ id, primary_email: null, canonical_keys: {}, attrs: {} },
    });
    const patched = must(
      await owner("PATCH", `${SUBSTRATE}/entities/${id}`, { attrs: { city: null, zip: "8010" } }),
    );
    expect(patched).toMatchObject({ action_id: expect.any(String), verdict: { result: "auto_approved" } });
    expect((await get(`entities/${id}`)).attrs).toEqual({ zip: "8010" });
    const artifacts = await get("source-artifacts?kind=email&q=off&count=1");
    expect(artifacts.artifacts).toEqual(artifacts.source_artifacts);
    expect(artifacts).toMatchObject({
      total: 1,
      source_artifacts: [{ id: artifactId, kind: "email", title: "Offer" }],
    });
    expect((await get(`source-artifacts/${artifactId}`)).content).toBe("whole text");
    const found = await get("memory?q=offer&kinds=source_artifacts&match=and");
    expect(found.results[0]).toMatchObject({
      ...{ id: artifactId, kind: "source_artifact", title: "Offer", rank: expect.any(Number) },
      ...{ body_text: expect.any(String), updated_at: expect.any(String), source_artifact_id: null },
      ...{ supersedes: null, status: "active" },
    });
    for (const q of ["", "*"]) {
      const { results } = await get(`memory?q=${encodeURIComponent(q)}&limit=3`);
      expect(results.map(({ rank }: any) => rank)).toEqual([null, null, null]);
      const times = results.map(({ updated_at }: any) => updated_at);
      expect(times).toEqual([...times].sort().reverse());
    }
    const list = await get("memory/list?kinds=decisions,commitments,learnings&limit=2&superseded=false");
    expect(list.results).toHaveLength(2);
    const rest = await get(`memory/list?kinds=decisions,commitments,learnings&before=${list.next_before}`);
    expect(rest.results.length).toBeGreaterThan(0);
    expect(rest.next_before).toBe(null);
    const [today] = (await get("snapshots?days=7")).snapshots;
    expect(today).toMatchObject({
      snapshot_date: new Date().toISOString().slice(0, 10),
      decision_count_24h: 1,
    });
    expect(today.entity_count).toBeTypeOf("number");
  });

  it("settings, and what an owner sets", async () => {
    expect((await get("settings")).yolo_mode).toBe(false);
    expect(must(await owner("PUT", `${SUBSTRATE}/settings/yolo`, { yolo_mode: true })).yolo_mode).toBe(true);
    const draft = { to: "a@example.com", subject: "Hello", body: "you" };
    const byPerson = must(await propose(owner, "send_email_draft", draft));
    expect(byPerson).toMatchObject({ verdict: { result: "auto_approved_yolo" }, result: { queued: 0 } });
    const byAgent = await callTool(agent, "propose_action", {
      capability: "send_email_draft",
      payload: draft,
    });
    expect(byAgent.verdict.result).toBe("requires_approval");
    expect(must(await owner("PUT", `${SUBSTRATE}/settings/yolo`, { yolo_mode: false })).yolo_mode).toBe(
      false,
    );
    const skipped = must(
      await propose(owner, "send_email_draft", draft, { dangerously_skip_approval: true }),
    );
    expect(skipped.verdict.result).toBe("auto_approved_yolo");
    const { capabilities } = await get("capabilities");
    const auto = capabilities
      .filter(({ phase }: any) => phase === 0)
      .map((each: any) => [each.name, each.mode]);
    expect(Object.fromEntries(auto)).toEqual({
      ...{ upsert_entity: "auto", update_entity: "auto", record_decision: "auto" },
      ...{ record_commitment: "auto", record_learning: "auto" },
    });
    const [one] = (await get("capabilities?capability=record_commitment")).capabilities;
    expect(Object.keys(one.payload_schema.properties)).toContain("due_at");
  });

  it("principles and the conflicts with them", async () => {
    const payload = {
      ...{ title: "Ask above 1,000", applies_to: { capability: "record_commitment" } },
      constraint_spec: { type: "approval_above", params: { field: "amount", threshold: 1_000 } },
    };
    const { action_id } = must(await propose(owner, "record_principle", payload));
    const { result } = must(await admin("POST", `${SUBSTRATE}/actions/${action_id}/approve`, {}));
    const id = result.principle_id;
    expect((await get("principles")).principles).toMatchObject([{ id, title: "Ask above 1,000" }]);
    expect(await get(`principles/${id}`)).toMatchObject({ constraint_spec: payload.constraint_spec });
    const big = { description: "A lot", status: "proposed", amount: 1_000.01 };
    const held = must(await propose(owner, "record_commitment", big));
    expect(held.verdict).toMatchObject({ result: "requires_approval", conflicts: [{ principle_id: id }] });
    const [conflict] = (await get("policy-conflicts?status=open")).conflicts;
    expect(conflict).toMatchObject({ action_id: held.action_id, principle_id: id, status: "open" });
    const path = `${SUBSTRATE}/policy-conflicts/${conflict.id}/resolve`;
    expect(must(await admin("POST", path, { resolution: "approve" }))).toMatchObject({
      resolution: "approve",
    });
    expect((await get(`actions/${held.action_id}`)).status).toBe("executed");
  });

  it("one action is undone, with its reason when it can't be", async () => {
    const undone = must(await propose(owner, "revert_action", { action_id: actionId }));
    expect(undone.result).toMatchObject({ reverted_action_id: actionId, record_ids: [artifactId] });
    expect((await owner("GET", `${SUBSTRATE}/source-artifacts/${artifactId}`)).status).toBe(404);
    const again = await propose(owner, "revert_action", { action_id: actionId });
    expect(codeOf(again)).toEqual([409, "wrong_status"]);
    const { entity_id } = await execute(owner, "upsert_entity", { type: "team", display_name: "Named" });
    const { actions } = await get("actions?capability=upsert_entity&limit=1");
    await execute(owner, "record_commitment", {
      description: "to it",
      status: "proposed",
      to_entity: entity_id,
    });
    const blocked = await propose(owner, "revert_action", { action_id: actions[0].id });
    expect(codeOf(blocked)).toEqual([409, "REVERT_BLOCKED"]);
    expect(blocked.body.error.details.blockers).toMatchObject([
      { reason: expect.stringContaining(entity_id) },
    ]);
  });

  it("the inbox, and the page of an approval", async () => {
    const payload = { to: "+43 316 1", purpose: "Ask" };
    const { approval_id, approval_url } = must(await propose(owner, "place_call", payload));
    const { approvals } = must(await owner("GET", "/v1/approvals?status=pending&capability=place_call"));
    expect(approvals).toMatchObject([{ id: approval_id, kind: "substrate_action", status: "pending" }]);
    const view = must(await owner("GET", `/v1/approvals/${approval_id}`));
    expect(view).toMatchObject({
      ...{ request: { capability: "place_call", payload }, preview: { result: { queued: 0 } } },
      ...{ four_eyes: true, can_decide: false, can_reject: true, cannot_decide_reason: expect.any(String) },
    });
    const page = await fetch(approval_url);
    expect([page.status, page.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("text/html"),
    ]);
    expect(await page.text()).not.toContain("+43 316 1");
    const rejected = must(
      await owner("POST", `/v1/approvals/${approval_id}/reject`, { reason: "taken back" }),
    );
    expect(rejected.status).toBe("rejected");
  });
});

describe("who is refused, and how", () => {
  const ROUTES = [
    ...[
      "entities",
      "actions",
      "memory",
      "memory/list",
      "source-artifacts",
      "settings",
      "snapshots",
      "outbox",
    ],
    ...["attention-rules", "outbox-targets", "principles", "capabilities", "policy-conflicts"],
  ];

  it("a key for apps alone: 403 that speaks of its scope, everywhere", async () => {
    const api = apiAs(nodes.server.apiUrl, (await stand.mint({ scope: "app" })).key);
    const calls = [
      ...ROUTES.map((route) => api("GET", `${SUBSTRATE}/${route}`)),
      propose(api, "record_learning", { title: "x", description: "y" }),
      ...["provision", "ws-ticket", "attention-rules/preview"].map((route) =>
        api("POST", `${SUBSTRATE}/${route}`, {}),
      ),
    ];
    for (const { status, body } of await Promise.all(calls)) {
      expect([status, body.error.code]).toEqual([403, "AUTH_INSUFFICIENT_PERMISSIONS"]);
      expect(body.error.message).toMatch(/scope/i);
      expect(body.error.remediation).toEqual(expect.any(String));
    }
  });

  it("a key for the substrate alone is taken here, and nowhere among apps", async () => {
    const { key } = await stand.mint({ scope: "substrate" });
    expect(key).toMatch(/^bb_sub_/);
    const api = apiAs(nodes.server.apiUrl, key);
    for (const answer of await Promise.all(ROUTES.map((route) => api("GET", `${SUBSTRATE}/${route}`))))
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect((await api("GET", "/apps")).status).toBe(403);
  });

  it("nobody, an unknown key, an end user of an app: 401", async () => {
    const appId = await newApp(owner);
    const user = await signUp(nodes.server.apiUrl, appId, "end-user");
    for (const token of [null, "bb_sub_unknown", user.token]) {
      const api = apiAs(nodes.server.apiUrl, token);
      for (const answer of [
        await api("GET", `${SUBSTRATE}/entities`),
        await propose(api, "record_learning", {}),
      ])
        expect(answer.status).toBe(401);
    }
  });

  it.each<[string, () => Promise<Answer>, number, string]>([
    ["an unknown capability", () => propose(owner, "make_coffee", {}), 400, "CAPABILITY_UNKNOWN"],
    [
      "a payload that is not valid",
      () => propose(owner, "record_learning", { title: 5 }),
      400,
      "VALIDATION_INVALID_SCHEMA",
    ],
    [
      "a reference to nothing",
      () => propose(owner, "record_learning", { title: "x", description: "y", related_decision_id: "dec_0" }),
      ...([400, "VALIDATION_UNKNOWN_REFERENCE"] as const),
    ],
    [
      "an entity that is not there",
      () => owner("GET", `${SUBSTRATE}/entities/ent_0`),
      404,
      "RESOURCE_NOT_FOUND",
    ],
    [
      "an action that is not there",
      () => owner("GET", `${SUBSTRATE}/actions/act_0`),
      404,
      "RESOURCE_NOT_FOUND",
    ],
    [
      "deciding on one that is not there",
      () => owner("POST", `${SUBSTRATE}/actions/act_0/approve`, {}),
      ...([404, "RESOURCE_NOT_FOUND"] as const),
    ],
    [
      "a page of no list",
      () => owner("GET", `${SUBSTRATE}/memory/list?before=nowhere`),
      400,
      "MEMORY_CURSOR_INVALID",
    ],
    [
      "a delivery that is not there",
      () => owner("POST", `${SUBSTRATE}/outbox/ob_0/retry`, {}),
      404,
      "RESOURCE_NOT_FOUND",
    ],
    [
      "a rule that is not there",
      () => owner("GET", `${SUBSTRATE}/attention-rules/rule_0`),
      404,
      "RESOURCE_NOT_FOUND",
    ],
  ])("%s is told with its code and what to do", async (_what, call, status, code) => {
    const { body, ...answer } = await call();
    expect([answer.status, body.error]).toEqual([
      status,
      expect.objectContaining({
        ...{ code, message: expect.any(String), remediation: expect.any(String) },
        documentation_url: expect.stringContaining("/docs/errors#"),
      }),
    ]);
  });
});
