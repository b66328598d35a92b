import { allPages, callApi } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { findGrant, findPolicy, findServer, type Grant, getServer } from "./gateway-find.ts";
import { type Issued, issuedLines, snippet } from "./gateway-issued.ts";
import { limits } from "./limits.ts";
import { columns, print, printJson, tell } from "./output.ts";
import { Problem } from "./problem.ts";
import { timeFlag } from "./time.ts";

const GRANTS = "/v1/gateway/grants";
const which = {
  grant: { type: "positional", description: "The grant's id, or its label", required: true },
} as const;

/** `ambit gateway grant`: a token for one server. */
export const grant = command({
  name: "grant",
  description: "Make a token for a server, and what an MCP client needs (--person)",
  usage: "ambit gateway grant <server> --label <label> [--policy <id or name>] [--expires <90d or time>]",
  args: {
    server: { type: "positional", description: "Id or name of the server", required: true },
    label: { type: "string", description: "Who uses it, such as alice-laptop" },
    policy: {
      type: "string",
      description: "Id or name of a policy of the server; without one it may do nothing",
    },
    expires: { type: "string", description: "When it ends by itself: in 90d, 12h, 30m, or a time" },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    if (args.label === undefined) throw new Problem("Who uses it? --label <label>, such as alice-laptop");
    const expires_at =
      args.expires === undefined ? undefined : timeFlag("expires", args.expires, Date.now(), "ahead");
    const connection = findConnection(args, process.env);
    const serverId = await findServer(connection, args.server);
    const policy_id =
      args.policy === undefined ? undefined : await findPolicy(connection, serverId, args.policy);
    const { name } = await getServer(connection, serverId);
    const body = { label: args.label, policy_id, expires_at };
    const issued = await callApi<Issued>(connection, "POST", `/v1/gateway/servers/${serverId}/grants`, body);
    if (args.json) return void printJson({ ...issued, config: snippet(name, issued) });
    for (const line of issuedLines(name, issued)) print(line);
    if (policy_id === undefined) {
      tell("It has no policy, which denies every call: ambit gateway attach <grant> <policy>");
    }
  },
});

/** `ambit gateway rotate` */
export const rotate = command({
  name: "rotate",
  description: "Give a grant another token; the one there was is dead at once (--person)",
  usage: "ambit gateway rotate <grant>",
  args: { ...which, ...connectionArgs, json },
  async run({ args }) {
    const connection = findConnection(args, process.env);
    const id = await findGrant(connection, args.grant);
    const { server_id } = await callApi<Grant>(connection, "GET", `${GRANTS}/${id}`);
    const { name } = await getServer(connection, server_id);
    const issued = await callApi<Issued>(connection, "POST", `${GRANTS}/${id}/rotate`, {});
    if (args.json) return void printJson({ ...issued, config: snippet(name, issued) });
    for (const line of issuedLines(name, issued)) print(line);
  },
});

/** `ambit gateway attach` */
export const attach = command({
  name: "attach",
  description: "Give a grant another policy of its server, from the next call on (--person)",
  usage: "ambit gateway attach <grant> <policy>",
  args: {
    ...which,
    policy: { type: "positional", description: "Id or name of the policy", required: true },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    const connection = findConnection(args, process.env);
    const id = await findGrant(connection, args.grant);
    const { server_id } = await callApi<Grant>(connection, "GET", `${GRANTS}/${id}`);
    const policy_id = await findPolicy(connection, server_id, args.policy);
    const now = await callApi<Grant>(connection, "PUT", `${GRANTS}/${id}/policy`, { policy_id });
    if (args.json) printJson(now);
    else print(`${now.grant_id}: ${now.policy_name}`);
  },
});

/** `ambit gateway revoke` */
export const revoke = command({
  name: "revoke",
  description: "End a grant for good, with its open streams (--person)",
  usage: "ambit gateway revoke <grant>",
  args: { ...which, ...connectionArgs, json },
  async run({ args }) {
    const connection = findConnection(args, process.env);
    const id = await findGrant(connection, args.grant);
    const answer = await callApi<object>(connection, "DELETE", `${GRANTS}/${id}`);
    if (args.json) printJson(answer);
    else print(`${id}: revoked`);
  },
});

/** `ambit gateway grants` */
export const grants = command({
  name: "grants",
  description: "The grants there are; tokens are never shown",
  usage: "ambit gateway grants [--server <id or name>]",
  args: {
    server: { type: "string", description: "Only those of this server: its id or name" },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    const connection = findConnection(args, process.env);
    const server_id = args.server === undefined ? undefined : await findServer(connection, args.server);
    const found = await allPages<Grant>(connection, GRANTS, "grants", limits.listEntries, { server_id });
    if (args.json) return void printJson({ grants: found.entries, complete: !found.isCut });
    if (found.entries.length === 0)
      tell("There is none; ambit gateway grant <server> --label <label> makes one.");
    for (const line of columns(found.entries.map(cellsOf))) print(line);
    if (found.isCut) tell(`Only the newest ${limits.listEntries} are shown.`);
  },
});

const cellsOf = ({ grant_id, label, server_id, policy_id, policy_name, status, ...times }: Grant) => [
  ...[grant_id, label, status, server_id, policy_id === null ? "no policy" : (policy_name ?? policy_id)],
  times.last_used_at === null ? "never used" : `used ${times.last_used_at}`,
  times.expires_at === null ? "" : `expires ${times.expires_at}`,
];
