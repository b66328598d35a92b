import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inject } from "vitest";
import {
  startMcpServer,
  tool,
} from "../../packages/server/src/features/gateway-servers/testing/mcp-server.ts";
import type { Found } from "../mcp/step.ts";
import type { Api } from "../support/api.ts";
import { must } from "../support/app.ts";
import { deployFunction, http, type Nodes, startNodes } from "../support/functions.ts";
import { addGrant, connectClient } from "../support/gateway.ts";
import { connectMcp } from "../support/mcp.ts";
import {
  allPages,
  type Caller,
  execute,
  newStaffed,
  propose,
  type Staffed,
  SUBSTRATE,
} from "../support/substrate.ts";

/** In every text the second organisation writes, and in nothing else. */
export const SECRET = /azure/i;

/** Ids of everything the second organisation has. */
export interface Belongings {
  readonly records: Readonly<Record<string, string>>;
  /** By the names of path parameters. */
  readonly ids: Readonly<Record<string, string>>;
  /** By the names of the steps of the MCP suite. */
  readonly found: Found;
  readonly all: readonly string[];
}

/** Two organisations on one server: one that has something, and one that wants it. */
export interface TwoOrganizations {
  readonly nodes: Nodes;
  readonly red: Staffed;
  readonly blue: Staffed;
  readonly belongings: Belongings;
  /** What was posted to the second organisation's webhook. */
  readonly delivered: string[];
  /** Asks red's app: a function calls `ctx.substrate[method](...args)`, and answers what came of it. */
  fromCode(method: string, ...args: unknown[]): Promise<any>;
  /** All of the second organisation that a change would show in. */
  state(): Promise<unknown>;
  close(): Promise<void>;
}

const CODE = `export async function handler(request: Request, { substrate }: any) {
  const { method, args } = await request.json();
  try {
    return { value: (await substrate[method](...args)) ?? null };
  } catch (error) {
    return { problem: String(error), code: (error as any).code ?? null };
  }
}`;

