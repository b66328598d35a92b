import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { Toolset } from "./catalogue.ts";

/** The one prompt, as `prompts/list` shows it. */
export const QUICKSTART = {
  name: "quickstart",
  title: "Build a backend",
  description: "How to build a working backend with these tools, step by step.",
  arguments: [{ name: "app_name", description: "Name of the app to build", required: false }],
};

interface Step {
  readonly tool: string;
  readonly action?: string;
  readonly why: string;
}

const STEPS: readonly Step[] = [
  { tool: "init_app", why: "creates the app and gives its app_id; every further call needs it" },
  {
    tool: "manage_schema",
    action: "apply",
    why: "declares tables and columns; dry-run first to see the changes",
  },
  {
    tool: "manage_rls",
    action: "create_user_isolation",
    why: "lets each end user see and change only rows of their own; do it before end users get in",
  },
  {
    tool: "manage_realtime",
    action: "configure",
    why: "sends row changes to clients over WebSocket as they commit",
  },
  {
    tool: "insert_row",
    why: "puts rows in; with as_role and as_user you see what an end user would be allowed",
  },
  { tool: "ambit_docs", why: "explains any topic in depth, and searches the documentation" },
];

/** What a client tells its model about this server. */
export function instructionsFor(toolset: Toolset): string {
  return [
    "Ambit is a backend that agents build and run: Postgres tables with row-level security, live changes, end-user accounts.",
    `A typical order: ${steps(toolset)
      .map(({ name }) => name)
      .join(", ")}.`,
    "A failed call says in `remediation` what to do next; a successful one may suggest next steps in `_meta.next_actions`.",
    "Calls are made with the API key of the connection, and every change is recorded in the app's audit log.",
  ].join("\n");
}

/** The messages of a prompt; an unknown name is a protocol error -32602. */
export function promptMessages(toolset: Toolset, name: string, args: Record<string, string> | undefined) {
  if (name !== QUICKSTART.name) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Unknown prompt");
  const app = args?.app_name?.trim();
  const numbered = steps(toolset).map((step, index) => `${index + 1}. ${step.name}: ${step.why}.`);
  const text = [
    `Build ${app ? `the app "${app}"` : "an app"} on Ambit with these tools:`,
    "",
    ...numbered,
    "",
    "Ask me what the app is for and what data it keeps, then propose tables before you create anything.",
    "Read each result: `_meta.next_actions` names sensible next calls, and an error's `remediation` says how to mend it.",
  ].join("\n");
  return {
    description: QUICKSTART.description,
    messages: [{ role: "user" as const, content: { type: "text" as const, text } }],
  };
}

/** The steps whose operations this server has, named as callers of this toolset name them. */
function steps(toolset: Toolset): { name: string; why: string }[] {
  return STEPS.flatMap(({ tool, action, why }) => {
    const name = toolset.spell(tool, action);
    return name === null ? [] : [{ name, why }];
  });
}
