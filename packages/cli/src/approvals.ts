import { defineCommand } from "citty";
import { allPages, callApi } from "./api.ts";
import { command } from "./command.ts";
import { findConnection } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { limits } from "./limits.ts";
import { columns, jsonText, print, printJson, tell, visible } from "./output.ts";
import { Problem } from "./problem.ts";

interface Approval {
  readonly id: string;
  readonly title: string;
  readonly reason: string;
  readonly requester: { readonly type: string; readonly label: string };
  readonly status: string;
  readonly approvers: number;
  readonly approvals_given: number;
  readonly expires_at: string;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly url: string;
}
interface Shown extends Approval {
  readonly request: object;
  readonly preview: object | null;
  readonly preview_hash: string | null;
  readonly can_decide: boolean;
  readonly cannot_decide_reason: string | null;
}

const BASE = "/v1/approvals";
const which = {
  id: { type: "positional", description: "The approval's id", required: true },
} as const;

/** The path of an approval; its id must look like one, since it becomes part of a URL. */
function pathOf(id: string): string {
  if (/^apr_[0-9a-z]+$/.test(id)) return `${BASE}/${id}`;
  throw new Problem(visible(`${id} is no approval's id (apr_…); ambit approvals lists them.`));
}

const list = command({
  name: "list",
  description: "What waits for a person's decision, newest first",
  usage: "ambit approvals list [--status <status>]",
  args: {
    status: { type: "string", description: "pending (default), approved, rejected, expired or cancelled" },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    const connection = findConnection(args, process.env);
    const status = args.status ?? "pending";
    const { entries } = await allPages<Approval>(connection, BASE, "approvals", limits.listEntries, {
      status,
    });
    if (args.json) return void printJson({ approvals: entries });
    if (entries.length === 0) tell(`Nothing is ${status}.`);
    const rows = entries.map(({ id, title, requester, reason, expires_at }) => [
      ...[id, title, requester.label, reason],
      status === "pending" ? `until ${expires_at}` : "",
    ]);
    for (const line of columns(rows)) print(line);
  },
});

const show = command({
  name: "show",
  description: "Who asks, the exact arguments, and what approving would do",
  usage: "ambit approvals show <id>",
  args: { ...which, ...connectionArgs, json },
  async run({ args }) {
    const shown = await callApi<Shown>(findConnection(args, process.env), "GET", pathOf(args.id));
    if (args.json) return void printJson(shown);
    const { id, status, title, requester, reason, request, preview, url } = shown;
    print(visible(`${id}: ${status}: ${title}`));
    print(visible(`asked by ${requester.type} ${requester.label}, waits because of: ${reason}`));
    print(`arguments: ${jsonText(request, 2)}`);
    if (preview !== null) print(`approving now: ${jsonText(preview, 2)}`);
    if (shown.preview_hash !== null) print(visible(`preview: ${shown.preview_hash}`));
    if (status === "pending" && !shown.can_decide) {
      print(visible(`This key can't approve it: ${shown.cannot_decide_reason ?? "no reason is given"}`));
    }
    print(visible(url));
  },
});

const approve = command({
  name: "approve",
  description: "A person's yes (--person)",
  usage: "ambit approvals approve <id> [--preview <hash>]",
  args: {
    ...which,
    preview: {
      type: "string",
      description: "Only if it would still do what show told, by that preview's hash",
    },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    const body = { preview_hash: args.preview };
    const path = `${pathOf(args.id)}/approve`;
    tellDecided(await callApi<Approval>(findConnection(args, process.env), "POST", path, body), args.json);
  },
});

const reject = command({
  name: "reject",
  description: "A person's no, with the reason that whoever asks is told (--person)",
  usage: "ambit approvals reject <id> --reason <text>",
  args: { ...which, reason: { type: "string", description: "Why not" }, ...connectionArgs, json },
  async run({ args }) {
    if (args.reason === undefined) throw new Problem("Why not? --reason <text>; whoever asks is told it.");
    const path = `${pathOf(args.id)}/reject`;
    const connection = findConnection(args, process.env);
    tellDecided(await callApi<Approval>(connection, "POST", path, { reason: args.reason }), args.json);
  },
});

function tellDecided(approval: Approval, asJson: boolean | undefined): void {
  const { id, status, approvers, approvals_given, failure } = approval;
  const missing = status === "pending" ? `: ${approvals_given} of ${approvers} people have approved` : "";
  if (asJson) printJson(approval);
  else print(visible(`${id}: ${status}${missing}`));
  if (failure === null) return;
  tell(visible(`ambit: It was approved, and executing it failed: ${failure.message}`));
  process.exitCode = 1;
}

export const approvals = defineCommand({
  meta: { name: "approvals", description: "What waits for a person's decision" },
  default: "list",
  subCommands: { list, show, approve, reject },
});
