import { defineCommand } from "citty";
import { bridge } from "./bridge.ts";
import { findConnection, findUrl } from "./connection.ts";
import { limits } from "./limits.ts";
import { Problem, parse } from "./problem.ts";
import { readiness, requireServer, withClient } from "./server.ts";

/** Flags of every command that talks to a server. */
export const connectionArgs = {
  url: { type: "string", description: "MCP endpoint (AMBIT_MCP_URL)" },
  key: { type: "string", description: "API key (AMBIT_API_KEY)" },
  "data-dir": { type: "string", description: "Data directory of a server on this machine (AMBIT_DATA_DIR)" },
  person: { type: "boolean", description: "Use the person's key of the data directory" },
} as const;
export const json = { type: "boolean", description: "Print one JSON value" } as const;
const verbs = {
  type: "boolean",
  description: "One tool per operation instead of the manage_* tools",
} as const;

export const print = (text: string) => process.stdout.write(`${text}\n`);
export const printJson = (value: unknown) => print(JSON.stringify(value, null, 2));

/** Runs a command; a Problem becomes one line on standard error and this exit code. */
export async function guarded(run: () => Promise<void>, exitCode = 1): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    process.stderr.write(`ambit: ${error.message}\n`);
    process.exitCode = exitCode;
  }
}

function faceOf(url: string, oneToolPerOperation: boolean | undefined): string {
  if (!oneToolPerOperation) return url;
  const face = new URL(url);
  face.searchParams.set("tools", "verbs");
  return face.href;
}

export const mcp = defineCommand({
  meta: { name: "mcp", description: "Speak MCP over standard input and output for a running server" },
  args: { ...connectionArgs, verbs },
  run: ({ args }) =>
    guarded(async () => {
      const found = findConnection(args, process.env);
      const connection = { ...found, url: faceOf(found.url, args.verbs) };
      await requireServer(connection);
      await bridge(connection, (line) => process.stderr.write(`ambit: ${line}\n`));
      // Nobody is left to answer; kept-alive connections need not be waited for.
      process.exit(0);
    }),
});

export const status = defineCommand({
  meta: { name: "status", description: "Whether the server is ready" },
  args: { url: connectionArgs.url, "data-dir": connectionArgs["data-dir"], json },
  run: ({ args }) =>
    guarded(async () => {
      const url = findUrl(args, process.env);
      const { ready, body } = await readiness(url);
      if (args.json) printJson(body);
      else {
        print(`Ambit at ${new URL(url).origin} is ${ready ? "ready" : "not ready"}`);
        const { checks } = body as { checks?: Record<string, string> };
        for (const [name, state] of Object.entries(checks ?? {})) print(`  ${name}: ${state}`);
      }
      if (!ready) process.exitCode = 1;
    }),
});

export const tools = defineCommand({
  meta: { name: "tools", description: "List the server's tools" },
  args: { ...connectionArgs, verbs, json },
  run: ({ args }) =>
    guarded(async () => {
      const found = findConnection(args, process.env);
      const connection = { ...found, url: faceOf(found.url, args.verbs) };
      const listed = await withClient(connection, async (client) => (await client.listTools()).tools);
      if (args.json) {
        printJson(listed);
        return;
      }
      const width = Math.max(0, ...listed.map((tool) => tool.name.length));
      for (const { name, title, annotations } of listed) {
        const risk = annotations?.readOnlyHint
          ? "reads"
          : annotations?.destructiveHint
            ? "can destroy"
            : "writes";
        print(`${name.padEnd(width)}  ${risk.padEnd("can destroy".length)}  ${title ?? ""}`);
      }
    }),
});

export const call = defineCommand({
  meta: { name: "call", description: "Call a tool and print its answer" },
  args: {
    tool: { type: "positional", description: "Name of the tool", required: true },
    arguments: {
      type: "positional",
      description: "Arguments as JSON; - reads them from standard input",
      default: "{}",
    },
    ...connectionArgs,
    json,
  },
  run: ({ args }) =>
    guarded(async () => {
      const text = args.arguments === "-" ? await readInput() : args.arguments;
      const given = parse(text);
      if (typeof given !== "object" || given === null || Array.isArray(given)) {
        throw new Problem(`The arguments must be a JSON object, such as '{"action":"list"}'.`);
      }
      const connection = findConnection(args, process.env);
      const request = { name: args.tool, arguments: given as Record<string, unknown> };
      const result = await withClient(connection, (client) =>
        client.callTool(request, { timeout: limits.callMs }),
      );
      const shown = result.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
      if (args.json) printJson(result.structuredContent ?? parse(shown) ?? shown);
      else print(shown);
      if (result.isError) process.exitCode = 1;
    }),
});

async function readInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  return text;
}
