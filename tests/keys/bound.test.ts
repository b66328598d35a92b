import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, connectEra } from "../mcp/connect.ts";
import { type Api, apiAs } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { execute, propose, SUBSTRATE } from "../support/substrate.ts";
import { pathOf, SHARED_ROUTES, SUBSTRATE_ROUTES } from "./routes.ts";
import { listening } from "./stream.ts";

/** A port nobody listens at: what is sent there fails, and stays in the outbox. */
const NOWHERE = "127.0.0.1:1";

let server: Server;
let owner: Api;
/** The app whose keys are looked at, another that is linked, and one that is not. */
let app: string;
let other: string;
let unlinked: string;

interface Minted {
  readonly api: Api;
  readonly key: string;
  readonly id: string;
}
async function mint(body: object): Promise<Minted> {
  const { key, id } = must(await owner("POST", "/api-keys", { name: "test", ...body }));
  return { api: apiAs(server.apiUrl, key), key, id };
}
const bound = (appId: string, more: object = {}) =>
  mint({ scope: "both", key_scope: "app", target_app_id: appId, ...more });
const codeOf = (answer: { body: any }) => answer.body?.error?.code;
const linkOf = (appId: string) => `/v1/me/apps/${appId}/substrate-link`;
const allow = async (read_scope: object) => must(await owner("POST", linkOf(app), { read_scope }));
const rowsOf = async (api: Api, path: string): Promise<any[]> => {
  const body = must(await api("GET", `${SUBSTRATE}/${path}`));
  return Object.values(body).find((value) => Array.isArray(value)) as any[];
};

/** Everything in the memory of the organisation that is none of the app's. */
const theirs: Record<string, string> = {};
let theirAction: string;
let theirApproval: string;
let theirWaiting: string;
let theirConflict: string;
let theirDelivery: string;
let asOther: Api;

beforeAll(async () => {
  server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: NOWHERE });
  owner = apiAs(server.apiUrl, server.apiKey);
  [app, other, unlinked] = [await newApp(owner), await newApp(owner), await newApp(owner)];
  for (const each of [app, other]) must(await owner("POST", linkOf(each), {}));
  asOther = (await bound(other)).api;
  const target = { webhook_url: `http://${NOWHERE}/hook`, signing_secret: "of this suite" };
  must(await owner("PUT", `${SUBSTRATE}/outbox-targets/record_learning`, target));

  const person = { type: "person", display_name: "Zaphod hidden", primary_email: "zaphod@example.com" };
  theirs.person = (await execute(owner, "upsert_entity", person)).entity_id;
  const company = { type: "company", display_name: "Hidden works" };
  theirs.company = (await execute(asOther, "upsert_entity", company)).entity_id;
  const artifact = {
    ...{ kind: "meeting", title: "Hidden minutes", content: "hidden words" },
    ...{ external_system: "calendar", external_id: "4711" },
  };
  theirs.artifact = (await execute(owner, "upsert_source_artifact", artifact)).artifact_id;
  const decision = { title: "Hidden decision", kind: "strategic", source_artifact_id: theirs.artifact };
  theirs.decision = (await execute(asOther, "record_decision", decision)).decision_id;
  const commitment = { description: "Hidden commitment", status: "confirmed", from_entity: theirs.person };
  theirs.commitment = (await execute(owner, "record_commitment", commitment)).commitment_id;
  const link = { from_id: theirs.person, to_id: theirs.company, relation: "hidden-at" };
  theirs.link = (await execute(owner, "link_records", link)).link_id;
  const learnt = must(
    await propose(asOther, "record_learning", { title: "Hidden learning", description: "Told on." }),
  );
  theirAction = learnt.action_id;
  theirs.learning = learnt.result.learning_id;

  const principle = {
    title: "Hidden principle",
    applies_to: { capability: "record_decision", kind: "mission" },
    constraint_spec: { type: "forbidden_values", params: { field: "kind", values: ["mission"] } },
  };
  const waiting = must(await propose(owner, "record_principle", principle));
  const approved = must(await owner("POST", `${SUBSTRATE}/actions/${waiting.action_id}/approve`, {}));
  theirs.principle = approved.result.decision_id;
  const held = must(await propose(asOther, "record_decision", { title: "Hidden mission", kind: "mission" }));
  [theirWaiting, theirApproval] = [held.action_id, held.approval_id];
  theirConflict = (await rowsOf(owner, "policy-conflicts"))[0].id;
  theirDelivery = (await rowsOf(owner, "outbox"))[0].id;
});
afterAll(() => discard(server));

