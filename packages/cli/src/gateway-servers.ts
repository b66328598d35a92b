import { callApi } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { findServer, listServers, type Server } from "./gateway-find.ts";
import { columns, print, printJson, tell } from "./output.ts";
import type { Suggestion } from "./policy-suggest.ts";
import { toolLines } from "./tool-lines.ts";

/** What a scan answers. */
export interface Scan extends Suggestion {
  readonly changes: readonly { readonly tool: string; readonly approved_hash: string | null }[];
}

/** `ambit gateway servers` */
export const servers = command({
  name: "servers",
  description: "The MCP servers behind the gateway",
  usage: "ambit gateway servers",
  args: { ...connectionArgs, json },
  async run({ args }) {
    const found = await listServers(findConnection(args, process.env));
    if (args.json) return void printJson({ servers: found });
    if (found.length === 0) tell("There is none but ambit; ambit gateway add <name> registers one.");
    for (const line of columns(found.map(cellsOf))) print(line);
  },
});

const cellsOf = ({ name, server_id, transport, url, command: program, args, tools_to_review }: Server) => [
  ...[name, server_id, transport, tools_to_review === 0 ? "" : `${tools_to_review} tools to review`],
  url ?? [program ?? "", ...args].join(" "),
];

/** `ambit gateway scan` */
export const scan = command({
  name: "scan",
  description: "Look at a server's tools now; the first look approves what is there",
  usage: "ambit gateway scan <server>",
  args: {
    server: { type: "positional", description: "Id or name of the server", required: true },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    const connection = findConnection(args, process.env);
    const id = await findServer(connection, args.server);
    const found = await callApi<Scan>(connection, "POST", `/v1/gateway/servers/${id}/scan`, {});
    if (args.json) return void printJson(found);
    for (const line of [...toolLines(found.tools), ...nextSteps(id, found)]) print(line);
  },
});

/** What to do once the tools are known. Pure. */
export function nextSteps(serverId: string, { changes }: Pick<Scan, "changes">): string[] {
  const review =
    changes.length === 0
      ? []
      : [`${changes.length} tools are new or changed; review them: ambit gateway changes ${serverId}`];
  return [
    ...review,
    `A policy to begin with:  ambit policy suggest --server ${serverId} > policy.json`,
    `Save it, edited:         ambit gateway policy ${serverId} policy.json --person`,
  ];
}
