import { limits } from "../limits.ts";
import { isNumeric } from "../operators.ts";
import { parsePath } from "../paths.ts";
import type { Regexes } from "../regexes.ts";
import { type Json, OPERATORS, type Operator } from "../types.ts";
import { at, isOneOf, isText, listOf, objectWith, own, type Report } from "./report.ts";

/** Checks the rules of one list of one tool. */
export function checkRules(
  value: Json | undefined,
  list: "require" | "deny_if" | "approve_if",
  pointer: string,
  report: Report,
  regexes: Regexes,
): void {
  listOf(value, limits.rulesPerList, pointer, report).forEach((rule, index) => {
    const here = at(pointer, index);
    const fields = objectWith(rule, ["conditions", "on_deny"], here, report);
    if (fields === null) return;
    const onDeny = own(fields, "on_deny");
    if (onDeny !== undefined) isText(onDeny, "text", limits.messageChars, at(here, "on_deny"), report);
    const given = own(fields, "conditions");
    const there = at(here, "conditions");
    if (given === undefined) report.problem(there, "is missing");
    const conditions = listOf(given, limits.conditionsPerRule, there, report);
    if (list === "require" && Array.isArray(given) && given.length === 0) {
      report.problem(there, "must not be empty in require: it would require nothing");
    }
    conditions.forEach((predicate, nth) => {
      checkPredicate(predicate, at(there, nth), report, regexes);
    });
  });
}

function checkPredicate(value: Json, pointer: string, report: Report, regexes: Regexes): void {
  const fields = objectWith(value, ["path", "op", "value"], pointer, report);
  if (fields === null) return;
  checkPath(own(fields, "path"), at(pointer, "path"), report);
  const op = own(fields, "op");
  if (isOneOf(op, OPERATORS, at(pointer, "op"), report)) {
    checkValue(op as Operator, own(fields, "value"), at(pointer, "value"), report, regexes);
  }
}

/** Whether it is a path; tells what is wrong with it. */
export function checkPath(value: Json | undefined, pointer: string, report: Report): value is string {
  if (!isText(value, "name", limits.pathChars, pointer, report)) return false;
  const parsed = parsePath(value);
  if ("problem" in parsed) report.problem(pointer, parsed.problem);
  return "steps" in parsed;
}

function checkValue(
  op: Operator,
  value: Json | undefined,
  pointer: string,
  report: Report,
  regexes: Regexes,
): void {
  if (op === "exists") {
    if (value !== undefined && typeof value !== "boolean") report.problem(pointer, "must be true or false");
    return;
  }
  if (value === undefined) {
    report.problem(pointer, "is missing");
  } else if (isNumeric(op)) {
    if (typeof value !== "number") report.problem(pointer, `must be a number for ${op}`);
  } else if (op === "in" || op === "not_in") {
    if (!Array.isArray(value)) report.problem(pointer, `must be a list for ${op}`);
    else if (value.length === 0) {
      report.warning(pointer, op === "in" ? "nothing is in an empty list" : "whatever is there passes");
    }
  } else if (op === "regex") {
    const compiled = typeof value === "string" ? regexes.compile(value) : "must be a text for regex";
    if (typeof compiled === "string") report.problem(pointer, compiled);
  }
}
