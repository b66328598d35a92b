import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuth } from "../../features/auth/index.ts";
import { createKeysService } from "../../features/keys/service.ts";
import { createLedger } from "../../features/ledger/index.ts";
import { createMail } from "../../features/mail/index.ts";
import { createOrganizations } from "../../features/organizations/index.ts";
import { createRealtime } from "../../features/realtime/index.ts";
import { createSubstrateLinks } from "../../features/substrate-links/index.ts";
import type { SubstrateLinksService } from "../../features/substrate-links/service.ts";
import { createGuardedFetch } from "../../kernel/guarded-fetch.ts";
import type { AnyOperation, App } from "../../kernel/operation.ts";
import { composeSubstrate } from "../../substrate-features.ts";
import { functionsStage, type Stage } from "../functions/testing/stage.ts";

let stage: Stage;
let links: SubstrateLinksService;
let operations: readonly AnyOperation[];
let app: App;
let other: App;

/** Calls the method it is sent, and tells what came of it. */
const CODE = `export async function handler(req: Request, { substrate }: any) {
  const { method, args } = await req.json();
  try { return { got: await substrate[method](...args) }; }
  catch (error: any) { return { code: error.code, status: error.status, message: error.message }; }
}`;
const http = [{ type: "http" as const, config: { auth: "none" } }];

beforeAll(async () => {
  stage = await functionsStage((world, platform) => {
    const keys = createKeysService(platform);
    const fetch = createGuardedFetch({ allowPrivate: [] });
    const mail = createMail(platform).service;
    const linked = createSubstrateLinks(platform);
    const composed = composeSubstrate(platform, {
      ...{ apps: world.apps, fetch, keys, links: linked, mail, ledger: createLedger(platform).service },
      auth: createAuth(platform, { apps: world.apps, mail, fetch }).service,
      organizations: createOrganizations(platform, keys).service,
      realtime: createRealtime(platform).service,
    });
    links = linked.service;
    operations = composed.features.flatMap((feature) => feature.operations);
    return {
      ...{ links, substrate: composed.substrate, stream: composed.stream },
      operations: () => operations,
    };
  });
  [app, other] = [await stage.createApp(), await stage.createApp()];
  for (const each of [app, other]) {
    await links.link(each.id, stage.organizationId, {});
    await stage.deploy(each, "sub", CODE, { triggers: http });
  }
});
afterAll(() => stage.stop());

async function ask(method: string, args: unknown[], authorization?: string, of = app): Promise<any> {
  const response = await stage.call(`/v1/${of.id}/fn/sub`, {
    method: "POST",
    body: JSON.stringify({ method, args }),
    headers: authorization === undefined ? {} : { authorization },
  });
  expect(response.status).toBe(200);
  return response.json();
}
const got = async (method: string, ...args: unknown[]) => {
  const answer = await ask(method, args);
  expect(answer).not.toHaveProperty("code");
  return answer.got;
};
/** What a key of the organisation is given by the same operation. */
const byKey = (action: string, input: object): Promise<any> => {
  const operation = operations.find(({ mcp }) => mcp?.tool === "manage_substrate" && mcp.action === action)!;
  const { principal } = stage.key({ scopes: ["*", "substrate"] });
  const call = { principal, nowMs: Date.now(), signal: new AbortController().signal };
  return operation.run(call as never, operation.input.parse(input) as never);
};
const person = (name: string, more: object = {}) => ({ type: "person", display_name: name, ...more });
const made = async (name: string, of = app): Promise<string> =>
  (await ask("propose", ["upsert_entity", person(name)], undefined, of)).got.result.entity_id;

