import { type CompiledLimit, compileLimit } from "./counters.ts";
import { PolicyInvalid } from "./errors.ts";
import type { Regexes } from "./regexes.ts";
import { RULES } from "./rule-strings.ts";
import { compileMatch, compileRequire, type Finding } from "./rules.ts";
import { allToolsLimits, withoutSugar } from "./sugar.ts";
import type {
  CompiledPolicy,
  JsonObject,
  Judgement,
  PolicyCall,
  PolicyDocument,
  Reservation,
  ToolPolicy,
} from "./types.ts";
import { inspect } from "./validate/inspect.ts";

type Denial = Extract<Judgement, { outcome: "deny" }>;

interface CompiledTool {
  /** `require`, then `deny_if`. */
  denies(args: JsonObject): Denial | null;
  asks(args: JsonObject): Finding | null;
  /** The tool's, then those of all tools. */
  readonly limits: readonly CompiledLimit[];
}

const HIDDEN = Object.freeze(denial({ rule: RULES.hidden, message: null }));
const DEFAULT_DENY = Object.freeze(denial({ rule: RULES.defaultDeny, message: null }));
const TOOL_CHANGED = Object.freeze(denial({ rule: RULES.toolChanged, message: null }));
const NOTHING_RESERVED: readonly Reservation[] = Object.freeze([]);
const ALLOW: Judgement = Object.freeze({
  outcome: "allow",
  rule: "",
  message: null,
  reservations: NOTHING_RESERVED,
});

/**
 * Makes a document ready: whatever can be worked out before a call comes is. Takes a document, or `{text}` with its JSON.
 * Throws {@link PolicyInvalid} with all problems. Later changes to the given object change nothing.
 */
export function compile(document: unknown): CompiledPolicy {
  const inspected = inspect(document);
  if (inspected.document === null) throw new PolicyInvalid(inspected.validation.problems);
  return compileValid(inspected.document, inspected.regexes);
}

function compileValid(document: PolicyDocument, regexes: Regexes): CompiledPolicy {
  const hidden = new Set(document.hide ?? []);
  const hidesAll = hidden.has("*");
  const allowsUnlisted = document.default === "allow";
  const common = allToolsLimits(document).map((limit) => compileLimit(null, limit));
  const unlisted: CompiledTool = { denies: () => null, asks: () => null, limits: common };
  // A map, so that a tool called `constructor` is found only when the document lists it.
  const tools = new Map<string, CompiledTool>();
  for (const [name, tool] of Object.entries(document.tools ?? {})) {
    tools.set(name, compileTool(name, tool, common, regexes));
  }
  return Object.freeze({
    document,
    judge(call: PolicyCall, nowMs: number): Judgement {
      if (hidesAll || hidden.has(call.tool)) return HIDDEN;
      const tool = tools.get(call.tool) ?? (allowsUnlisted ? unlisted : undefined);
      if (tool === undefined) return DEFAULT_DENY;
      const denied = tool.denies(call.args);
      if (denied !== null) return denied;
      if (call.tool_state !== "approved") return TOOL_CHANGED;
      const reservations = reserve(tool.limits, call, nowMs);
      if ("outcome" in reservations) return reservations;
      const asks = tool.asks(call.args);
      if (asks !== null) return { outcome: "hold", rule: asks.rule, message: asks.message, reservations };
      return reservations.length === 0 ? ALLOW : { outcome: "allow", rule: "", message: null, reservations };
    },
    lists(name: string): boolean {
      return !hidesAll && !hidden.has(name) && (allowsUnlisted || tools.has(name));
    },
  });
}

function compileTool(
  name: string,
  policy: ToolPolicy,
  common: readonly CompiledLimit[],
  regexes: Regexes,
): CompiledTool {
  const plain = withoutSugar(name, policy);
  const unmet = compileRequire(name, plain.require, regexes);
  const matched = compileMatch(name, "deny_if", plain.deny_if, regexes);
  return {
    denies(args) {
      const finding = unmet(args) ?? matched(args);
      return finding === null ? null : denial(finding);
    },
    asks: compileMatch(name, "approve_if", plain.approve_if, regexes),
    limits: [...plain.limits.map((limit) => compileLimit(name, limit)), ...common],
  };
}

function reserve(
  limits: readonly CompiledLimit[],
  call: PolicyCall,
  nowMs: number,
): readonly Reservation[] | Denial {
  if (limits.length === 0) return NOTHING_RESERVED;
  const reservations: Reservation[] = [];
  for (const limit of limits) {
    const wanted = limit.reserve(call, nowMs);
    if ("outcome" in wanted) return wanted;
    reservations.push(wanted);
  }
  return reservations;
}

function denial(finding: Finding): Denial {
  return { outcome: "deny", rule: finding.rule, message: finding.message };
}
