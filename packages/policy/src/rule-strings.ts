import { escapeStep } from "./pointer.ts";
import type { Predicate } from "./types.ts";

/** What the decision log calls that for which no rule of a document is responsible. */
export const RULES = {
  /** The body is not one well-formed JSON-RPC request. */
  malformed: "(malformed)",
  /** The grant has no policy. */
  noPolicy: "(no policy)",
  /** The tool is in `hide`, or everything is. */
  hidden: "(hidden)",
  /** The default is deny and the tool is not listed. */
  defaultDeny: "(default deny)",
  /** The tool is not, or no longer, what was approved. */
  toolChanged: "(tool changed)",
} as const;

export type RuleList = "require" | "deny_if" | "approve_if";

export function predicateRule(tool: string, list: RuleList, predicate: Predicate): string {
  return `/tools/${escapeStep(tool)}/${list}/${escapeStep(`${predicate.path}-${predicate.op}`)}`;
}

/** A rule without conditions is named by its place. */
export function emptyRule(tool: string, list: RuleList, index: number): string {
  return `/tools/${escapeStep(tool)}/${list}/${index}`;
}

/** `tool` null: a limit of all tools. */
export function limitRule(tool: string | null, counter: string): string {
  const owner = tool === null ? "/all_tools" : `/tools/${escapeStep(tool)}`;
  return `${owner}/limits/${escapeStep(counter)}`;
}