/** Everything a key may list, as text. */
async function everythingSeen({ api }: Minted): Promise<string> {
  const paths = [
    "entities?limit=1000",
    "entities?q=hidden",
    "entities?primary_email=zaphod@example.com",
    "source-artifacts?limit=200",
    "source-artifacts?q=hidden",
    "memory?limit=200",
    "memory?q=hidden&limit=200",
    "memory?q=hiden",
    "memory?q=hidd&match=prefix",
    `memory?entity_id=${theirs.person}`,
    `memory?app_id=${other}`,
    "memory/list?limit=100",
    `memory/list?source_artifact_id=${theirs.artifact}`,
    `memory?as_of=${new Date().toISOString()}&limit=200`,
    `entities?as_of=${new Date().toISOString()}&limit=1000`,
    `memory/list?as_of=${new Date().toISOString()}&limit=100`,
    "principles",
    "actions?limit=500",
    `actions?source_app_id=${other}`,
    "policy-conflicts",
    `policy-conflicts?action_id=${theirWaiting}`,
    "outbox?limit=200",
  ];
  const rows = await Promise.all(paths.map((path) => rowsOf(api, path)));
  return JSON.stringify(rows);
}

/** One by one, with every id there is. */
async function idsSeen({ api }: Minted): Promise<string[]> {
  const seen: string[] = [];
  const now = new Date().toISOString();
  for (const [what, id] of Object.entries(theirs)) {
    for (const path of [
      `entities/${id}`,
      `source-artifacts/${id}`,
      `principles/${id}`,
      `memory/${id}`,
      `memory/${id}?as_of=${now}`,
      `memory/${id}/history`,
      `memory/${id}/links`,
    ]) {
      const answer = await api("GET", `${SUBSTRATE}/${path}`);
      if (answer.status === 200) seen.push(what);
      else expect([path, codeOf(answer)]).toEqual([path, "RESOURCE_NOT_FOUND"]);
    }
  }
  return [...new Set(seen)].sort();
}

