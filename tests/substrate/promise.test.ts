import { createHmac } from "node:crypto";
import { createServer, type Server as HttpServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { type Answer, type Api, apiAs, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { deployFunction, http, type Nodes, refusal, startNodes } from "../support/functions.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { execute, openStream, propose, SUBSTRATE, verifiedLedger } from "../support/substrate.ts";

/** A webhook as it arrived. */
interface Arrived {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let nodes: Nodes;
let owner: Api;
let organizationId: string;
/** A second person who may decide, so that what the first proposed can be approved. */
let admin: Api;
let agent: Client;
let person: Client;
let receiver: HttpServer;
let receiverUrl: string;
const arrived: Arrived[] = [];
/** What the receiver answers, by path. */
const answers = new Map<string, number>();

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    arrived.push({ path: request.url!, headers: request.headers, body: Buffer.concat(pieces).toString() });
    response.writeHead(answers.get(request.url!) ?? 204).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const { port } = receiver.address() as AddressInfo;
  receiverUrl = `http://127.0.0.1:${port}`;
  nodes = await startNodes(inject("postgres"), 1, { AMBIT_ALLOW_PRIVATE_FETCH: `127.0.0.1:${port}` });
  owner = nodes.owner;
  agent = nodes.agent;
  person = await connectMcp(nodes.server.mcpUrl, nodes.server.apiKey);
  organizationId = must(await owner("GET", "/v1/organizations")).organizations[0].id;
  const added = await owner("POST", `/v1/organizations/${organizationId}/members`, {
    ...{ email: "second@example.com", role: "admin" },
  });
  admin = apiAs(nodes.server.apiUrl, must(added).key);
});
afterAll(async () => {
  await person?.close();
  await nodes?.close();
  receiver?.close();
});

const get = async (path: string): Promise<any> => must(await owner("GET", `${SUBSTRATE}/${path}`));
const codeOf = ({ status, body }: Answer): [number, string] => [status, body?.error?.code];
const mint = async (more: object): Promise<{ key: string; id: string }> =>
  must(await owner("POST", "/api-keys", { name: "suite", kind: "agent", ...more }));
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
    const api = apiAs(nodes.server.apiUrl, (await mint({ scope: "app" })).key);
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
    const { key } = await mint({ scope: "substrate" });
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
      for (const answer of [await api("GET", `${SUBSTRATE}/entities`), await propose(api, "record_learning", {})])
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

describe("code of a linked app", () => {
  const CODE = `export async function handler(request: Request, { substrate }: any) {
    const { method, args } = await request.json();
    try {
      return Response.json({ answer: await substrate[method](...args) });
    } catch (error) {
      return Response.json({ code: error.code ?? String(error) });
    }
  }`;

  it("proposes as an agent of the app and reads what its link lets it read", async () => {
    const appId = await newApp(owner);
    await deployFunction(agent, appId, "ask", CODE, http("none"));
    const ask = async (method: string, ...args: unknown[]): Promise<any> =>
      must(await apiAs(nodes.server.apiUrl, null)("POST", `/v1/${appId}/fn/ask`, { method, args }));
    expect(await ask("listActions")).toEqual({ code: "SUBSTRATE_NOT_LINKED" });
    const link = `/v1/me/apps/${appId}/substrate-link`;
    const linked = must(await owner("POST", link, { read_scope: { own_only: true } }));
    expect(linked).toMatchObject({ linked: true, substrate_organization_id: organizationId });
    const { entity_id: others } = await execute(owner, "upsert_entity", {
      type: "team",
      display_name: "Secret",
    });
    const { answer: proposed } = await eventually(async () => {
      const answer = await ask("propose", "upsert_entity", { type: "team", display_name: "Ours" });
      return answer.code === "SUBSTRATE_NOT_LINKED" ? false : answer;
    }, "the link");
    const { result, action_id } = proposed;
    expect(await get(`actions/${action_id}`)).toMatchObject({
      ...{ source_app_id: appId, proposer: { kind: "agent" }, status: "executed" },
    });
    const found = await ask("findEntities", { type: "team" });
    expect(found.answer.map(({ id }: any) => id)).toEqual([result.entity_id]);
    expect(await ask("getEntity", others)).toEqual({ answer: null });
    expect((await ask("searchMemory", "secret")).answer).toEqual([]);
    expect((await ask("listMemory", { limit: 50 })).answer.map(({ id }: any) => id)).toEqual([
      result.entity_id,
    ]);
    expect((await ask("listActions")).answer.map(({ id }: any) => id)).toEqual([action_id]);
    const gated = await ask("deleteEntity", result.entity_id, "not ours any more");
    expect(gated.answer.requires_approval).toBe(true);
    const undo = await ask("propose", "revert_action", {
      action_id: (await get("actions?limit=50")).actions.at(-1).id,
    });
    expect(undo.code).toBe("RESOURCE_NOT_FOUND");
    expect((await ask("wsTicket")).answer).toMatchObject({
      ticket: expect.stringMatching(/^wst_/),
      expires_in: 60,
    });
    must(await owner("DELETE", link));
    await eventually(
      async () => (await ask("listActions")).code === "SUBSTRATE_NOT_LINKED",
      "the end of the link",
      5_000,
    );
  });

  it("has its users mirrored as people when it asks for it", async () => {
    const appId = await newApp(owner);
    must(await owner("POST", `/v1/me/apps/${appId}/substrate-link`, {}));
    must(await owner("PUT", `/v1/me/apps/${appId}/substrate-autopropagate`, { users: true }));
    const user = await signUp(nodes.server.apiUrl, appId, "mirrored");
    const entity = await eventually(async () => {
      const { entities } = await get("entities?type=person&limit=200");
      return entities.find((each: any) => each.linked_app_user_id === user.id);
    }, "the person");
    expect(entity).toMatchObject({ linked_app_id: appId, source_app_id: appId });
    expect((await get(`actions/${entity.action_id}`)).proposer.kind).toBe("app");
  });
});

describe("attention rules", () => {
  it("one that is due proposes, as the rule, once for each match", async () => {
    const late = await execute(owner, "record_commitment", {
      ...{ description: "Overdue", status: "confirmed", due_at: "2020-01-01" },
    });
    const rule = {
      ...{ name: "Late", trigger_cron: "0 8 1 1 *", condition_mode: "row_query" },
      condition: {
        ...{ from: "commitments", status: "confirmed" },
        where: { and: [{ var: "due_at" }, { ">": [{ days_since: { var: "due_at" } }, 1] }] },
      },
      action_capability: "record_learning",
      action_payload_template: { title: "Late: {{title}}", description: "{{id}}" },
    };
    const preview = must(await owner("POST", `${SUBSTRATE}/attention-rules/preview`, rule));
    expect(preview).toMatchObject({
      ...{ bindings_count: 1, skip_reason: null },
      sample_proposals: [
        {
          ...{ binding: { id: late.commitment_id }, would_require_approval: false },
          rendered_payload: { title: "Late: Overdue", description: late.commitment_id },
        },
      ],
    });
    const made = must(await owner("POST", `${SUBSTRATE}/attention-rules`, rule));
    expect(made).toMatchObject({ enabled: true, trigger_cron: "0 8 1 1 *", name: "Late" });
    const { rules } = await get("attention-rules?enabled=true");
    expect(rules.map(({ id }: any) => id)).toEqual([made.id]);
    await nodes.database.query("update ambit.attention_rules set next_fire_at = now() where id = $1", [
      made.id,
    ]);
    const [firing] = await eventually(async () => {
      const { firings } = await get(`attention-rules/${made.id}/firings`);
      return firings[0]?.status === "fired" && firings;
    }, "the firing");
    expect(firing).toMatchObject({
      binding_count: 1,
      fired_at: expect.any(String),
      action_ids: [expect.any(String)],
    });
    const { actions } = await get(`actions?source_rule_id=${made.id}`);
    expect(actions).toMatchObject([
      {
        id: firing.action_ids[0],
        status: "executed",
        source_rule_id: made.id,
        proposer: { kind: "rule", id: made.id },
      },
    ]);
    const path = `${SUBSTRATE}/attention-rules/${made.id}`;
    expect(must(await owner("POST", `${path}/disable`, {})).enabled).toBe(false);
    expect(must(await owner("POST", `${path}/enable`, {})).enabled).toBe(true);
    expect(must(await owner("PUT", path, { name: "Later" }))).toMatchObject({
      name: "Later",
      trigger_cron: "0 8 1 1 *",
    });
    expect(must(await owner("DELETE", path)).deleted).toBe(true);
    expect((await owner("GET", path)).status).toBe(404);
  });
});

describe("the outbox", () => {
  const target = (capability: string, path: string, secret = "a secret of the receiver") =>
    owner("PUT", `${SUBSTRATE}/outbox-targets/${capability}`, {
      ...{ webhook_url: `${receiverUrl}${path}`, signing_secret: secret },
    });

  it("delivers what was executed, signed in both ways", async () => {
    const secret = "whsec_c2VjcmV0IG9mIHRoZSByZWNlaXZlcg==";
    expect(must(await target("send_email_draft", "/mail", secret))).not.toHaveProperty("signing_secret");
    const payload = { to: "a@example.com", subject: "Signed", body: "yes" };
    const answer = must(
      await propose(owner, "send_email_draft", payload, { dangerously_skip_approval: true }),
    );
    expect(answer.result).toMatchObject({ queued: 1, outbox_ids: [expect.stringMatching(/^ob_/)] });
    const { headers, body } = await eventually(
      () => arrived.find(({ path }) => path === "/mail"),
      "the webhook",
    );
    const told = JSON.parse(body);
    expect(told).toMatchObject({ action_id: answer.action_id, capability: "send_email_draft", payload });
    expect(told.executed_at).toBe((await get(`actions/${answer.action_id}`)).executed_at);
    const [id] = answer.result.outbox_ids;
    expect(headers["x-butterbase-delivery"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers["webhook-id"]).toBe(id);
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const plain = createHmac("sha256", secret).update(body).digest("hex");
    const decoded = createHmac("sha256", key).update(body).digest("hex");
    expect([`sha256=${plain}`, `sha256=${decoded}`]).toContain(headers["x-butterbase-signature"]);
    const signed = `${id}.${headers["webhook-timestamp"]}.${body}`;
    expect(headers["webhook-signature"]).toBe(
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
    );
    const delivered = await eventually(async () => {
      const { outbox } = await get("outbox?state=delivered");
      return outbox.find((each: any) => each.id === id);
    }, "the delivery in the list");
    expect(delivered).toMatchObject({
      state: "delivered",
      target: `${receiverUrl}/mail`,
      attempts: 1,
      last_status: 204,
    });
    expect(codeOf(await owner("POST", `${SUBSTRATE}/outbox/${id}/cancel`, {}))).toEqual([
      409,
      "wrong_status",
    ]);
  });

  it("tries again what failed, on demand too, and lets go what is cancelled", async () => {
    answers.set("/broken", 500);
    must(await target("record_decision", "/broken"));
    await execute(owner, "record_decision", { title: "Tell them", kind: "operational" });
    const failed = await eventually(async () => {
      const { outbox } = await get("outbox?state=failed&capability=record_decision");
      return outbox[0];
    }, "the failed try");
    expect(failed).toMatchObject({ attempts: 1, last_status: 500, next_attempt_at: expect.any(String) });
    const path = `${SUBSTRATE}/outbox/${failed.id}`;
    expect(must(await owner("POST", `${path}/cancel`, {})).state).toBe("cancelled");
    answers.delete("/broken");
    must(await owner("POST", `${path}/retry`, {}));
    await eventually(
      async () => (await get("outbox?state=delivered&capability=record_decision")).outbox[0],
      "the retry",
    );
    const tries = arrived.filter(({ path: at }) => at === "/broken");
    expect(new Set(tries.map(({ headers }) => headers["x-butterbase-delivery"])).size).toBe(1);
    const { targets } = await get("outbox-targets");
    expect(targets.map(({ capability }: any) => capability).sort()).toEqual([
      "record_decision",
      "send_email_draft",
    ]);
    must(await owner("DELETE", `${SUBSTRATE}/outbox-targets/record_decision`));
  });

  it("goes nowhere private that no operator has opened", async () => {
    const { port } = new URL(nodes.server.apiUrl);
    for (const webhook_url of [
      `http://127.0.0.1:${port}/x`,
      "http://169.254.169.254/latest",
      "http://10.0.0.1/",
    ]) {
      const answer = await owner("PUT", `${SUBSTRATE}/outbox-targets/place_call`, {
        ...{ webhook_url, signing_secret: "long enough" },
      });
      expect(codeOf(answer)).toEqual([400, "EXTERNAL_ADDRESS_REFUSED"]);
    }
  });
});

describe("the live stream", () => {
  it("opens by a ticket once, or by a key, and tells what changed without what is in it", async () => {
    const { ticket, expires_in } = must(await owner("POST", `${SUBSTRATE}/ws-ticket`, {}));
    expect([ticket, expires_in]).toEqual([expect.stringMatching(/^wst_/), 60]);
    const { apiUrl } = nodes.server;
    const { key } = await mint({ scope: "substrate" });
    const open = await Promise.all([
      openStream(apiUrl, `?ticket=${ticket}`),
      openStream(apiUrl, `?token=${key}`),
    ]);
    for (const { frames } of open) expect(frames[0]).toMatchObject({ type: "hello", ts: expect.any(String) });
    const { learning_id: id } = await execute(owner, "record_learning", {
      title: "Live",
      description: "news",
    });
    for (const stream of open) {
      const frame = await eventually(() => stream.frames.find((each) => each.id === id), "the change");
      const { cursor: _, user: _user, ...rest } = frame;
      expect(rest).toEqual({ org: organizationId, op: "insert", tbl: "learnings", id });
      expect(JSON.stringify(stream.frames)).not.toContain("Live");
      await stream.close();
    }
    for (const query of [`?ticket=${ticket}`, "?ticket=wst_unknown", "?token=bb_sub_unknown"]) {
      const refused = await openStream(apiUrl, query);
      await eventually(() => refused.closed !== null, "the refusal");
      expect([refused.closed?.code, refused.frames]).toEqual([1008, []]);
    }
  });
});

describe("erasing", () => {
  it("takes what a person wrote out of everything; the ledger's entries stay and verify", async () => {
    const secret = "Zaphod-4242";
    const { entity_id } = await execute(owner, "upsert_entity", {
      ...{
        type: "person",
        display_name: secret,
        primary_email: `${secret}@example.com`,
        attrs: { note: secret },
      },
    });
    await execute(owner, "patch_entity", { id: entity_id, attrs_patch: { other: `${secret} again` } });
    const waits = must(await propose(owner, "delete_entity", { id: entity_id, reason: secret }));
    const before = await verifiedLedger(owner);
    expect(JSON.stringify(before)).toContain(secret);
    const erased = must(await owner("POST", `${SUBSTRATE}/erase`, { entity_id, reason: "asked for it" }));
    expect(erased.actions).toContain(waits.action_id);
    expect(erased.ledger_values).toBeGreaterThan(0);
    const entries = await verifiedLedger(owner);
    expect(entries.slice(0, before.length).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    const everything = [
      JSON.stringify(entries),
      must(await owner("GET", `${SUBSTRATE}/export`)),
      ...["actions?limit=500", "entities?limit=200", `memory/${entity_id}/history`, `memory?q=${secret}`].map(
        get,
      ),
      must(await owner("GET", "/v1/approvals?limit=200")),
    ];
    for (const place of await Promise.all(everything)) expect(JSON.stringify(place)).not.toContain(secret);
    expect((await get(`actions/${waits.action_id}`)).status).toBe("rejected");
    expect(entries.filter(({ kind }) => kind === "ledger.erased").length).toBeGreaterThan(0);
  });
});

describe("the export of everything", () => {
  it("ends with a line that counts the others", async () => {
    const answer = await owner("GET", `${SUBSTRATE}/export`);
    const lines = must(answer)
      .trimEnd()
      .split("\n")
      .map((line: string) => JSON.parse(line));
    expect(lines[0]).toMatchObject({
      type: "header",
      format: "ambit.substrate",
      organization_id: organizationId,
    });
    const counts: Record<string, number> = {};
    for (const { type } of lines.slice(1, -1)) counts[type] = (counts[type] ?? 0) + 1;
    expect(lines.at(-1)).toEqual({ type: "end", counts });
    expect(Object.keys(counts)).toEqual(
      expect.arrayContaining([
        "action",
        "approval",
        "link",
        "outbox",
        "outbox_target",
        "record",
        "settings",
        "version",
      ]),
    );
    expect(JSON.stringify(lines)).not.toContain("whsec_");
    expect((await admin("GET", `${SUBSTRATE}/export`)).status).toBe(403);
  });
});
