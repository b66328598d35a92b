import { RULES } from "@ambit/policy";
import { reasonOf } from "./answers.ts";
import { forward, HOLDS_NOTHING } from "./call-under-way.ts";
import { type Case, record } from "./case.ts";
import type { Verdict } from "./types.ts";

/** What a grant without a policy may send on: what makes and keeps a connection, and shows nothing. */
const HARMLESS = new Set(["initialize", "ping", "server/discover"]);
/** Lists, and the field of each that is empty without a policy. */
const LISTS: Readonly<Record<string, string>> = {
  "tools/list": "tools",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates",
  "prompts/list": "prompts",
};

/** Judges what is no call of a tool: with a policy it passes, without one next to nothing does. */
export async function judgeOther(it: Case): Promise<Verdict> {
  const { context, admission, asked } = it;
  if (asked.method === "tools/call") {
    const message = "the call names no tool";
    await record(it, "error", RULES.malformed, message);
    return { kind: "refuse", message };
  }
  if (admission.policy !== null || HARMLESS.has(asked.method) || asked.method.startsWith("notifications/")) {
    return forward(context, admission, asked, HOLDS_NOTHING);
  }
  const list = Object.hasOwn(LISTS, asked.method) ? LISTS[asked.method]! : null;
  const message = reasonOf(RULES.noPolicy, null);
  await record(it, list === null ? "deny" : "allow", RULES.noPolicy, message);
  if (list === null) return { kind: "refuse", message: `Denied by policy: ${message}` };
  const result = { [list]: [], resultType: "complete", ttlMs: 0, cacheScope: "private" };
  return { kind: "replay", result: JSON.stringify(result) };
}
