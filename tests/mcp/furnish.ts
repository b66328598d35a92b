import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Client } from "@modelcontextprotocol/client";
import { startAuthority } from "../../packages/server/src/features/gateway-credentials/testing/authority.ts";
import { startMcpServer } from "../../packages/server/src/features/gateway-servers/testing/mcp-server.ts";
import { type Api, apiAs, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { connectEra, type ERAS, run } from "./connect.ts";
import { argsOf, type Found } from "./step.ts";
import { STEPS } from "./steps.ts";

/** What stands for the ids that nobody has found yet, where only the refusal is looked at. */
const NOTHING = {
  ...{ userId: "", organizationId: "", accountId: "00000000-0000-4000-8000-000000000001", archive: {} },
  ...{ principleAction: "act_0", unwanted: "act_0", conflictId: "con_0", spare: "ent_0" },
  ...{ wanted: "apr_0", refused: "apr_0", ruleId: "rule_0", outboxId: "ob_0" },
  ...{ serverId: "none", oauthServerId: "none", confirmation: "none", change: { name: "none", hash: "" } },
  ...{ policyId: "00000000-0000-4000-8000-000000000002", grantId: `gra_${"0".repeat(26)}`, token: "none" },
};

/** An Ambit for the steps to run on, a webhook it may call, and an MCP server it may reach. */
export interface Stage {
  readonly server: Server;
  readonly owner: Api;
  /** A client of the list of `manage_*` tools. */
  merged(key: string, era?: (typeof ERAS)[number]): Promise<Client>;
  /** A client of the list of one-verb tools. */
  verbs(key: string, era?: (typeof ERAS)[number]): Promise<Client>;
  /** A new app with one user, and nothing found yet. */
  freshApp(): Promise<Found>;
  /** An app and an organisation with something in them of each kind: every step of which nothing is lost again. */
  furnished(client: Client): Promise<Found>;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  // Takes no delivery, so that there is always one to be tried again.
  const hook = createServer((_request, response) => response.writeHead(500).end());
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(hook.address() as AddressInfo).port}`;
  const [upstream, authority] = await Promise.all([startMcpServer(), startAuthority()]);
  const allowed = [host, upstream.host, `127.0.0.1:${authority.port}`].join(",");
  const server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: allowed });
  const owner = apiAs(server.apiUrl, server.apiKey);
  const freshApp = async (): Promise<Found> => {
    const appId = await newApp(owner);
    await signUp(server.apiUrl, appId, "ada");
    const run = `r${randomBytes(5).toString("hex")}`;
    return { ...NOTHING, appId, hookUrl: `http://${host}/hook`, run, upstream, authority };
  };
  return {
    server,
    owner,
    freshApp,
    merged: (key, era = "2026-07-28") => connectEra(server.mcpUrl, key, era),
    verbs: (key, era = "2026-07-28") => connectEra(`${server.mcpUrl}?tools=verbs`, key, era),
    async furnished(client) {
      const found = await freshApp();
      for (const each of STEPS) {
        await each.before?.(owner, found);
        const builds =
          each.destroys === undefined && each.person === undefined && each.verb !== "realtime_disable";
        if (!builds && each.furnishes === undefined) continue;
        const output = await run(client, each.verb, argsOf(each, found));
        each.find?.(output, found);
      }
      return found;
    },
    async close() {
      await discard(server);
      await Promise.all([upstream.close(), authority.stop()]);
      hook.closeAllConnections();
      await new Promise((resolve) => hook.close(resolve));
    },
  };
}

/** What a change of the gateway would show in. */
async function ofGateway(owner: Api, { serverId }: Found): Promise<unknown> {
  const read = async (path: string) => must(await owner("GET", `/v1/gateway/${path}`));
  const { servers } = await read("servers");
  const { grants } = await read("grants?limit=100");
  const { decisions } = await read("decisions?limit=100");
  return [
    // What is found new at other servers is found by and by.
    servers.map(({ tools_to_review, ...server }: any) => [
      server,
      server.server_id === serverId && tools_to_review,
    ]),
    await read(`servers/${serverId}/tool-changes`),
    await Promise.all(
      servers
        .filter(({ transport }: any) => transport === "http")
        .map(({ server_id }: any) => read(`servers/${server_id}/oauth`)),
    ),
    await read("policies?limit=100"),
    grants.map(({ last_used_at: _used, ...grant }: any) => grant),
    decisions.map(({ decision_id }: any) => decision_id),
  ];
}

/** What a change through any tool would show in. */
export async function snapshot(owner: Api, found: Found): Promise<unknown> {
  const { appId } = found;
  const ofApp = [
    "config",
    "env",
    "schema",
    "rls",
    "realtime/rules",
    "admin/auth/users",
    "auth/oauth-config",
    "migrations",
    "notes?order=id",
  ];
  const ofSubstrate = [
    "settings",
    "capabilities",
    "actions?limit=500",
    "entities?limit=1000",
    "memory/list?limit=100",
    "policy-conflicts",
    "outbox-targets",
    "attention-rules",
  ];
  const read = async (path: string) => must(await owner("GET", path));
  const { keys } = await read("/api-keys");
  const { outbox } = await read("/v1/me/substrate/outbox?limit=200");
  return [
    await Promise.all(ofApp.map((path) => read(`/v1/${appId}/${path}`))),
    // How much of the log is kept changes with every write of anybody.
    (await read(`/v1/${appId}/realtime/config`)).tables,
    await Promise.all(ofSubstrate.map((path) => read(`/v1/me/substrate/${path}`))),
    await read(`/v1/me/apps/${appId}/substrate-link`),
    await read("/v1/approvals?limit=100"),
    await read("/v1/approvals/settings"),
    // Deliveries are tried again all the while; whether one was cancelled is for somebody to say.
    outbox.map(({ id, state }: any) => [id, state === "cancelled"]),
    keys.map(({ last_used_at: _used, ...key }: any) => key),
    (await read("/v1/organizations")).organizations,
    (await read("/apps")).apps.length,
    await ofGateway(owner, found),
  ];
}
