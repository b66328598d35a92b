import { limits } from "../limits.ts";
import type { Regexes } from "../regexes.ts";
import type { Json, JsonObject } from "../types.ts";
import { checkRules } from "./predicates.ts";
import { checkLimits, checkRateLimit } from "./quotas.ts";
import { at, isObject, isOneOf, isText, listOf, objectWith, own, type Report } from "./report.ts";

const TOOL_KEYS = ["require", "deny_if", "approve_if", "limits", "action", "reason", "rate_limit"];

/** Checks everything that can be said of a document by itself. */
export function checkDocument(value: Json, report: Report, regexes: Regexes): void {
  const fields = objectWith(value, ["version", "default", "hide", "all_tools", "tools"], "", report);
  if (fields === null) return;
  isOneOf(own(fields, "version"), ["1"], "/version", report);
  isOneOf(own(fields, "default"), ["deny", "allow"], "/default", report);
  const hidden = checkHide(own(fields, "hide"), report);
  const common = new Set<string>();
  const allTools = own(fields, "all_tools");
  if (allTools !== undefined) {
    const inside = objectWith(allTools, ["limits"], "/all_tools", report);
    if (inside !== null) checkLimits(own(inside, "limits"), true, common, "/all_tools/limits", report);
  }
  const tools = own(fields, "tools");
  if (tools === undefined) return;
  if (!isObject(tools)) {
    report.problem("/tools", "must be an object");
    return;
  }
  const listed = Object.entries(tools);
  if (listed.length > limits.tools) report.problem("/tools", `more than ${limits.tools} tools`);
  for (const [name, tool] of listed.slice(0, limits.tools)) {
    const pointer = at("/tools", name);
    isText(name, "name", limits.nameChars, pointer, report);
    if (name.includes("*")) report.warning(pointer, "names of tools are exact: * stands for nothing here");
    if (hidden.has(name)) report.warning(pointer, "both hidden and listed: it is hidden");
    checkTool(name, tool, new Set(common), pointer, report, regexes);
  }
  if (hidden.has("*") && listed.length > 0) {
    report.warning("/tools", "everything is hidden: no rule here is ever asked");
  }
}

function checkHide(value: Json | undefined, report: Report): ReadonlySet<string> {
  const names = new Set<string>();
  listOf(value, limits.hiddenNames, "/hide", report).forEach((name, index) => {
    const pointer = at("/hide", index);
    if (!isText(name, "name", limits.nameChars, pointer, report)) return;
    if (name !== "*" && name.includes("*")) {
      report.warning(pointer, "names of tools are exact: only * alone stands for all");
    }
    names.add(name);
  });
  return names;
}

function checkTool(
  name: string,
  value: Json,
  counters: Set<string>,
  pointer: string,
  report: Report,
  regexes: Regexes,
): void {
  const fields = objectWith(value, TOOL_KEYS, pointer, report);
  if (fields === null) return;
  for (const list of ["require", "deny_if", "approve_if"] as const) {
    checkRules(own(fields, list), list, at(pointer, list), report, regexes);
  }
  checkLimits(own(fields, "limits"), false, counters, at(pointer, "limits"), report);
  const rate = own(fields, "rate_limit");
  if (rate !== undefined) checkRateLimit(name, rate, counters, at(pointer, "rate_limit"), report);
  checkAction(fields, pointer, report);
}

function checkAction(fields: JsonObject, pointer: string, report: Report): void {
  const action = own(fields, "action");
  if (action !== undefined) {
    isOneOf(action, ["allow", "deny", "require_approval"], at(pointer, "action"), report);
  }
  const has = (key: string) => own(fields, key) !== undefined;
  if (has("reason")) {
    isText(own(fields, "reason"), "text", limits.messageChars, at(pointer, "reason"), report);
    if (action !== "deny" && action !== "require_approval" && !has("rate_limit")) {
      report.warning(at(pointer, "reason"), "never told: there is no action or rate_limit it belongs to");
    }
  }
  if (action === "deny") {
    for (const key of ["limits", "rate_limit", "approve_if", "deny_if"]) {
      if (has(key)) report.warning(at(pointer, key), "never asked: the action denies every call");
    }
  }
  if (action === "require_approval" && has("approve_if")) {
    report.warning(at(pointer, "approve_if"), "never asked: the action asks for every call");
  }
}