describe("what code proposes", () => {
  it("is the code's, an agent's, whoever called it", async () => {
    const callers = [
      undefined,
      stage.user(app, "u1"),
      stage.key().bearer,
      stage.key({ keyKind: "person", role: "owner" }).bearer,
    ];
    for (const [at, authorization] of callers.entries()) {
      const { got: answer } = await ask("propose", ["upsert_entity", person(`p${at}`)], authorization);
      expect(answer).toMatchObject({
        ...{ action_id: expect.stringMatching(/^act_/), requires_approval: false },
        result: { entity_id: expect.stringMatching(/^ent_/), was_insert: true },
      });
      expect(await byKey("get_action", { action_id: answer.action_id })).toMatchObject({
        ...{ status: "executed", source_app_id: app.id, source_rule_id: null },
        proposer: { kind: "agent", id: app.id, account_id: null, label: `function sub of ${app.name}` },
      });
    }
  });

  it("waits for a person where it has to, whatever the code says", async () => {
    const id = await made("stays");
    for (const options of [{}, { dangerously_skip_approval: true }]) {
      const answer = await got("deleteEntity", id, "not needed", options);
      expect(answer).toMatchObject({ requires_approval: true, verdict: { result: "requires_approval" } });
      expect(answer).not.toHaveProperty("result");
    }
    expect(await got("getEntity", id)).toMatchObject({ id });
  });

  it("is done once per idempotency key, and keeps where it came from", async () => {
    const options = { idempotency_key: "once", trigger_context: "import 7" };
    const first = await got("propose", "record_learning", { title: "a", description: "b" }, options);
    const again = await got("propose", "record_learning", { title: "a", description: "b" }, options);
    expect(again).toMatchObject({ action_id: first.action_id, replay: true });
    expect(await got("getAction", first.action_id)).toMatchObject({ trigger_context: "import 7" });
    const changed = await ask("propose", ["record_learning", { title: "c", description: "d" }, options]);
    expect(changed).toMatchObject({ code: "IDEMPOTENCY_CONFLICT", status: 409 });
  });

  it("is refused with the reason when it can't be read", async () => {
    expect(await ask("propose", ["no_such", {}])).toMatchObject({ code: "CAPABILITY_UNKNOWN", status: 400 });
    for (const args of [[], ["upsert_entity"], ["upsert_entity", "text"], [1, {}], ["x", { a: "\0" }]])
      expect(await ask("propose", args)).toMatchObject({ code: "VALIDATION_INVALID_SCHEMA", status: 400 });
  });

  it("patches and merges", async () => {
    const [one, two] = [await made("one"), await made("two")];
    await got("patchEntity", one, { attrs_patch: { level: 2 } });
    expect(await got("getEntity", one)).toMatchObject({ attrs: { level: 2 } });
    const merge = await got("mergeEntities", one, two, "the same");
    expect(merge).toMatchObject({ requires_approval: true });
    expect(await byKey("get_action", { action_id: merge.action_id })).toMatchObject({
      payload: { loser_id: one, winner_id: two, reason: "the same" },
    });
  });
});

