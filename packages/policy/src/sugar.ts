import type { Limit, PolicyDocument, Rule, ToolPolicy, WindowName } from "./types.ts";

/** A limit whose window is a length: calendar windows in UTC and windows of seconds alike begin at multiples of it. */
export interface PlainLimit extends Omit<Limit, "window"> {
  /** How the window is called in a counter's key: `minute`, `hour`, `day`, or `90s`. */
  readonly window: string;
  readonly windowMs: number;
}

/** A tool's rules without sugar. */
export interface PlainTool {
  readonly require: readonly Rule[];
  readonly deny_if: readonly Rule[];
  readonly approve_if: readonly Rule[];
  readonly limits: readonly PlainLimit[];
}

const WINDOW_MS: Record<WindowName, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

function plainLimit(limit: Limit): PlainLimit {
  return { ...limit, windowMs: WINDOW_MS[limit.window] };
}

/** The counter that a tool's `rate_limit` counts on. */
export function rateCounter(tool: string): string {
  return `rate_limit:${tool}`;
}

export function allToolsLimits(document: PolicyDocument): readonly PlainLimit[] {
  return (document.all_tools?.limits ?? []).map(plainLimit);
}

/**
 * What a tool's sugar stands for: `action: "deny"` is a first `deny_if` without conditions, `"require_approval"` a first
 * `approve_if` without conditions, each telling the `reason`; `"allow"` is nothing. `rate_limit` is a last limit of scope
 * `session`, and tells the `reason` when no action does.
 */
export function withoutSugar(name: string, tool: ToolPolicy): PlainTool {
  const always: Rule = { conditions: [], ...(tool.reason === undefined ? {} : { on_deny: tool.reason }) };
  const speaks = tool.action === "deny" || tool.action === "require_approval";
  const denyIf = tool.deny_if ?? [];
  const approveIf = tool.approve_if ?? [];
  const limits = (tool.limits ?? []).map(plainLimit);
  if (tool.rate_limit !== undefined) {
    limits.push({
      counter: rateCounter(name),
      window: `${tool.rate_limit.window}s`,
      windowMs: tool.rate_limit.window * 1000,
      max: tool.rate_limit.max,
      scope: "session",
      ...(speaks || tool.reason === undefined ? {} : { on_deny: tool.reason }),
    });
  }
  return {
    require: tool.require ?? [],
    deny_if: tool.action === "deny" ? [always, ...denyIf] : denyIf,
    approve_if: tool.action === "require_approval" ? [always, ...approveIf] : approveIf,
    limits,
  };
}
