import { classify, type PolicyDocument, suggestPolicy, type ToolDefinition } from "@ambit/policy";
import { callApi } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { afterDashes, connectionArgs, json, pairsOf } from "./flags.ts";
import { findServer } from "./gateway-find.ts";
import { readText } from "./input.ts";
import { limits } from "./limits.ts";
import { printJson, tell } from "./output.ts";
import { Problem } from "./problem.ts";
import { type ShownTool, toolLines } from "./tool-lines.ts";
import { toolsOf } from "./tool-list.ts";
import { toolsIn } from "./values.ts";

/** What is known of a server's tools, and a policy to begin with. */
export interface Suggestion {
  readonly tools: readonly ShownTool[];
  readonly suggested_policy: PolicyDocument;
}

/** `ambit policy suggest`: a policy to begin with, for a server behind the gateway or for any other. */
export const suggest = command({
  name: "suggest",
  description: "A policy to begin with, from a server's tools",
  usage:
    "ambit policy suggest --server <id> | --tools <tools.json> | [--env <name=value>] -- <command> <args…>",
  args: {
    server: { type: "string", description: "Id or name of a server behind the gateway" },
    tools: { type: "string", description: "A file with what tools/list answers; - reads standard input" },
    env: {
      type: "string",
      description:
        "With a command after --: a variable it is started with, name=value or a name of this environment",
    },
    ...connectionArgs,
    json,
  },
  async run({ args, rawArgs }) {
    const program = afterDashes();
    const sources = [args.server, args.tools, program].filter((each) => each !== undefined && each !== null);
    if (sources.length !== 1) {
      throw new Problem(
        "Of which server? One of --server <id>, --tools <tools.json>, or -- <command> <args…>",
      );
    }
    let suggestion: Suggestion;
    if (args.server !== undefined) {
      const connection = findConnection(args, process.env);
      const id = await findServer(connection, args.server);
      const { tools, suggested_policy } = await callApi<Suggestion>(
        connection,
        "POST",
        `/v1/gateway/servers/${id}/scan`,
        {},
      );
      suggestion = { tools, suggested_policy };
    } else if (args.tools !== undefined) {
      suggestion = suggestionFor(toolsIn(await readText(args.tools, limits.dataFileBytes), args.tools));
    } else {
      const [name, ...rest] = program!;
      if (name === undefined) throw new Problem("Which command? ambit policy suggest -- <command> <args…>");
      suggestion = suggestionFor(await toolsOf(name, rest, pairsOf(rawArgs, "env", process.env)));
    }
    if (args.json) return void printJson(suggestion);
    for (const line of toolLines(suggestion.tools)) tell(line);
    printJson(suggestion.suggested_policy);
  },
});

const suggestionFor = (tools: readonly ToolDefinition[]): Suggestion => ({
  tools: tools.map((tool) => classify(tool)),
  suggested_policy: suggestPolicy(tools),
});
