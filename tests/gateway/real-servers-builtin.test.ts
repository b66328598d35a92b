import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { must } from "../support/app.ts";
import type { Nodes } from "../support/functions.ts";
import { ALLOW_ALL, addGrant, type Issued, startGateway } from "../support/gateway.ts";
import { connect, outcome, type Peer, type Sdk } from "./real/peer.ts";
import { normal, type Wire } from "./real/transcript.ts";

const FACES = { ambit: "", "ambit-verbs": "?tools=verbs" } as const;
type Face = keyof typeof FACES;
const SDKS = ["v1", "v2", "v2 stateless"] as const;
const DOCUMENT = {
  version: "1",
  default: "allow",
  hide: ["manage_organizations"],
  tools: { run_sql: { action: "deny", reason: "no statements" } },
};

let nodes: Nodes;
beforeAll(async () => {
  nodes = await startGateway(inject("postgres"));
});
afterAll(() => nodes?.close());

/** A grant on a built-in server, used by its name. */
async function granted(face: Face, document: object = ALLOW_ALL): Promise<Issued> {
  const grant = await addGrant(nodes.owner, face, document);
  return { ...grant, proxy_url: `${nodes.server.apiUrl}/mcp/${face}/` };
}
/** Neither has sessions here, so that there is no stream to wait for. */
const viaGrant = (grant: Issued, sdk: Sdk): Promise<Peer> => connect({ kind: "http", ...grant }, sdk, PLAIN);
const viaKey = (face: Face, sdk: Sdk): Promise<Peer> => {
  const { mcpUrl, agentKey } = nodes.server;
  return connect({ kind: "http", proxy_url: `${mcpUrl}${FACES[face]}`, token: agentKey }, sdk, PLAIN);
};
const PLAIN = { answers: false };
const toolsOf = async (peer: Peer): Promise<Wire[]> => (await peer.request("tools/list")).tools;
const codeOf = ({ result }: Wire): string | null => {
  if (result?.isError !== true) return null;
  return JSON.parse(result.content[0].text).error?.code ?? result.content[0].text;
};

describe.each(["ambit", "ambit-verbs"] as const)("/mcp/%s/", (face) => {
  it.each(SDKS)("lists for SDK %s what /mcp lists for an agent's key, minus what is hidden", async (sdk) => {
    const [key, grant, narrow] = await Promise.all([
      viaKey(face, sdk),
      viaGrant(await granted(face), sdk),
      viaGrant(await granted(face, { ...ALLOW_ALL, hide: ["manage_gateway", "gateway_list_servers"] }), sdk),
    ]);
    const tools = await toolsOf(key);
    expect(await toolsOf(grant)).toEqual(tools);
    const shown = tools.filter(({ name }) => name !== "manage_gateway" && name !== "gateway_list_servers");
    expect(shown).toHaveLength(tools.length - 1);
    expect(await toolsOf(narrow)).toEqual(shown);
    const asked = ["prompts/list", "resources/list", "ping"];
    for (const method of asked.filter((each) => each !== "ping" || sdk !== "v2 stateless")) {
      expect(await outcome(grant.request(method))).toEqual(await outcome(key.request(method)));
    }
    await Promise.all([key.close(), grant.close(), narrow.close()]);
  });
});

/** Builds something; what came of each step. The last step needs what a policy may deny. */
async function builds(peer: Peer): Promise<{ appId: string; steps: Wire[] }> {
  const name = `built-${randomBytes(4).toString("hex")}`;
  const steps: Wire[] = [];
  const step = async (tool: string, args: object) => {
    steps.push(await outcome(peer.call(tool, { ...args })));
    return steps.at(-1).result?.structuredContent;
  };
  const { app_id } = await step("init_app", { name });
  const columns = { id: { type: "serial", primaryKey: true }, title: { type: "text", nullable: false } };
  await step("manage_schema", { app_id, action: "apply", schema: { tables: { notes: { columns } } } });
  await step("insert_row", { app_id, table: "notes", data: { title: "ünï" } });
  await step("select_rows", { app_id, table: "notes" });
  await step("select_rows", { app_id, table: "none" });
  await step("insert_row", { app_id });
  await step("manage_app", { action: "get_config", app_id });
  await step("ambit_docs", { topic: "schema" });
  await step("run_sql", { app_id, sql: "select count(*) from notes" });
  return { appId: app_id, steps: normal(steps, [app_id, name]) };
}

