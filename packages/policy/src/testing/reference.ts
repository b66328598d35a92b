import { RE2JS } from "re2js";
import type { Counters, Decision, Json, Limit, PolicyCall, Predicate, Reservation, Rule } from "../types.ts";

/**
 * The same decisions, read off the document each time and without a thought for speed, sharing nothing with the engine but
 * the types: what the engine is compared with.
 */

type Loose = { [key: string]: Json };
type Kind = "require" | "deny_if" | "approve_if";
const MISSING = Symbol("missing");

export function referenceDecide(
  document: Json,
  call: PolicyCall,
  counters: Counters,
  nowMs: number,
): Decision {
  const policy = document as Loose;
  const hide = (get(policy, "hide") ?? []) as string[];
  const deny = (rule: string, message: string | null = null): Decision => {
    return { outcome: "deny", rule, message, reservations: [] };
  };
  if (hide.some((name) => name === "*" || name === call.tool)) return deny("(hidden)");
  const listed = get((get(policy, "tools") ?? {}) as Loose, call.tool) as Loose | undefined;
  if (policy.default === "deny" && listed === undefined) return deny("(default deny)");
  const tool = listed ?? {};
  const prefix = `/tools/${pointer(call.tool)}`;
  const rules = (kind: Kind) => (get(tool, kind) ?? []) as unknown as Rule[];

  for (const rule of rules("require")) {
    for (const predicate of rule.conditions) {
      if (!holds(predicate, call.args, "require")) {
        return deny(`${prefix}/require/${nameOf(predicate)}`, rule.on_deny ?? null);
      }
    }
  }
  if (tool.action === "deny") return deny(`${prefix}/deny_if/0`, (tool.reason as string) ?? null);
  const denied = firstThatHolds(rules("deny_if"), call.args, `${prefix}/deny_if`, "deny_if");
  if (denied !== null) return deny(denied.rule, denied.message);
  if (call.tool_state === "changed") return deny("(tool changed)");

  const reservations: Reservation[] = [];
  for (const { limit, rule } of limitsOf(policy, tool, call.tool)) {
    const cost = costOf(limit, call.args);
    if (cost === null) return deny(rule, limit.on_deny ?? `${limit.cost} must be a whole number, 0 or more`);
    reservations.push(reservationOf(limit, rule, cost, call, nowMs));
  }
  for (const wanted of reservations) {
    if (counters(wanted) + wanted.cost > wanted.max) {
      const seconds = (wanted.windowEndMs - nowMs) / 1000;
      const retryAfterS = seconds < 1 ? 1 : Math.ceil(seconds);
      return { outcome: "limit", rule: wanted.rule, message: wanted.message, reservations: [], retryAfterS };
    }
  }
  const asks =
    tool.action === "require_approval"
      ? { rule: `${prefix}/approve_if/0`, message: (tool.reason as string) ?? null }
      : firstThatHolds(rules("approve_if"), call.args, `${prefix}/approve_if`, "approve_if");
  if (asks !== null) return { outcome: "hold", ...asks, reservations };
  return { outcome: "allow", rule: "", message: null, reservations };
}

function firstThatHolds(rules: Rule[], args: Json, prefix: string, kind: Kind) {
  for (const [index, rule] of rules.entries()) {
    if (!rule.conditions.every((predicate) => holds(predicate, args, kind))) continue;
    const name = rule.conditions.length === 0 ? String(index) : nameOf(rule.conditions[0]!);
    return { rule: `${prefix}/${name}`, message: rule.on_deny ?? null };
  }
  return null;
}

function limitsOf(policy: Loose, tool: Loose, name: string) {
  const own = ((get(tool, "limits") ?? []) as unknown as Limit[]).map((limit) => {
    return { limit, rule: `/tools/${pointer(name)}/limits/${pointer(limit.counter)}` };
  });
  const rate = get(tool, "rate_limit") as Loose | undefined;
  if (rate !== undefined) {
    const says = tool.action === "deny" || tool.action === "require_approval" ? {} : { on_deny: tool.reason };
    const counter = `rate_limit:${name}`;
    const limit = {
      counter,
      window: rate.window,
      max: rate.max,
      scope: "session",
      ...says,
    } as unknown as Limit;
    own.push({ limit, rule: `/tools/${pointer(name)}/limits/${pointer(counter)}` });
  }
  const all = (get((get(policy, "all_tools") ?? {}) as Loose, "limits") ?? []) as unknown as Limit[];
  return [...own, ...all.map((limit) => ({ limit, rule: `/all_tools/limits/${pointer(limit.counter)}` }))];
}

function costOf(limit: Limit, args: Json): number | null {
  if (limit.cost === undefined) return 1;
  let here: Json | typeof MISSING = args;
  for (const step of stepsOf(limit.cost)) here = enter(here, step);
  if (typeof here !== "number" || here < 0 || here > Number.MAX_SAFE_INTEGER || here % 1 !== 0) return null;
  return Math.abs(here);
}

