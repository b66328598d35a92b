import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actorProgram, functionProgram } from "../config/testing/program.ts";
import { eventually, type Running, run, stopAll } from "../config/testing/run.ts";

/** Calls the method of the substrate that the body names, and tells what came of it. */
const tell = `async (substrate, request) => {
  const { method, args } = await request.json();
  try { return Response.json({ got: await substrate[method](...args) }); }
  catch (error) { return Response.json([error.name, error.code, error.status, error.message]); }
}`;
const lab = `const tell = ${tell};
export const handler = async (request, { substrate }) => tell(substrate, request);`;
const room = `import { DurableObject } from "cloudflare:workers";
const tell = ${tell};
export class Room extends DurableObject {
  async fetch(request) {
    if (new URL(request.url).pathname.endsWith("/alarm")) { await this.ctx.storage.setAlarm(Date.now()); return new Response(); }
    return tell(butterbase.ctx(request, this.env, this.ctx).substrate, request);
  }
  async alarm() { await butterbase.ctx(undefined, this.env, this.ctx).substrate.propose("record_learning", { title: "t" }); }
}`;

const ambit: Parameters<typeof run>[1] = (call, response) => {
  const question = JSON.parse(call.body);
  if (question.capability === "refused") {
    response.writeHead(403);
    return response.end(
      JSON.stringify({ error: { code: "SUBSTRATE_NOT_LINKED", message: "No.", remediation: "Link." } }),
    );
  }
  response.end(
    JSON.stringify({ rows: [{ n: 1 }], row: question.id === "none" ? null : { n: 2 }, ticket: "wst_x" }),
  );
};

let functions: Running;
let actors: Running;
beforeAll(async () => {
  functions = await run(functionProgram({ lab: { code: lab } }), ambit);
  actors = await run(actorProgram({ room }), ambit);
});
afterAll(stopAll);

const units = {
  async function(sent: { headers: Record<string, string>; body: string }) {
    return (await functions.function("lab", "/", { method: "POST", ...sent })).json();
  },
  async class(sent: { headers: Record<string, string>; body: string }) {
    return (await actors.actor("/_do/room/x", { method: "POST", ...sent })).json();
  },
};
const callbacksOf = { function: () => functions.callbacks, class: () => actors.callbacks };

describe.each(["function", "class"] as const)("the substrate of a %s", (unit) => {
  const ask = (method: string, ...args: unknown[]) =>
    units[unit]({ headers: { "x-request-id": "req-1" }, body: JSON.stringify({ method, args }) });

  it.each([
    [
      "propose",
      ["x", { a: 1 }, { idempotency_key: "k" }],
      "propose",
      { capability: "x", payload: { a: 1 }, idempotency_key: "k" },
    ],
    [
      "propose",
      ["x", { a: 1 }, { capability: "y", payload: 2 }],
      "propose",
      { capability: "x", payload: { a: 1 } },
    ],
    ["getEntity", ["ent_1"], "entities/get", { id: "ent_1" }],
    [
      "getEntity",
      ["ent_1", { as_of: "2026-01-02", id: "x" }],
      "entities/get",
      { id: "ent_1", as_of: "2026-01-02" },
    ],
    ["findEntities", [{ type: "person" }], "entities/find", { type: "person" }],
    ["findEntities", [], "entities/find", {}],
    [
      "patchEntity",
      ["ent_1", { display_name: "n", id: "other" }],
      "propose",
      { capability: "patch_entity", payload: { id: "ent_1", display_name: "n" } },
    ],
    [
      "mergeEntities",
      ["ent_1", "ent_2", "same", { idempotency_key: "k" }],
      "propose",
      {
        capability: "merge_entities",
        payload: { loser_id: "ent_1", winner_id: "ent_2", reason: "same" },
        idempotency_key: "k",
      },
    ],
    [
      "deleteEntity",
      ["ent_1", "gone"],
      "propose",
      { capability: "delete_entity", payload: { id: "ent_1", reason: "gone" } },
    ],
    [
      "searchMemory",
      ["budget", { kinds: ["decisions"], limit: 3, match: "or" }],
      "memory/search",
      { q: "budget", kinds: ["decisions"], limit: 3, match: "or" },
    ],
    ["searchMemory", [], "memory/search", {}],
    ["listMemory", [{ before: "c" }], "memory/list", { before: "c" }],
    ["listSourceArtifacts", [{ kind: "mail" }], "source-artifacts/list", { kind: "mail" }],
    ["getSourceArtifact", ["art_1"], "source-artifacts/get", { id: "art_1" }],
    ["listActions", [{ status: "proposed" }], "actions/list", { status: "proposed" }],
    ["getAction", ["act_1"], "actions/get", { id: "act_1" }],
    ["wsTicket", [], "ws-ticket", {}],
  ])("%s asks Ambit", async (method, args, path, question) => {
    const { got } = await ask(method, ...args);
    const call = callbacksOf[unit]().at(-1)!;
    expect([call.method, call.path, JSON.parse(call.body)]).toEqual(["POST", `/substrate/${path}`, question]);
    expect(call.headers["x-ambit-invocation"]).toBe("req-1");
    if (path.endsWith("/get")) expect(got).toEqual({ n: 2 });
    else if (path === "propose" || path === "ws-ticket") expect(got).toMatchObject({ ticket: "wst_x" });
    else expect(got).toEqual([{ n: 1 }]);
  });

  it("gives null for what is not there, and throws what Ambit refuses", async () => {
    expect(await ask("getEntity", "none")).toEqual({ got: null });
    expect(await ask("propose", "refused", {})).toEqual([
      ...["AmbitError", "SUBSTRATE_NOT_LINKED", 403, "No. Link."],
    ]);
  });
});

it("works in alarms, as the class", async () => {
  await actors.actor("/_do/room/x/alarm", {});
  const call = await eventually(() =>
    actors.callbacks.find(
      (each) => each.path === "/substrate/propose" && !each.headers["x-ambit-invocation"],
    ),
  );
  expect(call.headers["x-ambit-unit"]).toBe(actors.tokens.units.room);
});