describe("a grant acts as an agent", () => {
  it.each(SDKS)("with what an agent's key gets, for SDK %s", async (sdk) => {
    const [key, grant] = [await viaKey("ambit", sdk), await viaGrant(await granted("ambit"), sdk)];
    const [direct, through] = [await builds(key), await builds(grant)];
    expect(through.steps).toEqual(direct.steps);
    expect(codeOf(direct.steps[3])).toBe(null);
    expect(codeOf(direct.steps[8])).toBe(null);
    await Promise.all([key.close(), grant.close()]);
  });

  it("minus what its policy denies, and nothing else differs", async () => {
    const [key, grant] = [
      await viaKey("ambit", "v2"),
      await viaGrant(await granted("ambit", DOCUMENT), "v2"),
    ];
    const [direct, through] = [await builds(key), await builds(grant)];
    expect(through.steps.slice(0, -1)).toEqual(direct.steps.slice(0, -1));
    expect(through.steps.at(-1).result).toMatchObject({
      isError: true,
      content: [{ text: "Denied by policy: no statements" }],
    });
    expect(await grant.call("manage_organizations", { action: "list" })).toMatchObject({
      _meta: { "ambit/decision": { outcome: "deny", rule: "(hidden)" } },
    });
    await Promise.all([key.close(), grant.close()]);
  });

  it("and is named by audit and ledger", async () => {
    const issued = await granted("ambit");
    const grant = await viaGrant(issued, "v2 stateless");
    const { appId } = await builds(grant);
    await grant.close();
    const { logs } = must(await nodes.owner("GET", `/v1/${appId}/audit-logs?event_type=schema.apply`));
    expect(logs).toHaveLength(1);
    expect(logs[0]).toMatchObject({ actor_type: "grant", actor_id: issued.grant_id, success: true });
    const { entries } = must(await nodes.owner("GET", "/v1/ledger/entries?kind=audit.schema.apply&limit=50"));
    const actors = entries.map(({ entry }: Wire) => entry.actor);
    expect(actors).toContainEqual({ type: "grant", id: issued.grant_id });
    const { decisions } = must(await nodes.owner("GET", `/v1/gateway/decisions?grant_id=${issued.grant_id}`));
    const calls = decisions.filter(({ method }: Wire) => method === "tools/call");
    expect(calls).toHaveLength(9);
    expect(new Set(calls.map(({ outcome: judged }: Wire) => judged))).toEqual(new Set(["allow"]));
  });
});

it("each operation refuses a grant what it refuses an agent's key", async () => {
  const [key, grant] = [
    await viaKey("ambit-verbs", "v2 stateless"),
    await viaGrant(await granted("ambit-verbs"), "v2 stateless"),
  ];
  for (const { name } of await toolsOf(key)) {
    const [byKey, byGrant] = await Promise.all(
      [key, grant].map(async (peer) => codeOf(await outcome(peer.call(name)))),
    );
    // The key's owner may more than a developer.
    if (byGrant !== "AUTH_INSUFFICIENT_PERMISSIONS") expect([name, byGrant]).toEqual([name, byKey]);
  }
  await Promise.all([key.close(), grant.close()]);
});

it("what only persons may do is refused to a grant, whatever its policy says", async () => {
  const issued = await granted("ambit-verbs");
  const { grant_id } = issued;
  const policy = { policy_id: randomUUID(), document: ALLOW_ALL };
  const added = { name: "added", transport: "stdio", command: process.execPath };
  const remote = {
    name: "added",
    transport: "http",
    url: "https://example.com/",
    headers: { authorization: "x" },
  };
  const calls: [string, Record<string, unknown>][] = [
    ["gateway_create_grant", { server_id: "ambit", label: "own" }],
    ["gateway_rotate_grant", { grant_id }],
    ["gateway_revoke_grant", { grant_id }],
    ["gateway_update_grant", { grant_id, policy_id: null }],
    ["gateway_attach_policy", { grant_id, policy_id: null }],
    ["gateway_create_policy", { server_id: "ambit", name: "own", document: ALLOW_ALL }],
    ["gateway_update_policy", policy],
    ["gateway_delete_policy", { policy_id: policy.policy_id }],
    ["gateway_approve_tools", { server_id: "ambit", tools: [{ name: "x", hash: "0".repeat(64) }] }],
    ["gateway_delete_server", { server_id: "ambit" }],
    ["gateway_add_server", added],
    ["gateway_add_server", remote],
    ["approvals_approve", { approval_id: `apr_${"0".repeat(26)}` }],
    ["approvals_reject", { approval_id: `apr_${"0".repeat(26)}`, reason: "no" }],
    ["keys_create", { name: "own" }],
    ["organizations_create", { name: "own" }],
  ];
  const everything = async () =>
    Promise.all(
      ["/v1/gateway/grants", "/v1/gateway/servers", "/api-keys", "/v1/organizations"].map(async (path) =>
        JSON.stringify(must(await nodes.owner("GET", path)), (key, value) =>
          /^last_used/.test(key) ? 0 : value,
        ),
      ),
    );
  const before = await everything();
  const grant = await viaGrant(issued, "v1");
  for (const [name, args] of calls) {
    const code = codeOf(await outcome(grant.call(name, args)));
    expect([name, args, code]).toEqual([
      ...[name, args],
      expect.stringMatching(/^AUTH_(PERSON_REQUIRED|INSUFFICIENT_PERMISSIONS)$/),
    ]);
  }
  expect(await everything()).toEqual(before);
  await grant.close();
});
