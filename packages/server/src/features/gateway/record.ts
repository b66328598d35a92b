import type { JsonObject } from "@ambit/policy";
import type { DecisionOutcome, DecisionRecord } from "../gateway-decisions/service.ts";
import { limits } from "./limits.ts";
import type { Admission, AskedFor } from "./types.ts";

/** What was decided, beside what was asked. */
export interface Decided {
  readonly outcome: DecisionOutcome;
  readonly rule: string;
  readonly message: string | null;
  readonly approvalId: string | null;
}

/** What was asked, as far as it is written down; without a method when it could not be read. */
export type Recorded = Pick<AskedFor, "requestId" | "tool" | "args"> & { readonly method: string | null };

/** The line of the decision log. Pure. */
export function recordOf(
  { grant, server, policy }: Admission,
  asked: Recorded,
  decided: Decided,
): DecisionRecord {
  const record: DecisionRecord = {
    organizationId: grant.organizationId,
    requestId: asked.requestId,
    grantId: grant.id,
    serverId: server.id,
    method: asked.method === null ? null : bounded(asked.method, limits.nameChars),
    tool: asked.tool === null ? null : bounded(asked.tool, limits.nameChars),
    policyId: policy === null ? null : policy.policyId,
    policyVersion: policy === null ? null : policy.version,
    outcome: decided.outcome,
    rule: bounded(decided.rule, limits.ruleChars),
    message: decided.message === null ? null : bounded(decided.message, limits.messageChars),
    argumentKeys: asked.args === null ? null : argumentKeysOf(asked.args),
    approvalId: decided.approvalId,
  };
  return server.capturesValues && asked.args !== null ? { ...record, args: asked.args } : record;
}

/** Top-level names of arguments, sorted; so many, and so much of each. Never values. Pure. */
export function argumentKeysOf(args: JsonObject): readonly string[] {
  const keys = Object.keys(args).sort();
  if (keys.length > limits.argumentKeys) keys.length = limits.argumentKeys;
  for (let at = 0; at < keys.length; at++) keys[at] = bounded(keys[at]!, limits.argumentKeyChars);
  return keys;
}

/** A text as a record can hold it: what a caller sends may be of any length, and no Unicode. Pure. */
function bounded(text: string, chars: number): string {
  const kept = text.length > chars ? `${text.slice(0, chars - 1)}…` : text;
  return (kept.includes("\0") ? kept.replaceAll("\0", "\ufffd") : kept).toWellFormed();
}
