import { randomBytes } from "node:crypto";
import type { TestAuthority } from "../../../packages/server/src/features/gateway-credentials/testing/authority.ts";
import {
  type TestMcpServer,
  tool,
} from "../../../packages/server/src/features/gateway-servers/testing/mcp-server.ts";
import type { Api } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import { connectClient } from "../../support/gateway.ts";
import { destroys, type Found, ofPlatform, person, reads, type Step } from "../step.ts";

const SERVERS = "/v1/gateway/servers";
const document = { version: "1", default: "deny", tools: { read_note: {}, list_notes: {} } };
const theServer = ({ serverId }: Found) => ({ server_id: serverId });
const theOther = ({ oauthServerId }: Found) => ({ server_id: oauthServerId });
const thePolicy = ({ policyId }: Found) => ({ policy_id: policyId });
const theGrant = ({ grantId }: Found) => ({ grant_id: grantId });

type Rest = Omit<Step, "verb" | "tool" | "action" | "args" | "app">;
const step = (verb: string, args: Step["args"], rest: Rest = {}, action = verb): Step =>
  ofPlatform(`gateway_${verb}`, `manage_gateway ${action}`, args, rest);

/** A description nobody has read yet. */
const another = () => tool("read_note", `Reads a note, ${randomBytes(4).toString("hex")}`);

/** Gives the server tools of which one was never seen before. */
async function withTools(_owner: Api, found: Found): Promise<void> {
  (found.upstream as TestMcpServer).pages = [[another(), tool("list_notes"), tool("delete_note")]];
}

/** Has the server change a tool, and that be seen. */
async function withChange(owner: Api, found: Found): Promise<void> {
  await withTools(owner, found);
  const { changes } = must(await owner("POST", `${SERVERS}/${found.serverId}/scan`, {}));
  found.change = { name: changes[0].tool, hash: changes[0].hash };
}

/** A call through the gateway by the grant, whose values are kept. */
async function withDecision(_owner: Api, found: Found): Promise<void> {
  const { proxy_url, token } = found.issued as { proxy_url: string; token: string };
  const client = await connectClient({ proxy_url, token }, "stateless");
  await client.callTool({ name: "list_notes", arguments: { id: "7" } });
  await client.close();
}

/** A server that has an authorization server before it. */
async function withAuthority(owner: Api, found: Found): Promise<void> {
  const url = (found.authority as TestAuthority).resourceUrl;
  const server = { name: `oauth-${found.run}`, transport: "http", url };
  found.oauthServerId = must(await owner("POST", SERVERS, server)).server_id;
}

/** A consent that was given in a browser, and what the browser was shown. */
async function withConsent(owner: Api, found: Found): Promise<void> {
  const path = `${SERVERS}/${found.oauthServerId}/oauth/connect`;
  const { authorization_url } = must(await owner("POST", path, {}));
  const agreed = await fetch(authorization_url, { redirect: "manual" });
  const page = await (await fetch(agreed.headers.get("location")!)).text();
  found.confirmation = /<pre>([^<]+)<\/pre>/.exec(page)?.[1];
}

const serverSteps: readonly Step[] = [
  step(
    "add_server",
    ({ run, upstream }) => ({
      ...{ name: `notes-${run}`, transport: "http", url: upstream?.url },
      capture_values: true,
    }),
    {
      before: withTools,
      find: (output, found) => {
        found.serverId = output.server_id;
      },
    },
  ),
  step("list_servers", () => ({}), reads),
  step("get_server", theServer, reads),
  step("update_server", (found) => ({ ...theServer(found), name: `renamed-${found.run}` }), destroys),
  step("scan_server", theServer, {}, "scan"),
  step("approve_tools", (found) => ({ ...theServer(found), tools: [found.change] }), {
    ...person,
    ...destroys,
    before: withChange,
  }),
  step("list_tool_changes", (found) => ({ ...theServer(found), limit: 5 }), { ...reads, before: withChange }),
];

const policySteps: readonly Step[] = [
  step("validate_policy", (found) => ({ ...theServer(found), document }), reads),
  step("create_policy", (found) => ({ ...theServer(found), name: `policy-${found.run}`, document }), {
    ...person,
    furnishes: true,
    find: (output, found) => {
      found.policyId = output.policy_id;
    },
  }),
  step(
    "update_policy",
    (found) => ({
      ...thePolicy(found),
      document: { ...document, tools: { ...document.tools, delete_note: { deny_if: [{ conditions: [] }] } } },
      expected_version: 1,
    }),
    { ...person, ...destroys },
  ),
  step("list_policies", (found) => ({ ...theServer(found), limit: 5 }), reads),
  step("get_policy", thePolicy, reads),
  step("list_policy_versions", (found) => ({ ...thePolicy(found), limit: 5 }), reads),
  step("get_policy_version", (found) => ({ ...thePolicy(found), version: 1, as: "text" }), reads),
];

const grantSteps: readonly Step[] = [
  step(
    "create_grant",
    (found) => ({ ...theServer(found), ...thePolicy(found), label: `laptop-${found.run}` }),
    {
      ...person,
      furnishes: true,
      find: (output, found) => {
        found.grantId = output.grant_id;
        found.issued = output;
      },
    },
  ),
  step("list_grants", (found) => ({ ...theServer(found), limit: 5 }), reads),
  step("get_grant", theGrant, reads),
];

/** What was decided, and what would have been. */
const decisionSteps: readonly Step[] = [
  step("list_decisions", (found) => ({ ...theServer(found), limit: 5 }), {
    ...reads,
    // The tool as it is now was approved by nobody yet: that is a decision, too.
    before: withDecision,
    find: (output: any) => {
      if (output.decisions.length === 0) throw new Error("no decision was recorded");
    },
  }),
  step("export_decisions", theServer, reads),
  step("simulate", (found) => ({ ...theServer(found), document }), reads),
  step("replay", theServer, {
    ...person,
    ...reads,
    find: (output: any) => {
      if (output.judged + output.summary.undecidable === 0) throw new Error("nothing was judged again");
    },
  }),
];

const credentialSteps: readonly Step[] = [
  step("connect_server", theOther, { ...person, ...destroys, furnishes: true, before: withAuthority }),
  step("finish_connection", (found) => ({ ...theOther(found), confirmation: found.confirmation }), {
    ...person,
    ...destroys,
    before: withConsent,
  }),
  step("get_connection", theOther, reads),
  step("disconnect_server", theOther, { ...person, ...destroys }),
];

const endSteps: readonly Step[] = [
  step("rotate_grant", theGrant, { ...person, ...destroys }),
  step("update_grant", (found) => ({ ...theGrant(found), label: `desk-${found.run}` }), {
    ...person,
    ...destroys,
  }),
  step("attach_policy", (found) => ({ ...theGrant(found), policy_id: null }), { ...person, ...destroys }),
  step("revoke_grant", theGrant, { ...person, ...destroys }),
  step("delete_policy", thePolicy, { ...person, ...destroys }),
  step("delete_server", theServer, { ...person, ...destroys }),
];

/** The gateway: servers behind it, what opens them, who may call what, and what was decided. */
export const gatewaySteps: readonly Step[] = [
  ...serverSteps,
  ...policySteps,
  ...grantSteps,
  ...decisionSteps,
  ...credentialSteps,
  ...endSteps,
];
