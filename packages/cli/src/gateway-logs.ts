import { allPages } from "./api.ts";
import { command } from "./command.ts";
import { type Connection, findConnection } from "./connection.ts";
import { connectionArgs } from "./flags.ts";
import { findGrant, findServer } from "./gateway-find.ts";
import { DecisionTail, type LoggedDecision } from "./gateway-tail.ts";
import { limits } from "./limits.ts";
import { print, printJson, printJsonLine, tell, visible } from "./output.ts";
import { Problem } from "./problem.ts";
import { timeFlag } from "./time.ts";

const DECISIONS = "/v1/gateway/decisions";
const OUTCOMES = ["allow", "deny", "limit", "hold", "error", "replay"];
const DEFAULT_SHOWN = 20;

/** `ambit gateway logs`: the newest decisions, the newest last; with --follow also those to come. */
export const logs = command({
  name: "logs",
  description: "What the gateway decided, the newest last",
  usage:
    "ambit gateway logs [--server <id>] [--grant <id or label>] [--tool <name>] [--outcome <outcome>] [--from <time>] [--to <time>] [--limit <n>] [--follow]",
  args: {
    server: { type: "string", description: "Only of this server: its id or name" },
    grant: { type: "string", description: "Only of this grant: its id or label" },
    tool: { type: "string", description: "Only calls of the tool with exactly this name" },
    outcome: { type: "string", description: `Only these: ${OUTCOMES.join(", ")}` },
    from: { type: "string", description: "From this time on, or so long ago: 30m" },
    to: { type: "string", description: "Up to this time" },
    limit: { type: "string", description: `How many; default ${DEFAULT_SHOWN}` },
    follow: { type: "boolean", description: "Go on with what is decided from now on" },
    ...connectionArgs,
    json: { type: "boolean", description: "Print one JSON value; with --follow one a line" },
  },
  async run({ args }) {
    const limit = args.limit === undefined ? DEFAULT_SHOWN : Number(args.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > limits.listEntries) {
      throw new Problem(`--limit takes a whole number from 1 to ${limits.listEntries}.`);
    }
    if (args.outcome !== undefined && !OUTCOMES.includes(args.outcome)) {
      throw new Problem(`--outcome takes one of ${OUTCOMES.join(", ")}.`);
    }
    if (args.follow && args.to !== undefined) throw new Problem("--follow has no end: leave --to out.");
    const time = (flag: "from" | "to") =>
      args[flag] === undefined ? undefined : timeFlag(flag, args[flag], Date.now(), "ago");
    const times = { from: time("from"), to: time("to") };
    const connection = findConnection(args, process.env);
    const filter = {
      ...{ server_id: args.server === undefined ? undefined : await findServer(connection, args.server) },
      ...{ grant_id: args.grant === undefined ? undefined : await findGrant(connection, args.grant) },
      ...{ tool: args.tool, outcome: args.outcome },
    };
    const look = async (most: number, from: string | undefined) =>
      allPages<LoggedDecision>(connection, DECISIONS, "decisions", most, { ...filter, ...times, from });
    const { entries, isCut } = await look(limit, times.from);
    const oldestFirst = [...entries].reverse();
    if (args.json && !args.follow) return void printJson({ decisions: oldestFirst });
    const show = (each: LoggedDecision) => (args.json ? printJsonLine(each) : print(lineOf(each)));
    for (const each of oldestFirst) show(each);
    if (isCut && entries.length < limit)
      tell("Only a part of the log was looked through; --from narrows it.");
    if (!args.follow) return;
    // Where nothing was found, the newest decision of all says from when on to look: this machine's clock may differ.
    const newest = entries.length > 0 ? [] : await newestOf(connection);
    await follow(new DecisionTail(entries, times.from ?? newest[0]?.at), look, show);
  },
});

const newestOf = async (connection: Connection) =>
  (await allPages<LoggedDecision>(connection, DECISIONS, "decisions", 1)).entries;

/** Shows what is new every second, until nobody reads any more or the server does not answer for too long. */
async function follow(
  tail: DecisionTail,
  look: (
    most: number,
    from: string | undefined,
  ) => Promise<{ entries: readonly LoggedDecision[]; isCut: boolean }>,
  show: (decision: LoggedDecision) => void,
): Promise<void> {
  process.stdout.once("error", () => process.exit(0));
  for (let failures = 0; ; ) {
    await new Promise((resolve) => setTimeout(resolve, limits.followMs));
    try {
      const { entries, isCut } = await look(limits.followedAtOnce, tail.from);
      if (isCut)
        tell(`ambit: More than ${limits.followedAtOnce} decisions at once; older ones are not shown.`);
      for (const each of tail.fresh(entries)) show(each);
      failures = 0;
    } catch (error) {
      if (!(error instanceof Problem) || ++failures >= limits.followFailures) throw error;
      if (failures === 1) tell(`ambit: ${error.message} Trying on.`);
    }
  }
}

function lineOf(decision: LoggedDecision): string {
  const { at, outcome, grant_label, grant_id, method, tool, rule, message, argument_keys } = decision;
  const { upstream_status: status, latency_ms: ms, problem, approval_id } = decision;
  const called = tool === null ? (method ?? "(unreadable)") : `${tool}(${(argument_keys ?? []).join(", ")})`;
  const parts = [at, outcome.padEnd(6), grant_label ?? grant_id, called, rule];
  if (message !== null) parts.push(`"${message}"`);
  if (approval_id !== null) parts.push(approval_id);
  if (status !== null) parts.push(`→ ${status}${ms === null ? "" : ` ${Math.round(ms)} ms`}`);
  if (problem !== null) parts.push(problem);
  return parts
    .filter((part) => part !== "")
    .map((part) => visible(part))
    .join("  ");
}
