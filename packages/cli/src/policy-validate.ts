import { validate as validateDocument } from "@ambit/policy";
import { callApi, type Detail } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { findServer } from "./gateway-find.ts";
import { readText } from "./input.ts";
import { limits } from "./limits.ts";
import { print, printJson, visible } from "./output.ts";
import { Problem } from "./problem.ts";
import { toolsIn } from "./values.ts";

interface Validation {
  readonly valid: boolean;
  readonly problems: readonly Detail[];
  readonly warnings: readonly Detail[];
}

/** `ambit policy validate`: everything that is wrong with a policy, or doubtful. */
export const validate = command({
  name: "validate",
  description: "Every problem and every warning of a policy",
  usage: "ambit policy validate <file> [--tools <tools.json> | --server <id>]",
  args: {
    file: { type: "positional", description: "The policy; - reads standard input", required: true },
    tools: {
      type: "string",
      description: "A file with a server's tools, to find rules about tools it does not have",
    },
    server: { type: "string", description: "The same with the tools of a server behind the gateway" },
    ...connectionArgs,
    json,
  },
  exitCode: 2,
  async run({ args }) {
    if (args.tools !== undefined && args.server !== undefined)
      throw new Problem("Give --tools or --server, not both.");
    if (args.file === "-" && args.tools === "-")
      throw new Problem("Only one of the two can be standard input.");
    const text = await readText(args.file, limits.policyFileBytes);
    let found: Validation;
    if (args.server !== undefined) {
      const connection = findConnection(args, process.env);
      const server_id = await findServer(connection, args.server);
      found = await callApi(connection, "POST", "/v1/gateway/policies/validate", {
        document: text,
        server_id,
      });
    } else {
      const tools =
        args.tools === undefined
          ? undefined
          : toolsIn(await readText(args.tools, limits.dataFileBytes), args.tools);
      found = validateDocument({ text }, tools);
    }
    if (args.json) printJson(found);
    else for (const line of linesAbout(found)) print(line);
    if (!found.valid) process.exitCode = 1;
  },
});

/** One line for each problem and each warning, and one about the whole. Pure. */
export function linesAbout({ valid, problems, warnings }: Validation): string[] {
  const counts = `${problems.length} problems, ${warnings.length} warnings`;
  return [
    ...detailLines(problems),
    ...detailLines(warnings, "warning: "),
    `${valid ? "valid" : "NOT valid"}: ${counts}`,
  ];
}

/** `pointer: message` of each. Pure. */
export const detailLines = (details: readonly Detail[], kind = ""): string[] =>
  details.map(({ pointer, message }) =>
    visible(`${pointer === "" ? "(document)" : pointer}: ${kind}${message}`),
  );
