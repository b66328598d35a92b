import { limits } from "../limits.ts";
import { parsePath } from "../paths.ts";
import { rateCounter } from "../sugar.ts";
import { type Json, SCOPES, WINDOWS } from "../types.ts";
import { checkPath } from "./predicates.ts";
import { at, isOneOf, isText, isWhole, listOf, objectWith, own, type Report } from "./report.ts";

const KEYS = ["counter", "window", "max", "scope", "cost", "on_deny"];

/**
 * Checks the limits of one tool, or of all tools together, and that no counter is named twice among what one call touches:
 * `taken` has the counters of before, and is given these.
 */
export function checkLimits(
  value: Json | undefined,
  allTools: boolean,
  taken: Set<string>,
  pointer: string,
  report: Report,
): void {
  listOf(value, limits.limitsPerList, pointer, report).forEach((limit, index) => {
    const here = at(pointer, index);
    const fields = objectWith(limit, KEYS, here, report);
    if (fields === null) return;
    const counter = own(fields, "counter");
    if (isText(counter, "name", limits.counterChars, at(here, "counter"), report)) {
      takeCounter(counter, taken, at(here, "counter"), report);
    }
    isOneOf(own(fields, "window"), WINDOWS, at(here, "window"), report);
    isWhole(own(fields, "max"), Number.MAX_SAFE_INTEGER, at(here, "max"), report);
    isOneOf(own(fields, "scope"), SCOPES, at(here, "scope"), report);
    const cost = own(fields, "cost");
    if (cost !== undefined) checkCost(cost, allTools, at(here, "cost"), report);
    const onDeny = own(fields, "on_deny");
    if (onDeny !== undefined) isText(onDeny, "text", limits.messageChars, at(here, "on_deny"), report);
  });
}

/** Checks `rate_limit`, whose counter is named after the tool. */
export function checkRateLimit(
  tool: string,
  value: Json,
  taken: Set<string>,
  pointer: string,
  report: Report,
): void {
  const fields = objectWith(value, ["max", "window"], pointer, report);
  if (fields === null) return;
  isWhole(own(fields, "max"), Number.MAX_SAFE_INTEGER, at(pointer, "max"), report);
  isWhole(own(fields, "window"), limits.rateWindowS, at(pointer, "window"), report);
  takeCounter(rateCounter(tool), taken, pointer, report);
}

function takeCounter(counter: string, taken: Set<string>, pointer: string, report: Report): void {
  if (taken.has(counter)) {
    report.problem(pointer, `the counter ${JSON.stringify(counter)} is named twice for one call`);
  }
  taken.add(counter);
}

function checkCost(value: Json, allTools: boolean, pointer: string, report: Report): void {
  if (allTools) {
    report.problem(pointer, "all_tools has no cost: tools have different arguments");
    return;
  }
  if (!checkPath(value, pointer, report)) return;
  const parsed = parsePath(value);
  if ("steps" in parsed && parsed.steps.some((step) => step.every)) {
    report.problem(pointer, "must name one value: no *");
  }
}
