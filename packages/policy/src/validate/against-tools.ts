import { isNumeric, typeOf } from "../operators.ts";
import { parsePath } from "../paths.ts";
import type { Json, Predicate, Rule, ToolDefinition, ToolPolicy } from "../types.ts";
import { at, isObject, own, type Report } from "./report.ts";
import { type Argument, findArgument } from "./schema.ts";

type List = "require" | "deny_if" | "approve_if";

/** Warns of what the valid parts of a document say that means nothing, or less than it seems to, for the tools there are. */
export function checkAgainstTools(value: Json, tools: readonly ToolDefinition[], report: Report): void {
  if (!isObject(value)) return;
  const known = new Map(tools.map((tool) => [tool.name, tool]));
  const hidden = report.isFine("/hide") ? ((own(value, "hide") ?? []) as readonly string[]) : [];
  for (const [index, name] of hidden.entries()) {
    if (name !== "*" && !known.has(name)) {
      report.warning(at("/hide", index), "the server has no such tool: this is inert");
    }
  }
  const listed = own(value, "tools");
  for (const [name, policy] of Object.entries(isObject(listed) ? listed : {})) {
    const pointer = at("/tools", name);
    const tool = known.get(name);
    if (tool === undefined) {
      report.warning(pointer, "the server has no such tool: its rules are inert");
    } else if (isObject(tool.inputSchema) && report.isFine(pointer)) {
      checkArguments(policy as ToolPolicy, tool.inputSchema, pointer, report);
    }
  }
}

function checkArguments(policy: ToolPolicy, schema: Json, pointer: string, report: Report): void {
  const watched = watchedPaths(policy);
  for (const list of ["require", "deny_if", "approve_if"] as const) {
    for (const [nth, rule] of (policy[list] ?? []).entries()) {
      for (const [place, predicate] of rule.conditions.entries()) {
        const here = at(pointer, list, nth, "conditions", place);
        checkPredicate(list, predicate, schema, watched, here, report);
      }
    }
  }
  for (const [nth, limit] of (policy.limits ?? []).entries()) {
    const argument = limit.cost === undefined ? null : argumentAt(schema, limit.cost);
    const here = at(pointer, "limits", nth, "cost");
    if (argument?.state === "absent") {
      report.warning(here, "the tool declares no such argument: calls without it are denied");
    } else if (argument?.optional) {
      report.warning(here, "the argument is optional: calls without it are denied");
    }
  }
}

function checkPredicate(
  list: List,
  predicate: Predicate,
  schema: Json,
  watched: ReadonlySet<string>,
  pointer: string,
  report: Report,
): void {
  const argument = argumentAt(schema, predicate.path);
  const stops = list !== "require";
  if (argument.state === "absent") {
    const result = stops || isAbsence(predicate) ? "this is inert" : "calls without it are denied";
    report.warning(at(pointer, "path"), `the tool declares no such argument: ${result}`);
    return;
  }
  if (stops && predicate.op !== "exists" && argument.optional && !watched.has(predicate.path)) {
    report.warning(
      at(pointer, "path"),
      "the argument is optional, and this is false without it: say with exists what is meant then",
    );
  }
  const doubt = typeDoubt(predicate, argument, stops);
  if (doubt !== null) report.warning(at(pointer, "value"), doubt);
}

/** Paths about whose absence the author has said something: with `exists` anywhere, or by requiring anything of them. */
function watchedPaths(policy: ToolPolicy): ReadonlySet<string> {
  const of = (rules: readonly Rule[] | undefined) => (rules ?? []).flatMap((rule) => rule.conditions);
  const required = of(policy.require).filter((predicate) => !isAbsence(predicate));
  const asked = [...of(policy.require), ...of(policy.deny_if), ...of(policy.approve_if)];
  const exists = asked.filter((predicate) => predicate.op === "exists");
  return new Set([...required, ...exists].map((predicate) => predicate.path));
}

function isAbsence(predicate: Predicate): boolean {
  return predicate.op === "exists" && predicate.value === false;
}

function argumentAt(schema: Json, path: string): Argument {
  const parsed = parsePath(path);
  if ("problem" in parsed) return { state: "unknown", optional: false, type: null };
  return findArgument(schema, parsed.steps);
}

/** What to tell of an operator and a value that do not go with the argument's declared type; null when they do. */
function typeDoubt(predicate: Predicate, argument: Argument, stops: boolean): string | null {
  const { op, value } = predicate;
  const declared = argument.type === "integer" ? "number" : argument.type;
  if (isNumeric(op) || op === "regex") {
    const wanted = op === "regex" ? "string" : "number";
    if (declared === null || declared === wanted) return null;
    return `the argument is declared as ${declared}: ${stops ? "any value counts as a match" : "this never holds"}`;
  }
  if (!stops || (op !== "neq" && op !== "not_in")) return null;
  const values = op === "neq" ? [value ?? null] : (value as readonly Json[]);
  if (values.some((one) => one === null || typeOf(one) === (declared === "array" ? "list" : declared)))
    return null;
  return `false for values of other types, which pass: require ${op === "neq" ? "eq" : "in"} to allow only what is meant`;
}