describe("a key that is bound to an app", () => {
  it("opens nothing of the substrate while the app is not linked", async () => {
    for (const { api, key } of [await bound(unlinked), await bound(unlinked, { kind: "person" })]) {
      for (const route of SUBSTRATE_ROUTES.filter(({ person, whole }) => !person && !whole)) {
        // Does nothing, for anybody.
        if (route.path.endsWith("/provision")) continue;
        const answer = await api(route.method, pathOf(route), route.body);
        expect([route.method, route.path, answer.status, codeOf(answer)]).toEqual([
          ...[route.method, route.path],
          ...[403, "SUBSTRATE_NOT_LINKED"],
        ]);
      }
      await expect(listening(server.apiUrl, { bearer: key })).rejects.toThrow("1008");
    }
  });

  it("has nothing to do with what concerns the whole organisation", async () => {
    const state = async () => [
      ...(await Promise.all(
        ["settings", "capabilities", "attention-rules", "outbox-targets", "policy-conflicts"].map((path) =>
          owner("GET", `${SUBSTRATE}/${path}`).then(must),
        ),
      )),
      must(await owner("GET", "/v1/approvals")),
      must(await owner("GET", "/v1/approvals/settings")),
    ];
    const before = await state();
    const ids = {
      ...{ action_id: theirWaiting, conflict_id: theirConflict, approval_id: theirApproval },
      ...{ entity_id: theirs.person!, capability: "record_learning" },
    };
    for (const kind of ["agent", "person"]) {
      const { api, key } = await bound(app, { kind });
      for (const route of [...SUBSTRATE_ROUTES, ...SHARED_ROUTES].filter(({ whole }) => whole)) {
        const answer = await api(route.method, pathOf(route, ids), route.body);
        const code =
          route.person && kind === "agent" ? "AUTH_PERSON_REQUIRED" : "AUTH_INSUFFICIENT_PERMISSIONS";
        expect([kind, route.method, route.path, codeOf(answer)]).toEqual([
          kind,
          route.method,
          route.path,
          code,
        ]);
      }
      const client = await connectEra(server.mcpUrl, key, "2026-07-28");
      for (const [tool, args] of [
        ["manage_approvals", { action: "list" }],
        ["manage_approvals", { action: "approve", approval_id: theirApproval }],
        ["approve_action", { action_id: theirWaiting }],
        ["manage_ledger", { action: "list" }],
        ["manage_attention_rules", { action: "list" }],
        ["manage_substrate", { action: "snapshots" }],
        ["manage_substrate", { action: "list_outbox_targets" }],
      ] as const) {
        const { error } = await ask(client, tool, args);
        expect([tool, error?.code]).toEqual([tool, expect.stringMatching(/^AUTH_/)]);
      }
      await client.close();
    }
    expect(await state()).toEqual(before);
  });

  it("sees of what others wrote what the link lets it see, over every way of reading", async () => {
    const key = await bound(app);
    await allow({ own_only: true });
    const own = (await execute(key.api, "upsert_entity", { type: "project", display_name: "Own project" }))
      .entity_id;
    expect(await idsSeen(key)).toEqual([]);
    const seen = await everythingSeen(key);
    expect(seen).not.toMatch(/hidden/i);
    expect(seen).toContain(own);

    await allow({ kinds: ["entity", "link"], entity_types: ["person", "project"] });
    expect(await idsSeen(key)).toEqual(["person"]);
    expect(await everythingSeen(key)).not.toMatch(
      /hidden (works|minutes|decision|commitment|learning|words)/i,
    );

    await allow({ kinds: ["decision"] });
    expect(await idsSeen(key)).toEqual(["decision", "principle"]);
    expect(await everythingSeen(key)).not.toMatch(/zaphod|hidden (works|minutes|commitment|learning|words)/i);

    await allow({});
    expect(await idsSeen(key)).toEqual(Object.keys(theirs).sort());
    await allow({ own_only: true });
    expect(await idsSeen(key)).toEqual([]);
  });

  it("sees and touches no action, conflict or delivery of anybody else, whatever it may read", async () => {
    await allow({});
    for (const kind of ["agent", "person"]) {
      const { api } = await bound(app, { kind });
      for (const path of [
        ...[theirAction, theirWaiting].map((id) => `actions/${id}`),
        `policy-conflicts/${theirConflict}`,
      ]) {
        expect([path, codeOf(await api("GET", `${SUBSTRATE}/${path}`))]).toEqual([
          path,
          "RESOURCE_NOT_FOUND",
        ]);
      }
      for (const verb of ["retry", "cancel"]) {
        const answer = await api("POST", `${SUBSTRATE}/outbox/${theirDelivery}/${verb}`, {});
        expect([verb, codeOf(answer)]).toEqual([verb, "RESOURCE_NOT_FOUND"]);
      }
      const undo = await propose(api, "revert_action", { action_id: theirAction });
      expect([kind, undo.status]).toEqual([kind, expect.toBeOneOf([403, 404, 409])]);
    }
    expect(must(await owner("GET", `${SUBSTRATE}/actions/${theirAction}`)).reverted_by).toBeNull();
    expect(must(await owner("GET", `${SUBSTRATE}/memory/${theirs.learning}`)).id).toBe(theirs.learning);
    await allow({ own_only: true });
  });

  it("is told nothing of a hidden record by writing, previewing, or being refused", async () => {
    await allow({ own_only: true });
    const { api } = await bound(app);
    const proposals: [string, object][] = [
      [
        "upsert_source_artifact",
        { kind: "note", title: "Mine", external_system: "calendar", external_id: "4711" },
      ],
      ["upsert_entity", { type: "person", display_name: "Guess", primary_email: "zaphod@example.com" }],
      ["update_entity", { id: theirs.company, display_name: "Guess" }],
      ["patch_entity", { id: theirs.company, attrs_patch: { guess: 1 } }],
      ["delete_entity", { id: theirs.person, reason: "to learn what refers to it" }],
      ["merge_entities", { loser_id: theirs.person, winner_id: theirs.company, reason: "guess" }],
      ["link_records", { from_id: theirs.person, to_id: theirs.company, relation: "hidden-at" }],
      ["supersede_decision", { old_decision_id: theirs.decision, new_title: "Guess", kind: "operational" }],
    ];
    for (const [capability, payload] of proposals) {
      const previewed = await api("POST", `${SUBSTRATE}/actions/preview`, { capability, payload });
      expect([capability, JSON.stringify(previewed.body)]).toEqual([
        capability,
        expect.not.stringMatching(/zaphod hidden|hidden (works|minutes|words|decision|commitment|learning)/i),
      ]);
    }
    // What it writes by itself is told back without what was there.
    const [capability, payload] = proposals[0]!;
    const { result } = must(await propose(api, capability, payload));
    expect([result.was_insert, result.before]).toEqual([false, null]);
    expect(await everythingSeen(await bound(app))).not.toMatch(/hidden (minutes|words)/i);
  });
});