function reservationOf(
  limit: Limit,
  rule: string,
  cost: number,
  call: PolicyCall,
  nowMs: number,
): Reservation {
  const seconds: number =
    { minute: 60, hour: 60 * 60, day: 24 * 60 * 60 }[limit.window as string] ?? Number(limit.window);
  const past = nowMs % (seconds * 1000);
  const owner = {
    grant: `grant:${inKey(call.grantId)}`,
    session:
      call.sessionId === null
        ? `grant:${inKey(call.grantId)}`
        : `session:${inKey(call.grantId)}:${inKey(call.sessionId)}`,
    server: `server:${inKey(call.serverId)}`,
  }[limit.scope];
  const window = typeof limit.window === "number" ? `${limit.window}s` : limit.window;
  return {
    key: `${owner}/${pointer(limit.counter)}/${window}`,
    counter: limit.counter,
    windowStartMs: nowMs - past,
    windowEndMs: nowMs - past + seconds * 1000,
    cost,
    max: limit.max,
    rule,
    message: limit.on_deny ?? null,
  };
}

function holds(predicate: Predicate, args: Json, kind: Kind): boolean {
  return atEnd(args, stepsOf(predicate.path));
  function atEnd(here: Json | typeof MISSING, steps: Steps): boolean {
    if (steps.length === 0) return compare(predicate, here, kind);
    const [step, ...rest] = steps as [Steps[number], ...Steps];
    if (step !== "*") return atEnd(enter(here, step), rest);
    if (here === MISSING || here === null) return compare(predicate, MISSING, kind);
    if (!Array.isArray(here)) return kind !== "require";
    if (here.length === 0) return compare(predicate, MISSING, kind);
    const each = here.map((element) => atEnd(element, rest));
    return kind === "require" ? !each.includes(false) : each.includes(true);
  }
}

function compare({ op, value = null }: Predicate, given: Json | typeof MISSING, kind: Kind): boolean {
  if (op === "exists") return (given !== MISSING && given !== null) === (value ?? true);
  if (given === MISSING) return false;
  const wrongType = kind !== "require";
  if (op === "regex") {
    if (typeof given !== "string") return wrongType;
    return RE2JS.compile(value as string)
      .matcher(given)
      .find();
  }
  if (op === "lt" || op === "lte" || op === "gt" || op === "gte") {
    if (typeof given !== "number") return wrongType;
    const limit = value as number;
    if (given === limit) return op === "lte" || op === "gte";
    return given < limit ? op === "lt" || op === "lte" : op === "gt" || op === "gte";
  }
  if (op === "eq") return canonical(given) === canonical(value);
  if (op === "neq") return sameType(given, value) && canonical(given) !== canonical(value);
  if (op === "contains") {
    if (Array.isArray(given)) return given.map(canonical).includes(canonical(value));
    return typeof given === "string" && typeof value === "string" && given.indexOf(value) !== -1;
  }
  const list = value as Json[];
  const isIn = list.map(canonical).includes(canonical(given));
  if (op === "in") return isIn;
  return !isIn && (list.length === 0 || list.some((one) => sameType(given, one)));
}

function sameType(given: Json, value: Json): boolean {
  const type = (one: Json) => (one === null ? "null" : Array.isArray(one) ? "list" : typeof one);
  return value === null || type(given) === type(value);
}

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value === 0 ? 0 : value);
  const fields = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`);
  return `{${fields.sort().join()}}`;
}

/** `*`, a name between dots, or a key in brackets. */
type Steps = ("*" | { key: string; bare: boolean })[];

function stepsOf(path: string): Steps {
  const found = path.slice("args".length).matchAll(/\.([^.[\]"]+)|\[("(?:\\.|[^"\\])*")\]/g);
  return [...found].map(([, bare, quoted]) => {
    if (bare === "*") return "*";
    return bare === undefined ? { key: JSON.parse(quoted!), bare: false } : { key: bare, bare: true };
  });
}

function enter(here: Json | typeof MISSING, step: Steps[number]): Json | typeof MISSING {
  if (step === "*" || typeof here !== "object" || here === null) return MISSING;
  if (!Array.isArray(here)) return get(here as Loose, step.key) ?? (has(here, step.key) ? null : MISSING);
  for (let index = 0; index < here.length; index++)
    if (step.bare && String(index) === step.key) return here[index]!;
  return MISSING;
}

function has(here: object, key: string): boolean {
  return Object.getOwnPropertyNames(here).includes(key);
}
function get(here: Loose, key: string): Json | undefined {
  return has(here, key) ? here[key] : undefined;
}
function nameOf({ path, op }: Predicate): string {
  return pointer(`${path}-${op}`);
}
function pointer(text: string): string {
  return text.split("~").join("~0").split("/").join("~1");
}
function inKey(id: string): string {
  return pointer(id).split(":").join("~2");
}
