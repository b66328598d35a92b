import { basename, extname } from "node:path";
import { callApi, type Detail } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { findPolicy, findServer } from "./gateway-find.ts";
import { readText } from "./input.ts";
import { limits } from "./limits.ts";
import { print, printJson, tell } from "./output.ts";
import { withDetails } from "./policy-simulate.ts";
import { detailLines } from "./policy-validate.ts";
import { Problem } from "./problem.ts";

interface Written {
  readonly policy_id: string;
  readonly version: number;
  readonly warnings: readonly Detail[];
}

/** `ambit gateway policy`: saves a policy of a server, or a new version of one. */
export const policy = command({
  name: "policy",
  description: "Save a policy of a server, or a new version of one (--person)",
  usage: "ambit gateway policy <server> <file> [--name <name> | --policy <id or name>]",
  args: {
    server: { type: "positional", description: "Id or name of the server", required: true },
    file: { type: "positional", description: "The policy; - reads standard input", required: true },
    name: { type: "string", description: "What people call it; default: the file's name" },
    policy: { type: "string", description: "Id or name of the policy this is the next version of" },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    if (args.name !== undefined && args.policy !== undefined) {
      throw new Problem("--name is for a new policy, --policy for one there is; give one of them.");
    }
    const name = args.name ?? (args.file === "-" ? undefined : basename(args.file, extname(args.file)));
    if (name === undefined && args.policy === undefined)
      throw new Problem("What is it called? --name <name>");
    const document = await readText(args.file, limits.policyFileBytes);
    const connection = findConnection(args, process.env);
    const serverId = await findServer(connection, args.server);
    const policyId = args.policy === undefined ? null : await findPolicy(connection, serverId, args.policy);
    const written = await withDetails(() =>
      policyId === null
        ? callApi<Written>(connection, "POST", `/v1/gateway/servers/${serverId}/policies`, { name, document })
        : callApi<Written>(connection, "PUT", `/v1/gateway/policies/${policyId}`, { document }),
    );
    if (args.json) return void printJson(written);
    for (const line of detailLines(written.warnings, "warning: ")) tell(line);
    print(`${written.policy_id}: version ${written.version}`);
  },
});