export async function openTwoOrganizations(): Promise<TwoOrganizations> {
  const delivered: string[] = [];
  const hook = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    delivered.push(String(Buffer.concat(chunks)));
    response.end();
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(hook.address() as AddressInfo).port}`;
  const upstream = await startMcpServer(tool("azure_note", "Reads an azure note"));
  const allowed = { AMBIT_ALLOW_PRIVATE_FETCH: `${host},${upstream.host}` };
  const nodes = await startNodes(inject("postgres"), 1, allowed);
  const { server, owner } = nodes;
  const close = async () => {
    await nodes.close();
    await Promise.all([closed(hook), upstream.close()]);
  };
  try {
    // Both are founded by one account: it is in both, and still a key of the one is none of the other.
    const red = await newStaffed(() => server.apiUrl, owner, "Red");
    const blue = await newStaffed(() => server.apiUrl, owner, "Blue");
    const belongings = await furnish(blue, `http://${host}/hook`, upstream.url);
    const agent = await connectMcp(server.mcpUrl, red.agents[0]!.key);
    await deployFunction(agent, red.appId, "ask", CODE, http("required"));
    await agent.close();
    return {
      ...{ nodes, red, blue, belongings, delivered, close },
      fromCode: async (method, ...args) =>
        must(await red.owner.api("POST", `/v1/${red.appId}/fn/ask`, { method, args })),
      state: () => stateOf(blue),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const closed = async (hook: HttpServer): Promise<void> => {
  hook.closeAllConnections();
  await new Promise((resolve) => hook.close(resolve));
};

/** A server behind the gateway, a policy, a grant, and what was decided; the ids by the names of path parameters. */
async function furnishGateway(api: Api, url: string): Promise<Record<string, string>> {
  const server = {
    name: "azure",
    transport: "http",
    url,
    headers: { "x-key": "azure" },
    capture_values: true,
  };
  const { server_id } = must(await api("POST", "/v1/gateway/servers", server));
  const document = { version: "1", default: "deny", tools: { azure_note: {} } };
  const grant = await addGrant(api, server_id, document);
  must(await api("PATCH", `/v1/gateway/grants/${grant.grant_id}`, { label: "azure-laptop" }));
  const client = await connectClient(grant, "stateless");
  await client.callTool({ name: "azure_note", arguments: { id: "azure", azure: true } });
  await client.close();
  const { policies } = must(await api("GET", "/v1/gateway/policies"));
  const { decisions } = must(await api("GET", `/v1/gateway/decisions?outcome=allow&tool=azure_note`));
  const [{ decision_id }] = decisions;
  return { server_id, grant_id: grant.grant_id, policy_id: policies[0].policy_id, decision_id };
}

/** One thing of each kind, each with the secret in it. */
async function furnish(
  { owner, admin, agents, appId }: Staffed,
  webhook_url: string,
  upstreamUrl: string,
): Promise<Belongings> {
  const api = owner.api;
  const ofGateway = await furnishGateway(api, upstreamUrl);
  const target = { webhook_url, signing_secret: "an azure secret" };
  must(await api("PUT", `${SUBSTRATE}/outbox-targets/record_learning`, target));
  const person = {
    ...{ type: "person", display_name: "Azure Ada", primary_email: "ada@shared.example" },
    canonical_keys: { tax: "4711" },
  };
  const { entity_id: ada } = await execute(api, "upsert_entity", person);
  const { entity_id: works } = await execute(api, "upsert_entity", {
    type: "company",
    display_name: "Azure Works",
  });
  const minutes = {
    ...{ kind: "meeting", title: "Azure minutes", content: "azure words" },
    ...{ external_system: "calendar", external_id: "4711" },
  };
  const { artifact_id } = await execute(api, "upsert_source_artifact", minutes);
  const decided = { title: "Azure decision", kind: "strategic", source_artifact_id: artifact_id };
  const { decision_id } = await execute(api, "record_decision", decided);
  const promise = { description: "Azure promise", status: "confirmed", from_entity: ada };
  const { commitment_id } = await execute(api, "record_commitment", promise);
  const { link_id } = await execute(api, "link_records", { from_id: ada, to_id: works, relation: "azure" });
  const learnt = must(
    await propose(api, "record_learning", { title: "Azure learning", description: "azure" }),
  );
  const principle = {
    title: "No mission without azure",
    applies_to: { capability: "record_decision" },
    constraint_spec: { type: "forbidden_values", params: { field: "kind", values: ["mission"] } },
  };
  const asked = must(await propose(agents[0]!.api, "record_principle", principle));
  // Four eyes: the owner's agent asked, so somebody else says yes.
  const inForce = must(await admin.api("POST", `${SUBSTRATE}/actions/${asked.action_id}/approve`, {}));
  const held = must(
    await propose(agents[2]!.api, "record_decision", { title: "Azure mission", kind: "mission" }),
  );
  const { conflicts } = must(await api("GET", `${SUBSTRATE}/policy-conflicts?action_id=${held.action_id}`));
  const rule = {
    ...{ name: "Azure rule", trigger_cron: "0 0 1 1 *", condition_mode: "snapshot_predicate" },
    ...{ condition: { ">": [{ var: "entity_count" }, 0] }, action_capability: "record_learning" },
    action_payload_template: { title: "Azure", description: "{{today}}" },
  };
  const { id: rule_id } = must(await api("POST", `${SUBSTRATE}/attention-rules`, rule));
  const { outbox } = must(await api("GET", `${SUBSTRATE}/outbox`));
  const { entries } = must(await api("GET", `/v1/ledger/entries?subject=${learnt.action_id}`));
  const { keys } = must(await api("GET", "/api-keys"));
  const records = {
    ...{ ada, works, artifact_id, decision_id, commitment_id, link_id },
    ...{ principle: inForce.result.principle_id, learning: learnt.result.learning_id },
  };
  const ids = {
    ...{ action_id: held.action_id, approval_id: held.approval_id, conflict_id: conflicts[0].id, rule_id },
    ...{ entity_id: ada, artifact_id, record_id: decision_id, principle_id: records.principle },
    ...{ outbox_id: outbox[0].id, id: entries[0].entry.id, ...ofGateway },
  };
  const found: Found = {
    ...{
      appId,
      hookUrl: webhook_url,
      run: "none",
      organizationId: "",
      accountId: admin.account,
      userId: "none",
    },
    ...{ keyId: keys[0].id, archive: {}, entityId: ada, actionId: learnt.action_id, spare: works },
    ...{ principleAction: held.action_id, unwanted: held.action_id, conflictId: ids.conflict_id },
    ...{ artifactId: artifact_id, principleId: records.principle, looked: held.approval_id },
    ...{ wanted: held.approval_id, refused: held.approval_id, ruleId: rule_id, outboxId: ids.outbox_id },
    ...{ entryId: ids.id, treeSize: 0, conflicted: held.action_id },
    ...{ serverId: ofGateway.server_id, oauthServerId: ofGateway.server_id, confirmation: "none" },
    ...{ policyId: ofGateway.policy_id, grantId: ofGateway.grant_id, upstream: { url: upstreamUrl } },
    change: { name: "note", hash: "0".repeat(64) },
  };
  return { records, ids, found, all: [...Object.values(records), ...Object.values(ids), learnt.action_id] };
}

async function stateOf({ owner, organizationId, appId }: Staffed): Promise<unknown> {
  const read = async (path: string) => must(await owner.api("GET", path));
  const { keys } = await read("/api-keys");
  const { outbox } = await read(`${SUBSTRATE}/outbox?limit=200`);
  const entries = await allPages(owner.api, "/v1/ledger/entries?limit=200", "entries", {
    answer: "next_before",
    query: "before",
  });
  const paths = [
    ...["settings", "capabilities", "actions?limit=500", "entities?limit=1000", "memory/list?limit=100"],
    ...["policy-conflicts", "outbox-targets", "attention-rules"],
  ];
  return [
    await Promise.all(paths.map((path) => read(`${SUBSTRATE}/${path}`))),
    await read("/v1/approvals?limit=100"),
    await read("/v1/approvals/settings"),
    await read(`/v1/me/apps/${appId}/substrate-link`),
    await read(`/v1/organizations/${organizationId}/members`),
    outbox.map(({ id }: any) => id),
    // Webhooks arrive when they do, and what was tried in vain is written down.
    entries
      .filter(({ entry }: any) => !entry.kind.startsWith("outbox.") && entry.data.success !== false)
      .map(({ entry, openings }: any) => [entry.id, openings]),
    keys.map(({ last_used_at: _used, ...key }: any) => key),
    await ofGateway(read),
  ];
}

/** Servers, policies, grants and decisions, as far as nobody has to change them for them to be others. */
async function ofGateway(read: (path: string) => Promise<any>): Promise<unknown> {
  const { grants } = await read("/v1/gateway/grants");
  return [
    await read("/v1/gateway/servers"),
    await read("/v1/gateway/policies"),
    grants.map(({ last_used_at: _used, ...grant }: any) => grant),
    (await read("/v1/gateway/decisions")).decisions.map(({ decision_id }: any) => decision_id),
  ];
}

/** Every key of an organisation that somebody could try. */
export const callersOf = ({
  owner,
  admin,
  manager,
  developer,
  viewer,
  agents,
  appKey,
}: Staffed): Caller[] => [...[owner, admin, manager, developer, viewer], ...agents, appKey];
