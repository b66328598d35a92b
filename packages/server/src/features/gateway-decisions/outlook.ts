import {
  type CompiledPolicy,
  compile,
  emptyRule,
  type Judgement,
  limitRule,
  type PolicyCall,
  type PolicyDocument,
  type Predicate,
  parsePath,
  predicateRule,
  type Rule,
  type ToolPolicy,
} from "@ambit/policy";
import { limits } from "./limits.ts";

/** A call of which the names of arguments are known and the values are not. */
export interface NamedCall extends Omit<PolicyCall, "args"> {
  /** Top-level names; null: not even those. */
  readonly argumentKeys: readonly string[] | null;
}

/** What a policy says of calls whose values nobody knows. */
export interface Outlook {
  /** What the policy says whatever the values are; null when it depends on them. Pure. */
  judge(call: NamedCall, nowMs: number): Judgement | null;
}

type Denial = Extract<Judgement, { outcome: "deny" }>;
/** Whether something holds; null: it depends on values. */
type Known = boolean | null;

/** The policy without everything that reads arguments: what it denies is denied, what it reserves is reserved. */
function withoutValues(document: PolicyDocument): PolicyDocument {
  const tools = Object.entries(document.tools ?? {}).map(([name, { limits: all, rate_limit }]) => {
    const fixed = all?.filter(({ cost }) => cost === undefined);
    return [name, { ...(fixed ? { limits: fixed } : {}), ...(rate_limit ? { rate_limit } : {}) }] as const;
  });
  return { ...document, ...(document.tools ? { tools: Object.fromEntries(tools) } : {}) };
}

export function createOutlook({ document }: Pick<CompiledPolicy, "document">): Outlook {
  const bare = compile(withoutValues(document));
  return {
    judge({ argumentKeys, ...call }, nowMs) {
      const unasked = bare.judge({ ...call, args: {} }, nowMs);
      if (unasked.outcome === "deny" || !Object.hasOwn(document.tools ?? {}, call.tool)) return unasked;
      const tool = document.tools![call.tool]!;
      const keys = namesOf(argumentKeys);
      const denied = denialOf(call.tool, tool, keys);
      if (denied !== undefined) return denied;
      const asks = firstOf(
        call.tool,
        "approve_if",
        withSugar(tool, "require_approval", tool.approve_if),
        keys,
      );
      if (asks === undefined) return unasked;
      return asks === null ? null : { ...unasked, ...asks, outcome: "hold" };
    },
  };
}

/** The names there are, and whether no others can be there; null: nothing is known. */
interface Names {
  readonly there: ReadonlySet<string>;
  readonly areAll: boolean;
}

function namesOf(keys: readonly string[] | null): Names {
  if (keys === null) return { there: new Set(), areAll: false };
  const areWhole = keys.every((key) => !key.endsWith("…") && !key.includes("\ufffd"));
  return { there: new Set(keys), areAll: areWhole && keys.length < limits.argumentKeys };
}

const withSugar = (tool: ToolPolicy, action: string, rules: readonly Rule[] = []): readonly Rule[] =>
  tool.action === action ? [{ conditions: [], on_deny: tool.reason }, ...rules] : rules;

/** The denial that comes whatever the values are; null when one may come, undefined when none can. */
function denialOf(name: string, tool: ToolPolicy, keys: Names): Denial | null | undefined {
  const unmet = firstUnmet(name, tool, keys);
  if (unmet) return unmet;
  const matched = firstOf(name, "deny_if", withSugar(tool, "deny", tool.deny_if), keys);
  if (matched) return { outcome: "deny", ...matched };
  const uncounted = firstUncounted(name, tool, keys);
  if (uncounted) return uncounted;
  return unmet === null || matched === null || uncounted === null ? null : undefined;
}

function firstUnmet(name: string, tool: ToolPolicy, keys: Names): Denial | null | undefined {
  let depends = false;
  for (const { conditions, on_deny } of tool.require ?? []) {
    for (const predicate of conditions) {
      const holds = known(predicate, keys, false);
      if (holds === false)
        return { outcome: "deny", rule: predicateRule(name, "require", predicate), message: on_deny ?? null };
      depends ||= holds === null;
    }
  }
  return depends ? null : undefined;
}

/** The first rule that holds for certain; null when none does and one may, undefined when none can. */
function firstOf(
  name: string,
  list: "deny_if" | "approve_if",
  rules: readonly Rule[],
  keys: Names,
): { rule: string; message: string | null } | null | undefined {
  let depends = false;
  for (const [index, { conditions, on_deny }] of rules.entries()) {
    const held = conditions.map((predicate) => known(predicate, keys, true));
    if (held.includes(false)) continue;
    if (held.includes(null)) {
      depends = true;
      continue;
    }
    const [first] = conditions;
    const rule = first === undefined ? emptyRule(name, list, index) : predicateRule(name, list, first);
    return { rule, message: on_deny ?? null };
  }
  return depends ? null : undefined;
}

/** A limit whose cost is missing denies; one whose cost is there may do anything. */
function firstUncounted(name: string, tool: ToolPolicy, keys: Names): Denial | null | undefined {
  let depends = false;
  for (const { cost, counter, on_deny } of tool.limits ?? []) {
    if (cost === undefined) continue;
    const isThere = known({ path: cost, op: "exists" }, keys, true);
    if (isThere === false)
      return { outcome: "deny", rule: limitRule(name, counter), message: on_deny ?? null };
    depends = true;
  }
  return depends ? null : undefined;
}

/** Whether a predicate holds, as far as names tell; `matching` where holding stops the call. */
function known({ path, op, value }: Predicate, { there, areAll }: Names, matching: boolean): Known {
  const parsed = parsePath(path);
  if ("problem" in parsed) return null;
  const [first] = parsed.steps;
  const wantsAbsence = op === "exists" && value === false;
  // Arguments are an object: there always, and no list, which stops the call.
  if (first === undefined) return op === "exists" ? !wantsAbsence : null;
  if (first.every) return matching;
  if (there.has(first.key) || !areAll) return null;
  return wantsAbsence;
}
