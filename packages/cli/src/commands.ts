import { defineCommand } from "citty";
import { bridge } from "./bridge.ts";
import { findConnection, findUrl } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { readText } from "./input.ts";
import { limits } from "./limits.ts";
import { guarded, print, printJson, tell } from "./output.ts";
import { Problem, parse } from "./problem.ts";
import { readiness, requireServer, withClient } from "./server.ts";

const verbs = {
  type: "boolean",
  description: "One tool per operation instead of the manage_* tools",
} as const;

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
      const stop = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
      await bridge(connection, (line) => tell(`ambit: ${line}`), stop.signal);
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
      const text = args.arguments === "-" ? await readText("-", limits.dataFileBytes) : args.arguments;
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
