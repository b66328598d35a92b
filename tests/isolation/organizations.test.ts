import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hiddenOf, Visitor } from "../../packages/server/src/doors/approve/testing/door.ts";
import { pathOf as gatewayPathOf, type Ids, routesFor } from "../gateway/stand/routes.ts";
import { pathOf, SHARED_ROUTES, SUBSTRATE_ROUTES } from "../keys/routes.ts";
import { listening, openStream } from "../keys/stream.ts";
import { ask, connectEra } from "../mcp/connect.ts";
import { mergedArgsOf } from "../mcp/step.ts";
import { STEPS } from "../mcp/steps.ts";
import { must } from "../support/app.ts";
import { execute, propose, SUBSTRATE } from "../support/substrate.ts";
import { callersOf, openTwoOrganizations, SECRET, type TwoOrganizations } from "./two-organizations.ts";

let two: TwoOrganizations;
let before: unknown;
beforeAll(async () => {
  two = await openTwoOrganizations();
  before = await two.state();
});
afterAll(() => two?.close());

const codeOf = (answer: { body: any }) => answer.body?.error?.code;
/** Which of the ids a text has; the ledger also has those its reader has asked for. */
const mentions = (path: string, text: string, ids: readonly string[]) =>
  path.startsWith("/v1/ledger") ? [] : ids.filter((id) => text.includes(id));

