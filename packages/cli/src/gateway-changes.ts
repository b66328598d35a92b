import { callApi, withQuery } from "./api.ts";
import { command } from "./command.ts";
import { type Connection, findConnection } from "./connection.ts";
import { connectionArgs, json, pairsOf } from "./flags.ts";
import { findServer } from "./gateway-find.ts";
import { limits } from "./limits.ts";
import { jsonText, print, printJson, tell, visible } from "./output.ts";
import { Problem } from "./problem.ts";

interface Change {
  readonly tool: string;
  readonly approved: object | null;
  readonly now: object;
  readonly hash: string;
  readonly gone: boolean;
}

/** `ambit gateway changes`: tools that are new or different since they were approved, and a person's yes to them. */
export const changes = command({
  name: "changes",
  description: "Tools that are new or changed since they were approved; approve what was reviewed (--person)",
  usage: "ambit gateway changes <server> [--approve <tool>=<hash>…]",
  args: {
    server: { type: "positional", description: "Id or name of the server", required: true },
    approve: {
      type: "string",
      description: "tool=hash, with the hash that was shown; may be given several times",
    },
    ...connectionArgs,
    json,
  },
  async run({ args, rawArgs }) {
    const approved = Object.entries(pairsOf(rawArgs, "approve"));
    const connection = findConnection(args, process.env);
    const path = `/v1/gateway/servers/${await findServer(connection, args.server)}/tool-changes`;
    if (approved.length > 0) {
      const tools = approved.map(([name, hash]) => ({ name, hash }));
      const answer = await callApi<{ tools: string[] }>(connection, "POST", `${path}/approve`, { tools });
      if (args.json) printJson(answer);
      else print(visible(`approved: ${answer.tools.join(", ")}`));
      return;
    }
    const found = await allChanges(connection, path);
    if (args.json) return void printJson({ changes: found });
    if (found.length === 0) tell("Every tool is what was approved.");
    for (const line of found.flatMap(linesAbout)) print(line);
  },
});

async function allChanges(connection: Connection, path: string): Promise<Change[]> {
  const found: Change[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < limits.pages; pages++) {
    type Page = { changes: Change[]; next_after: string | null };
    const page = await callApi<Page>(
      connection,
      "GET",
      withQuery(path, { after, limit: limits.pageChanges }),
    );
    found.push(...page.changes);
    if (page.next_after === null) return found;
    after = page.next_after;
  }
  throw new Problem("There are more changed tools than can be shown; review some of them first.");
}

const linesAbout = ({ tool, approved, now, hash, gone }: Change): string[] => [
  visible(`${tool}=${hash}${approved === null ? "  new" : ""}${gone ? "  no longer listed" : ""}`),
  ...(approved === null ? [] : [`approved: ${jsonText(approved, 2)}`]),
  `now: ${jsonText(now, 2)}`,
];
