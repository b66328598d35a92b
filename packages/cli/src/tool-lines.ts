import type { Classification } from "@ambit/policy";
import { limits } from "./limits.ts";
import { columns, visible } from "./output.ts";

/** A tool with its class and risk; from the gateway also whether it is approved. */
export type ShownTool = Classification & { readonly state?: string };

/**
 * What is said of tools to people: a line for each with class, risk and evidence, and below it what else deserves a look:
 * signals, its actions, what its annotations claim. Pure.
 */
export function toolLines(tools: readonly ShownTool[]): string[] {
  if (tools.length === 0) return ["The server has no tools."];
  const heads = columns(
    tools.map((tool) => [tool.name, tool.class, tool.risk, `${evidenceOf(tool.evidence)}${stateOf(tool)}`]),
  );
  return tools.flatMap((tool, at) => [heads[at]!, ...notesOf(tool).map((note) => `    ${note}`)]);
}

const stateOf = ({ state }: ShownTool) =>
  state === undefined || state === "approved" ? "" : "  [changed: to be reviewed by a person]";

function notesOf({ signals, actions, annotation_mismatch }: ShownTool): string[] {
  return [
    ...(actions ?? []).map((each) =>
      visible(`${each.action}: ${each.class}, ${each.risk}  ${evidenceOf(each.evidence)}`),
    ),
    ...signals.map(({ kind, pointer, why }) =>
      visible(`! ${kind} ${pointer}: ${visible(why, limits.evidenceChars)}`),
    ),
    ...(annotation_mismatch === undefined ? [] : [visible(`! annotations: ${annotation_mismatch}`)]),
  ];
}

const evidenceOf = (evidence: Classification["evidence"]) =>
  evidence.map(({ source, text }) => `${source}: ${visible(text, limits.evidenceChars)}`).join("; ");
