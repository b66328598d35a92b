import { callApi } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { afterDashes, connectionArgs, json, pairsOf } from "./flags.ts";
import type { Server } from "./gateway-find.ts";
import { nextSteps, type Scan } from "./gateway-servers.ts";
import { print, printJson, visible } from "./output.ts";
import { Problem } from "./problem.ts";
import { toolLines } from "./tool-lines.ts";

type Added = Pick<Server, "server_id" | "name" | "transport" | "proxy_url">;

/** `ambit gateway add`: registers a server and looks at its tools. */
export const add = command({
  name: "add",
  description: "Put an MCP server behind the gateway and look at its tools (programs and headers: --person)",
  usage:
    "ambit gateway add <name> --url <url> [--header <name=value>…] | ambit gateway add <name> [--env <name=value>…] -- <command> <args…>",
  args: {
    name: { type: "positional", description: "What people call the server", required: true },
    ...{ url: { type: "string", description: "Where the MCP server answers (Streamable HTTP or HTTP+SSE)" } },
    header: { type: "string", description: "A header it is sent, name=value; may be given several times" },
    env: {
      type: "string",
      description: "A variable its program gets, name=value or a name of this environment; several times",
    },
    ...{ key: connectionArgs.key, "data-dir": connectionArgs["data-dir"], person: connectionArgs.person },
    ambit: { type: "string", description: "Ambit's own MCP endpoint (AMBIT_MCP_URL)" },
    json,
  },
  async run({ args, rawArgs }) {
    const settings = settingsOf(args.url, rawArgs);
    const connection = findConnection({ ...args, url: args.ambit }, process.env);
    const added = await callApi<Added>(connection, "POST", "/v1/gateway/servers", {
      name: args.name,
      ...settings,
    });
    if (!args.json) for (const line of linesAbout(added)) print(line);
    let found: Scan;
    try {
      found = await callApi<Scan>(connection, "POST", `/v1/gateway/servers/${added.server_id}/scan`, {});
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (args.json) printJson({ ...added, tools: null });
      throw new Problem(
        `The server is registered, its tools could not be looked at: ${error.message} Then: ambit gateway scan ${added.server_id}`,
      );
    }
    if (args.json) return void printJson({ ...added, ...found });
    for (const line of [...toolLines(found.tools), ...nextSteps(added.server_id, found)]) print(line);
  },
});

const linesAbout = ({ server_id, name, proxy_url }: Added) =>
  [`${name}: ${server_id}`, `proxy URL: ${proxy_url}`].map((line) => visible(line));

function settingsOf(url: string | undefined, rawArgs: readonly string[]): Record<string, unknown> {
  const program = afterDashes();
  const headers = pairsOf(rawArgs, "header");
  const env = pairsOf(rawArgs, "env", process.env);
  const given = (pairs: Record<string, string>) => Object.keys(pairs).length > 0;
  if ((url === undefined) === (program === null)) {
    throw new Problem("How is it reached? Either --url <url>, or -- <command> <args…>");
  }
  if (url !== undefined) {
    if (given(env)) throw new Problem("--env is for programs; a URL takes --header.");
    return { transport: "http", url, ...(given(headers) ? { headers } : {}) };
  }
  if (given(headers)) throw new Problem("--header is for URLs; a program takes --env.");
  const [name, ...args] = program!;
  if (name === undefined) throw new Problem("Which program? ambit gateway add <name> -- <command> <args…>");
  return { transport: "stdio", command: name, args, ...(given(env) ? { env } : {}) };
}