describe("one organisation's substrate is nobody else's", () => {
  it("over HTTP: by any id, as anybody", async () => {
    const { red, belongings } = two;
    for (const { name, api } of callersOf(red)) {
      for (const route of [...SUBSTRATE_ROUTES, ...SHARED_ROUTES]) {
        const path = pathOf(route, belongings.ids);
        const answer = await api(route.method, path, route.body);
        const text = JSON.stringify(answer.body) ?? "";
        const what = [name, route.method, route.path];
        expect([...what, SECRET.test(text)]).toEqual([...what, false]);
        if (/\{(?!capability)/.test(route.path))
          expect([...what, answer.status < 400]).toEqual([...what, false]);
        else expect([...what, mentions(path, text, belongings.all)]).toEqual([...what, []]);
      }
      for (const id of Object.values(belongings.records)) {
        for (const path of [`entities/${id}`, `source-artifacts/${id}`, `principles/${id}`]) {
          expect([name, path, codeOf(await api("GET", `${SUBSTRATE}/${path}`))]).toEqual([
            name,
            path,
            "RESOURCE_NOT_FOUND",
          ]);
        }
        for (const path of ["", "/history", "/links", `?as_of=${new Date().toISOString()}`]) {
          const answer = await api("GET", `${SUBSTRATE}/memory/${id}${path}`);
          expect([name, id, path, codeOf(answer)]).toEqual([name, id, path, "RESOURCE_NOT_FOUND"]);
        }
      }
    }
    expect(await two.state()).toEqual(before);
  });

  it("behind the gateway, over HTTP: by any id, as anybody", async () => {
    const { red, belongings } = two;
    const ids = { ...belongings.ids, url: belongings.found.upstream.url } as unknown as Ids;
    for (const { name, api } of callersOf(red)) {
      for (const route of routesFor(ids)) {
        // It would be a server of one's own.
        if (route.action === "add_server") continue;
        const path = gatewayPathOf(route, ids);
        const answer = await api(route.method, path, route.body);
        const text = JSON.stringify(answer.body) ?? "";
        const what = [name, route.method, route.path];
        expect([...what, SECRET.test(text)]).toEqual([...what, false]);
        if (/\{|validate|simulate|replay/.test(route.path))
          expect([...what, answer.status < 400]).toEqual([...what, false]);
        else expect([...what, mentions(path, text, belongings.all)]).toEqual([...what, []]);
      }
    }
    const { server_id, grant_id, decision_id } = belongings.ids;
    const asked = [
      `server_id=${server_id}`,
      `grant_id=${grant_id}`,
      `before=${decision_id}`,
      "tool=azure_note",
    ];
    for (const path of asked.flatMap((query) => [`decisions?${query}`, `decisions/export?${query}`])) {
      const { body } = await red.owner.api("GET", `/v1/gateway/${path}`);
      const text = typeof body === "string" ? body : JSON.stringify(body);
      expect([path, SECRET.test(text), mentions(path, text, belongings.all)]).toEqual([path, false, []]);
    }
    expect(await two.state()).toEqual(before);
  });

  it("through no filter, cursor, search or count", async () => {
    const { red, blue, belongings } = two;
    const { ids, records } = belongings;
    const inFull = [
      ...["entities?q=azure", "entities?primary_email=ada@shared.example", "entities?count=true&limit=1000"],
      ...[
        "memory?q=azure",
        "memory?q=azur",
        "memory?q=azure&match=or",
        "memory?q=az*",
        "memory?q=*&limit=200",
      ],
      ...[`memory?entity_id=${records.ada}`, `memory?app_id=${blue.appId}`, "memory/list?limit=100"],
      ...[`memory/list?source_artifact_id=${ids.artifact_id}`, `memory/list?before=${ids.record_id}`],
      ...["source-artifacts?q=azure&count=true", "principles", "principles?status=all", "snapshots?days=30"],
      ...["actions?limit=500", `actions?before=${ids.action_id}`, `actions?source_app_id=${blue.appId}`],
      ...[`actions?source_rule_id=${ids.rule_id}`, `policy-conflicts?action_id=${ids.action_id}`],
      ...[
        "policy-conflicts",
        `policy-conflicts?before=${ids.conflict_id}`,
        "attention-rules",
        "outbox-targets",
      ],
      ...["outbox?limit=200", `outbox?before=${ids.outbox_id}`],
    ].map((path) => `${SUBSTRATE}/${path}`);
    const shared = [
      ...[
        "/v1/approvals",
        `/v1/approvals?before=${ids.approval_id}`,
        `/v1/approvals?requester=${blue.owner.keyId}`,
      ],
      ...["/v1/ledger/entries?limit=200", `/v1/ledger/entries?before=${ids.id}`],
      ...[`/v1/ledger/entries?subject=${ids.action_id}`, `${SUBSTRATE}/export`],
    ];
    for (const path of [...inFull, ...shared]) {
      const answer = await red.owner.api("GET", path);
      expect([path, answer.status < 500]).toEqual([path, true]);
      const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
      expect([path, SECRET.test(text), mentions(path, text, belongings.all)]).toEqual([path, false, []]);
    }
    expect(must(await red.owner.api("GET", `${SUBSTRATE}/snapshots`)).snapshots[0]).toMatchObject({
      ...{ entity_count: 0, commitment_count: 0, active_principle_count: 0 },
    });
  });

  it("in no proposal that names it", async () => {
    const { red, belongings } = two;
    const { ada, works, decision_id, artifact_id, link_id, principle, learning } = belongings.records;
    const own = await execute(red.owner.api, "upsert_entity", { type: "person", display_name: "Own" });
    const proposals: [string, object][] = [
      ["update_entity", { id: ada, display_name: "Mine" }],
      ["patch_entity", { id: ada, attrs_patch: { mine: true } }],
      ["upsert_entity", { id: ada, type: "person", display_name: "Mine" }],
      ["delete_entity", { id: works, reason: "mine" }],
      ["merge_entities", { loser_id: ada, winner_id: own.entity_id, reason: "mine" }],
      ["merge_entities", { loser_id: own.entity_id, winner_id: ada, reason: "mine" }],
      ["record_commitment", { description: "Mine", status: "confirmed", from_entity: ada }],
      ["record_learning", { title: "Mine", description: "Mine", related_decision_id: decision_id }],
      ["record_decision", { title: "Mine", kind: "operational", source_artifact_id: artifact_id }],
      ["supersede_decision", { old_decision_id: decision_id, new_title: "Mine", kind: "strategic" }],
      ["upsert_source_artifact", { id: artifact_id, kind: "note", title: "Mine" }],
      ["upsert_source_artifact", { kind: "note", title: "Mine", links: { entity_ids: [ada] } }],
      ["link_records", { from_id: own.entity_id, to_id: learning, relation: "mine" }],
      ["unlink_records", { link_id }],
      ["amend_principle", { principle_id: principle, title: "Mine" }],
      ["retire_principle", { principle_id: principle, reason: "mine" }],
      ["revert_action", { action_id: belongings.found.actionId }],
      ["bulk_revert_actions", { action_ids: [belongings.found.actionId], reason: "mine" }],
    ];
    const refused = /^(RESOURCE_NOT_FOUND|VALIDATION_UNKNOWN_REFERENCE)$/;
    for (const [capability, payload] of proposals) {
      const seen = await red.owner.api("POST", `${SUBSTRATE}/actions/preview`, { capability, payload });
      expect([capability, SECRET.test(JSON.stringify(seen.body))]).toEqual([capability, false]);
      const answer = await propose(red.owner.api, capability, payload);
      // What needs an approval may wait for it: it comes to nothing then.
      if (answer.status === 200 && answer.body.requires_approval) {
        const path = `${SUBSTRATE}/actions/${answer.body.action_id}/approve`;
        const decided = must(await red.admin.api("POST", path, {}));
        const told = JSON.stringify([decided.error, decided.result]);
        expect([capability, decided.changes_count, SECRET.test(told)]).toEqual([capability, 0, false]);
      } else expect([capability, codeOf(answer)]).toEqual([capability, expect.stringMatching(refused)]);
    }
    expect(await two.state()).toEqual(before);
  });

  it("by no key that only one of them can have: addresses, ids from outside, idempotency, principles", async () => {
    const { red, blue } = two;
    const person = {
      ...{ type: "person", display_name: "Red Ada", primary_email: "ada@shared.example" },
      canonical_keys: { tax: "4711" },
    };
    expect((await execute(red.owner.api, "upsert_entity", person)).was_insert).toBe(true);
    const note = { kind: "note", title: "Red", external_system: "calendar", external_id: "4711" };
    const artifact = await execute(red.owner.api, "upsert_source_artifact", note);
    expect([artifact.was_insert, artifact.before]).toEqual([true, null]);
    const mission = { title: "A red mission", kind: "mission" };
    expect((await execute(red.agents[0]!.api, "record_decision", mission)).decision_id).toMatch(/^dec_/);

    const once = { idempotency_key: "the same in both" };
    const learning = (title: string) => ({ title, description: title });
    const [inBlue, inRed] = [
      must(await propose(blue.owner.api, "record_learning", learning("azure once"), once)),
      must(await propose(red.owner.api, "record_learning", learning("red once"), once)),
    ];
    expect([inBlue.replay, inRed.replay]).toEqual([undefined, undefined]);
    expect(inRed.action_id).not.toBe(inBlue.action_id);
    before = await two.state();
  });

  it("in no webhook", async () => {
    const { red, blue, delivered } = two;
    await execute(red.owner.api, "record_learning", { title: "Red learning", description: "red" });
    await execute(blue.owner.api, "record_learning", { title: "Azure, the last", description: "azure" });
    for (let moment = 0; moment < 200 && !delivered.some((body) => /the last/.test(body)); moment += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(delivered.length).toBeGreaterThan(1);
    for (const body of delivered) expect(body).toMatch(SECRET);
    expect(must(await red.owner.api("GET", `${SUBSTRATE}/outbox`)).outbox).toEqual([]);
    before = await two.state();
  });

  it("over MCP: through no tool", async () => {
    const { nodes, red, blue, belongings } = two;
    const found = { ...belongings.found, organizationId: blue.organizationId };
    for (const { name, key } of [red.owner, red.agents[0]!, red.appKey]) {
      const client = await connectEra(nodes.server.mcpUrl, key, "2026-07-28");
      for (const step of STEPS) {
        const { text, error } = await ask(client, step.tool, mergedArgsOf(step, found));
        expect([name, step.verb, SECRET.test(text)]).toEqual([name, step.verb, false]);
        // Erases what the caller's own organisation has said about it.
        if (step.verb === "substrate_erase") continue;
        const named = JSON.stringify(step.args(found));
        const guesses = step.app || mentions("", named, [...belongings.all, blue.organizationId]).length > 0;
        // A list of something that isn't there is empty.
        const empty =
          error === null && mentions("", text, belongings.all).length === 0 && step.reads === true;
        if (guesses && !empty)
          expect([name, step.verb, error?.code ?? "done"]).not.toEqual([name, step.verb, "done"]);
        if (step.app)
          expect([name, step.verb, error?.code]).toEqual([name, step.verb, "AUTH_INSUFFICIENT_PERMISSIONS"]);
      }
      await client.close();
    }
    expect(await two.state()).toEqual(before);
  });

  it("on no page", async () => {
    const { nodes, red, blue, belongings } = two;
    const { apiUrl } = nodes.server;
    const { approval_id } = belongings.ids;
    const page = `/approve/${approval_id}`;
    const visit = () => new Visitor({ url: apiUrl, port: Number(new URL(apiUrl).port) });
    for (const { key } of [red.owner, red.admin, red.viewer]) {
      const visitor = visit();
      await visitor.signIn(approval_id!, key);
      const seen = await visitor.get(page);
      expect([seen.status === 200 && SECRET.test(seen.body), SECRET.test(seen.body)]).toEqual([false, false]);
      // With a form of its own organisation's, too.
      const own = must(
        await propose(red.agents[2]!.api, "record_principle", {
          ...{ title: "Red", applies_to: { capability: "place_call" } },
          constraint_spec: { type: "max_per_day", params: { n: 1 } },
        }),
      );
      await visitor.signIn(own.approval_id, key);
      const form = hiddenOf(await visitor.get(`/approve/${own.approval_id}`));
      for (const path of ["confirm", "decide"]) {
        const answer = await visitor.post(`${page}/${path}`, { ...form, decision: "approve" });
        expect([path, answer.status < 400 && answer.status !== 303, SECRET.test(answer.body)]).toEqual([
          path,
          false,
          false,
        ]);
      }
    }
    const { status } = must(await blue.owner.api("GET", `/v1/approvals/${approval_id}`));
    expect(status).toBe("pending");
    const right = visit();
    await right.signIn(approval_id!, blue.admin.key);
    expect((await right.get(page)).body).toMatch(SECRET);
  });
});

describe("one organisation's changes are heard by nobody else", () => {
  it("over a key, a ticket, a ticket of code, or with another's cursor", async () => {
    const { nodes, red, blue, fromCode } = two;
    const { apiUrl } = nodes.server;
    const { ticket } = must(await red.owner.api("POST", `${SUBSTRATE}/ws-ticket`, {}));
    const ofCode = (await fromCode("wsTicket")).value.ticket;
    const theirs = await listening(apiUrl, { bearer: blue.owner.key });
    const cursor = theirs.frames[0].cursor;
    const streams = [
      await listening(apiUrl, { bearer: red.owner.key }),
      await listening(apiUrl, { token: red.agents[0]!.key }),
      await listening(apiUrl, { ticket }),
      await listening(apiUrl, { ticket: ofCode }),
    ];
    const heard = (
      await execute(blue.owner.api, "record_decision", { title: "Azure news", kind: "operational" })
    ).decision_id;
    must(
      await propose(blue.agents[2]!.api, "delete_entity", {
        id: two.belongings.records.works,
        reason: "azure",
      }),
    );
    await theirs.waitFor((frame) => frame.id === heard);
    const own = (await execute(red.appKey.api, "record_decision", { title: "Red news", kind: "operational" }))
      .decision_id;
    streams.push(await openStream(apiUrl, { token: red.owner.key, cursor } as never));
    for (const stream of streams.slice(0, 4)) await stream.waitFor((frame) => frame.id === own);
    await theirs.waitFor((frame) => frame.tbl === "approvals");
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const stream of streams) {
      const orgs = stream.frames.flatMap(({ org }) => (org === undefined ? [] : [org]));
      expect([...new Set(orgs)]).not.toContain(blue.organizationId);
      expect(stream.frames.map(({ id }) => id)).not.toContain(heard);
      stream.close();
    }
    for (const { org } of theirs.frames.slice(1)) expect(org).toBe(blue.organizationId);
    theirs.close();
    before = await two.state();
  });
});

describe("an app's code reaches its own organisation's memory and no other", () => {
  it("whatever it asks ctx.substrate for", async () => {
    const { fromCode, belongings, red, blue } = two;
    const { records, ids, found } = belongings;
    must(await red.owner.api("POST", `/v1/me/apps/${red.appId}/substrate-link`, { read_scope: {} }));
    for (const id of Object.values(records)) {
      for (const method of ["getEntity", "getSourceArtifact"]) {
        expect([method, (await fromCode(method, id)).value]).toEqual([method, null]);
      }
    }
    for (const id of [ids.action_id, found.actionId])
      expect((await fromCode("getAction", id)).value).toBeNull();
    for (const [method, ...args] of [
      ["findEntities", { q: "azure" }],
      ["findEntities", { primary_email: "ada@shared.example", limit: 1_000 }],
      ["searchMemory", "azure", { match: "or" }],
      ["searchMemory", "*", { limit: 200 }],
      ["listMemory", { source_artifact_id: ids.artifact_id }],
      ["listMemory", { before: ids.record_id }],
      ["listSourceArtifacts", { q: "azure" }],
      ["listActions", { before: ids.action_id }],
      ["patchEntity", records.ada, { display_name: "Mine" }],
      ["deleteEntity", records.works, "mine"],
      ["mergeEntities", records.ada, records.works, "mine"],
      ["propose", "revert_action", { action_id: found.actionId }],
      ["propose", "update_entity", { id: records.ada, organization_id: blue.organizationId }],
    ] as [string, ...unknown[]][]) {
      const answer = await fromCode(method, ...args);
      const text = JSON.stringify(answer);
      expect([method, SECRET.test(text), text.includes(blue.organizationId)]).toEqual([method, false, false]);
    }
    expect(await two.state()).toEqual(before);
  });
});

it("of the ledger an organisation is shown its own entries, and of others' the hashes", async () => {
  const { red, blue, belongings } = two;
  const exported: string = must(await red.owner.api("GET", "/v1/ledger/export"));
  expect(SECRET.test(exported)).toBe(false);
  const lines = exported
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const shown = lines.filter(({ entry }) => entry !== undefined).map(({ entry }) => JSON.parse(entry));
  expect(new Set(shown.map(({ org }) => org))).toEqual(new Set([red.organizationId]));
  expect(shown.map(({ id }) => id)).not.toContain(belongings.ids.id);
  const hashes = lines.filter(({ i, entry }) => i !== undefined && entry === undefined);
  expect(hashes.length).toBeGreaterThan(20);
  for (const line of hashes) expect(Object.keys(line).sort()).toEqual(["i", "leaf"]);
  const subjects = [belongings.found.actionId, ...belongings.all];
  const erased = await red.owner.api("POST", "/v1/ledger/erase", { subjects, reason: "not mine" });
  expect(erased.body).toEqual({ erased: 0 });
  for (const path of [belongings.ids.id, `${belongings.ids.id}/proof`]) {
    expect(codeOf(await red.owner.api("GET", `/v1/ledger/entries/${path}`))).toBe("RESOURCE_NOT_FOUND");
  }
  expect(SECRET.test(must(await blue.owner.api("GET", "/v1/ledger/export")))).toBe(true);
  expect(await two.state()).toEqual(before);
});
