import { RULES } from "@ambit/policy";
import type { ToolAnswer } from "./types.ts";

/** Why, where the rule itself says nothing. */
const REASONS: Readonly<Record<string, string>> = {
  [RULES.noPolicy]: "the grant has no policy, and without one nothing may be called",
  [RULES.hidden]: "the tool is not available to this grant",
  [RULES.defaultDeny]: "the tool is not allowed to this grant",
  [RULES.toolChanged]: "the tool is not what was approved; a person has to review it first",
};

/** What is told of a denial: the rule's own words, or else a reason. Pure. */
export const reasonOf = (rule: string, message: string | null): string =>
  message ?? REASONS[rule] ?? `the rule ${rule}`;

/** Pure. */
export const denied = (rule: string, message: string | null, approvalId: string | null = null): ToolAnswer =>
  answer(`Denied by policy: ${reasonOf(rule, message)}`, {
    ...{ outcome: "deny", rule },
    ...(approvalId === null ? {} : { approval_id: approvalId }),
  });

/** `retryAfterS` null: no time will help. Pure. */
export const limited = (rule: string, message: string, retryAfterS: number | null): ToolAnswer =>
  answer(`Denied by policy: ${message}`, {
    ...{ outcome: "limit", rule },
    ...(retryAfterS === null ? {} : { retry_after_s: retryAfterS }),
  });

/** Pure. */
export const held = (text: string, rule: string, approvalId: string, approvalUrl: string): ToolAnswer =>
  answer(text, { outcome: "hold", rule, approval_id: approvalId, approval_url: approvalUrl });

const answer = (text: string, decision: ToolAnswer["_meta"]["ambit/decision"]): ToolAnswer => ({
  isError: true,
  content: [{ type: "text", text }],
  _meta: { "ambit/decision": decision },
});

/** A result from before, marked as that; everything else in it stays as it was. Pure. */
export function replayed(result: string, rule: string, approvalId: string): string {
  const before = JSON.parse(result) as { _meta?: object };
  const decision = { outcome: "replay", rule, approval_id: approvalId };
  return JSON.stringify({ ...before, _meta: { ...before._meta, "ambit/decision": decision } });
}
