import { afterAll, beforeAll, expect, inject, it } from "vitest";
import type { Nodes } from "../support/functions.ts";
import { addGrant, addServer, installed, startGateway } from "../support/gateway.ts";
import { asksEverything } from "./real/everything.ts";
import { connect, type Sdk, type Way } from "./real/peer.ts";
import { type Recording, transcriptOf, type Wire } from "./real/transcript.ts";

const DOCUMENT = {
  version: "1",
  default: "allow",
  hide: ["get-tiny-image"],
  tools: {
    "get-sum": {
      deny_if: [{ conditions: [{ path: "args.a", op: "gte", value: 100 }], on_deny: "too much" }],
    },
    "get-annotated-message": { limits: [{ counter: "messages", window: "day", max: 1, scope: "grant" }] },
    "get-resource-reference": {
      require: [{ conditions: [{ path: "args.resourceType", op: "eq", value: "Blob" }] }],
    },
  },
};

let nodes: Nodes;
let serverId: string;
const program = installed("server-everything", ["stdio"]);

beforeAll(async () => {
  nodes = await startGateway(inject("postgres"));
  serverId = (await addServer(nodes.owner, { transport: "stdio", ...program })).server_id;
});
afterAll(() => nodes?.close());

async function talk(way: Way, sdk: Sdk): Promise<Recording> {
  const peer = await connect(way, sdk, { answers: false });
  await asksEverything(peer, "same");
  await peer.close();
  return peer.recording;
}

/** Requests with their answers, in order. */
function exchanges(recording: Recording): { request: Wire; answer: Wire }[] {
  const { answers } = transcriptOf(recording);
  const requests = recording.sent.filter(({ id, method }) => id !== undefined && method !== undefined);
  return requests.map((request) => ({
    request,
    answer: answers[`${String(request.id).padStart(3, "0")} ${request.method}`],
  }));
}
const names = ({ result }: Wire): string[] => result.tools.map(({ name }: Wire) => name);
const decision = ({ result }: Wire) => result?._meta?.["ambit/decision"];

it.each(["v1", "v2"] as const)(
  "rules change what they are about, and nothing else, for SDK %s",
  async (sdk) => {
    const grant = await addGrant(nodes.owner, serverId, DOCUMENT);
    const direct = exchanges(await talk({ kind: "stdio", ...program }, sdk));
    const through = exchanges(await talk({ kind: "http", ...grant }, sdk));
    expect(through.map(({ request }) => request)).toEqual(direct.map(({ request }) => request));
    const changed: Wire[] = [];
    for (const [index, { request, answer }] of through.entries()) {
      const { answer: without } = direct[index]!;
      if (JSON.stringify(answer) === JSON.stringify(without)) continue;
      if (request.method === "tools/list") {
        const kept = without.result.tools.filter(({ name }: Wire) => name !== "get-tiny-image");
        expect(JSON.stringify(answer)).toBe(
          JSON.stringify({ ...without, result: { ...without.result, tools: kept } }),
        );
        expect(names(without)).toContain("get-tiny-image");
        changed.push("tools/list");
      } else changed.push([request.params.name, decision(answer).outcome, decision(answer).rule]);
    }
    expect(changed).toEqual([
      "tools/list",
      "tools/list",
      ["get-annotated-message", "limit", "/tools/get-annotated-message/limits/messages"],
      ["get-sum", "deny", "/tools/get-sum/deny_if/args.a-gte"],
      ["get-tiny-image", "deny", "(hidden)"],
      // A text where a number is compared denies.
      ["get-sum", "deny", "/tools/get-sum/deny_if/args.a-gte"],
      ["get-resource-reference", "deny", "/tools/get-resource-reference/require/args.resourceType-eq"],
      ["get-tiny-image", "deny", "(hidden)"],
    ]);
  },
);

it("rules hold for stateless clients alike, and an edit from the next call on", async () => {
  const grant = await addGrant(nodes.owner, serverId, DOCUMENT);
  const peer = await connect({ kind: "http", ...grant }, "v2 stateless", { answers: false });
  expect(names({ result: await peer.client.listTools() })).not.toContain("get-tiny-image");
  const denied = await peer.call("get-sum", { a: 100, b: 1 });
  expect(denied).toMatchObject({ isError: true, content: [{ text: "Denied by policy: too much" }] });
  expect(await peer.call("get-sum", { a: 99, b: 1 })).toEqual({
    content: [{ type: "text", text: "The sum of 99 and 1 is 100." }],
  });
  const { grants } = (await nodes.owner("GET", `/v1/gateway/grants?server_id=${serverId}`)).body;
  const { policy_id } = grants.find(({ grant_id }: Wire) => grant_id === grant.grant_id);
  const document = { ...DOCUMENT, hide: ["echo"] };
  expect((await nodes.owner("PUT", `/v1/gateway/policies/${policy_id}`, { document })).status).toBe(200);
  const listed = names({ result: await peer.client.listTools(undefined, { cacheMode: "bypass" }) });
  expect(listed).toContain("get-tiny-image");
  expect(listed).not.toContain("echo");
  expect(await peer.call("echo", { message: "x" })).toMatchObject({ isError: true });
  await peer.close();
});

it("each decision is on record, under the grant, with names of arguments and no values", async () => {
  const grant = await addGrant(nodes.owner, serverId, DOCUMENT);
  const peer = await connect({ kind: "http", ...grant }, "v1", { answers: false });
  await peer.call("echo", { message: "never-on-record" });
  await peer.call("get-sum", { b: 1, a: 1000 });
  await peer.close();
  const { decisions } = (await nodes.owner("GET", `/v1/gateway/decisions?grant_id=${grant.grant_id}`)).body;
  const calls = decisions.filter(({ method }: Wire) => method === "tools/call");
  expect(calls.map(({ tool, outcome, argument_keys }: Wire) => [tool, outcome, argument_keys])).toEqual([
    ["get-sum", "deny", ["a", "b"]],
    ["echo", "allow", ["message"]],
  ]);
  expect(JSON.stringify(decisions)).not.toContain("never-on-record");
});