describe("what an app may read", () => {
  const scopeOf = async (appId: string) => must(await owner("GET", linkOf(appId)));

  it("is not for its own keys to widen, nor for those of other apps", async () => {
    await allow({ own_only: true });
    const before = [await scopeOf(app), await scopeOf(other), await scopeOf(unlinked)];
    for (const kind of ["agent", "person"]) {
      const { api } = await bound(app, { kind });
      for (const [method, path, body] of [
        ["POST", linkOf(app), { read_scope: {} }],
        ["POST", linkOf(app), { read_scope: { own_only: false } }],
        ["DELETE", linkOf(app), undefined],
        ["GET", linkOf(other), undefined],
        ["POST", linkOf(other), {}],
        ["POST", linkOf(other), { read_scope: { own_only: true } }],
        ["PUT", `/v1/me/apps/${other}/substrate-autopropagate`, { users: true }],
        ["DELETE", linkOf(other), undefined],
        ["POST", linkOf(unlinked), {}],
        ["POST", "/api-keys", { name: "wider", scope: "both" }],
        ["POST", "/api-keys", { name: "wider", scope: "substrate" }],
      ] as const) {
        const answer = await api(method, path, body);
        expect([kind, method, path, answer.status]).toEqual([kind, method, path, 403]);
      }
    }
    expect([await scopeOf(app), await scopeOf(other), await scopeOf(unlinked)]).toEqual(before);
  });

  it("is not for a key to give that does not open the substrate itself", async () => {
    for (const body of [{}, { kind: "person" }, { key_scope: "app", target_app_id: unlinked }]) {
      const { api, key } = await mint(body);
      const link = await api("POST", linkOf(unlinked), {});
      expect([body, link.status, JSON.stringify(link.body)]).toEqual([
        body,
        403,
        expect.stringMatching(/scope/i),
      ]);
      const mirror = await api("PUT", `/v1/me/apps/${other}/substrate-autopropagate`, { users: true });
      expect(mirror.status).toBe(403);
      const client = await connectEra(server.mcpUrl, key, "2026-07-28");
      const tool = { action: "link_substrate", app_id: unlinked };
      expect((await ask(client, "manage_app", tool)).error?.code).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      await client.close();
    }
    expect((await scopeOf(unlinked)).linked).toBe(false);
  });
});

describe("the stream of a bound key", () => {
  it("tells of what the link shows and of nothing else, and ends with the link", async () => {
    await allow({ kinds: ["decision"] });
    const { api, key } = await bound(app);
    const { ticket } = must(await api("POST", `${SUBSTRATE}/ws-ticket`, {}));
    const streams = [
      await listening(server.apiUrl, { bearer: key }),
      await listening(server.apiUrl, { token: key }),
      await listening(server.apiUrl, { ticket }),
    ];
    const whole = await listening(server.apiUrl, { bearer: server.agentKey });
    const hidden = (await execute(owner, "upsert_entity", { type: "project", display_name: "Unheard" }))
      .entity_id;
    must(await propose(owner, "delete_entity", { id: hidden, reason: "unheard" }));
    const shown = (await execute(owner, "record_decision", { title: "Heard", kind: "operational" }))
      .decision_id;
    await whole.waitFor((frame) => frame.id === shown);
    expect(whole.frames.map((frame) => frame.tbl)).toEqual(
      expect.arrayContaining(["entities", "action_ledger", "approvals", "decisions"]),
    );
    for (const stream of streams) {
      await stream.waitFor((frame) => frame.id === shown);
      const told = stream.frames.filter((frame) => frame.type !== "hello");
      expect(told.map(({ op, tbl, id }) => [op, tbl, id])).toEqual([["insert", "decisions", shown]]);
    }
    const fromMs = performance.now();
    must(await owner("DELETE", linkOf(app)));
    for (const stream of streams) {
      const { code, atMs } = await stream.closed;
      expect(code).toBe(1008);
      expect(atMs - fromMs).toBeLessThan(2_500);
    }
    whole.close();
    must(await owner("POST", linkOf(app), { read_scope: { own_only: true } }));
  });
});
