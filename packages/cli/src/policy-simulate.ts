import { callApi, Refusal } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { findServer } from "./gateway-find.ts";
import { readText } from "./input.ts";
import { limits } from "./limits.ts";
import { print, printJson, tell, visible } from "./output.ts";
import { detailLines } from "./policy-validate.ts";
import { Problem } from "./problem.ts";
import { timeFlag } from "./time.ts";
import { listIn } from "./values.ts";

interface Found {
  readonly outcome: string;
  readonly rule: string;
  readonly message: string | null;
}
interface Simulated {
  readonly judged: number;
  readonly changed: readonly { decision_id: string | null; index?: number; before: Found; after: Found }[];
  readonly results?: readonly (Found & { readonly before: Found | null })[];
  readonly summary: {
    readonly changed: number;
    readonly undecidable: number;
    readonly skipped: Readonly<Record<string, number>>;
    readonly judged_until: string | null;
    readonly truncated: boolean;
  };
}

/** `ambit policy simulate`: what a policy would change, over what a server's grants did, or over given calls. */
export const simulate = command({
  name: "simulate",
  description: "What a policy would have decided over a server's decisions, or over given calls",
  usage: "ambit policy simulate <file> --server <id> [--from <time>] [--to <time>] [--calls <file>]",
  args: {
    file: { type: "positional", description: "The policy; - reads standard input", required: true },
    server: { type: "string", description: "Id or name of the server" },
    from: { type: "string", description: "Decisions from this time on, or so long ago: 7d; default 24h" },
    to: { type: "string", description: "Decisions up to this time" },
    calls: { type: "string", description: "A file with calls to judge instead: a JSON list, or one a line" },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    if (args.server === undefined) throw new Problem("Of which server? Name it: --server <id>");
    if (args.file === "-" && args.calls === "-")
      throw new Problem("Only one of the two can be standard input.");
    const document = await readText(args.file, limits.policyFileBytes);
    const calls =
      args.calls === undefined
        ? undefined
        : listIn(await readText(args.calls, limits.dataFileBytes), args.calls);
    const time = (flag: "from" | "to") =>
      args[flag] === undefined ? undefined : timeFlag(flag, args[flag], Date.now(), "ago");
    const connection = findConnection(args, process.env);
    const server_id = await findServer(connection, args.server);
    const body = { document, server_id, from: time("from"), to: time("to"), calls };
    const answer = await withDetails(() =>
      callApi<Simulated>(connection, "POST", "/v1/gateway/policies/simulate", body),
    );
    if (args.json) printJson(answer);
    else for (const line of linesAbout(answer)) print(line);
  },
});

/** Prints what a refusal says of places in the document before it becomes one line. */
export async function withDetails<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Refusal) for (const line of detailLines(error.details)) tell(line);
    throw error;
  }
}

const said = ({ outcome, rule, message }: Found) =>
  `${outcome}${rule === "" ? "" : ` ${rule}`}${message === null ? "" : ` (${message})`}`;

function linesAbout({ judged, changed, results, summary }: Simulated): string[] {
  const lines =
    results === undefined
      ? changed.map(({ decision_id, before, after }) => `${decision_id}: ${said(before)} → ${said(after)}`)
      : results.map(
          ({ before, ...after }, at) =>
            `call ${at + 1}: ${before === null ? "" : `${said(before)} → `}${said(after)}`,
        );
  const skipped = Object.values(summary.skipped).reduce((sum, count) => sum + count, 0);
  const more = [
    ...(changed.length < summary.changed ? [`${changed.length} of them shown`] : []),
    ...(summary.undecidable > 0 ? [`${summary.undecidable} depend on values that were not kept`] : []),
    ...(skipped > 0 ? [`${skipped} not of a kind that a policy decides`] : []),
  ];
  const end = `${judged} judged, ${summary.changed} change${more.map((each) => `; ${each}`).join("")}`;
  const rest = summary.truncated ? [`There are more after ${summary.judged_until}: go on with --from.`] : [];
  return [...lines, end, ...rest].map((line) => visible(line));
}