describe("what code reads", () => {
  it("is what the HTTP routes and tools give a key", async () => {
    const id = await made("Ada Lovelace");
    const artifact = await got("propose", "upsert_source_artifact", {
      ...{ kind: "mail", title: "Engine notes", content: "analytical" },
    });
    const artifactId = artifact.result.artifact_id;
    expect(await got("getEntity", id)).toEqual(await byKey("get_entity", { entity_id: id }));
    expect(await got("findEntities", { q: "Ada" })).toEqual(
      (await byKey("find_entities", { q: "Ada" })).entities,
    );
    expect(await got("findEntities", { type: "company" })).toEqual([]);
    expect(await got("getEntity", id, { as_of: "2020-01-01" })).toBeNull();
    const query = { kinds: "source_artifacts", limit: 5 };
    const found = await got("searchMemory", "engine", { ...query, kinds: ["source_artifacts"] });
    expect(found).toEqual((await byKey("search_memory", { q: "engine", ...query })).results);
    expect(found.map((row: { id: string }) => row.id)).toEqual([artifactId]);
    expect(await got("listMemory", { kinds: ["source_artifacts"] })).toEqual(
      (await byKey("list_memory", { kinds: "source_artifacts" })).results,
    );
    expect(await got("listSourceArtifacts", { kind: "mail" })).toEqual(
      (await byKey("list_source_artifacts", { kind: "mail" })).source_artifacts,
    );
    expect(await got("getSourceArtifact", artifactId)).toMatchObject({
      id: artifactId,
      content: "analytical",
    });
    for (const method of ["getEntity", "getSourceArtifact", "getAction"])
      expect(await got(method, "none_1")).toBeNull();
    expect(await ask("findEntities", [{ limit: -1 }])).toMatchObject({ code: "VALIDATION_INVALID_SCHEMA" });
  });

  it("is what the app's link lets it read, and only its own actions", async () => {
    const mine = await made("mine");
    const theirs = await made("theirs", other);
    const theirAction = (await ask("listActions", [], undefined, other)).got[0];
    expect(theirAction.source_app_id).toBe(other.id);
    expect(await got("getAction", theirAction.id)).toBeNull();
    const actions = await got("listActions", { limit: 500 });
    expect(new Set(actions.map((row: { source_app_id: string }) => row.source_app_id))).toEqual(
      new Set([app.id]),
    );
    expect(await got("getEntity", theirs)).toMatchObject({ id: theirs });
    await links.link(app.id, stage.organizationId, { own_only: true });
    expect(await got("getEntity", theirs)).toBeNull();
    expect(await got("getEntity", mine)).toMatchObject({ id: mine });
    expect(await got("findEntities", { q: "theirs" })).toEqual([]);
    await links.link(app.id, stage.organizationId, {});
  });
});

it("a ticket of the app opens its stream", async () => {
  const { ticket, expires_in } = await got("wsTicket");
  expect([ticket, expires_in]).toEqual([expect.stringMatching(/^wst_[0-9a-f]{40}$/), 60]);
  const rows = await stage.platform.database.query("select app_id, key_id from ambit.substrate_tickets");
  expect(rows).toEqual([{ app_id: app.id, key_id: null }]);
});

it("classes have the same, also between requests", async () => {
  const code = `export class Scribe {
    constructor(state, env) { this.state = state; this.env = env; }
    async fetch(req) {
      const ctx = butterbase.ctx(req, this.env, this.state);
      await this.state.storage.setAlarm(Date.now());
      return Response.json(await ctx.substrate.propose("record_learning", { title: "asked", description: "d" }));
    }
    async alarm() {
      await butterbase.ctx(undefined, this.env, this.state).substrate.propose("record_learning", { title: "by itself", description: "d" });
    }
  }`;
  const deploy = stage.actors.operations.find(({ name }) => name === "durable_objects.deploy")!;
  const call = { app, principal: stage.key().principal, signal: new AbortController().signal };
  await deploy.run(call as never, { app_id: app.id, name: "scribe", code } as never);
  const enter = "export const handler = (req: Request, ctx: any) => ctx.invokeDO('scribe', 'x', null);";
  await stage.deploy(app, "enter", enter, { triggers: http });
  expect((await stage.call(`/v1/${app.id}/fn/enter`)).status).toBe(200);
  const titles = async () =>
    (await got("listActions", { capability: "record_learning" }))
      .filter(({ proposer }: any) => proposer.label === `class scribe of ${app.name}`)
      .map(({ payload }: any) => payload.title);
  // The alarm may be first.
  await expect.poll(async () => (await titles()).sort(), { timeout: 5_000 }).toEqual(["asked", "by itself"]);
});

it("an app that is not linked is told how to be", async () => {
  const bare = await stage.createApp();
  await stage.deploy(bare, "sub", CODE, { triggers: http });
  for (const [method, args] of [
    ["propose", ["record_learning", { title: "t", description: "d" }]],
    ["findEntities", []],
    ["wsTicket", []],
  ] as const) {
    expect(await ask(method, [...args], stage.key().bearer, bare)).toEqual({
      ...{ code: "SUBSTRATE_NOT_LINKED", status: 403 },
      message: expect.stringContaining("substrate-link"),
    });
  }
});
