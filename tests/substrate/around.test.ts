import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { type Api, apiAs, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { deployFunction, http, type Nodes } from "../support/functions.ts";
import { execute, openStream, propose, SUBSTRATE, verifiedLedger } from "../support/substrate.ts";
import { codeOf, type Receiver, type Stand, startStand } from "./stand.ts";

let stand: Stand;
let nodes: Nodes;
let owner: Api;
let admin: Api;
let agent: Client;
let organizationId: string;
let receiver: Receiver;
beforeAll(async () => {
  stand = await startStand(inject("postgres"));
  ({ nodes, owner, admin, agent, organizationId, receiver } = stand);
});
afterAll(() => stand?.close());

const get = (path: string): Promise<any> => stand.get(path);

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
    // Time for the scheduler to look several times more, were the rule still due.
    await sleep(2_200);
    expect((await get(`attention-rules/${made.id}/firings`)).firings).toHaveLength(1);
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
      ...{ webhook_url: `${receiver.url}${path}`, signing_secret: secret },
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
      () => receiver.arrived.find(({ path }) => path === "/mail"),
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
    expect(headers["x-butterbase-signature"]).toBe(`sha256=${plain}`);
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
      target: `${receiver.url}/mail`,
      attempts: 1,
      last_status: 204,
    });
    expect(codeOf(await owner("POST", `${SUBSTRATE}/outbox/${id}/cancel`, {}))).toEqual([
      409,
      "wrong_status",
    ]);
  });

  it("tries again what failed, on demand too, and lets go what is cancelled", async () => {
    receiver.answers.set("/broken", 500);
    must(await target("record_decision", "/broken"));
    await execute(owner, "record_decision", { title: "Tell them", kind: "operational" });
    const failed = await eventually(async () => {
      const { outbox } = await get("outbox?state=failed&capability=record_decision");
      return outbox[0];
    }, "the failed try");
    expect(failed).toMatchObject({ attempts: 1, last_status: 500, next_attempt_at: expect.any(String) });
    const path = `${SUBSTRATE}/outbox/${failed.id}`;
    expect(must(await owner("POST", `${path}/cancel`, {})).state).toBe("cancelled");
    receiver.answers.delete("/broken");
    must(await owner("POST", `${path}/retry`, {}));
    await eventually(
      async () => (await get("outbox?state=delivered&capability=record_decision")).outbox[0],
      "the retry",
    );
    const tries = receiver.arrived.filter(({ path: at }) => at === "/broken");
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
    const { key } = await stand.mint({ scope: "substrate" });
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
      must(await owner("GET", `/v1/approvals/${waits.approval_id}`)),
    ];
    for (const place of await Promise.all(everything)) expect(JSON.stringify(place)).not.toContain(secret);
    const { status, approval } = await get(`actions/${waits.action_id}`);
    expect([status, approval.status]).toEqual(["rejected", "cancelled"]);
    expect(entries.filter(({ kind }) => kind === "ledger.erased").length).toBeGreaterThan(0);
  });
});

describe("the export of everything", () => {
  it("ends with a line that counts the others", async () => {
    must(await owner("PUT", `${SUBSTRATE}/settings/yolo`, { yolo_mode: true }));
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
