/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export const OPERATORS = [
  "eq",
  "neq",
  "lt",
  "lte",
  "gt",
  "gte",
  "in",
  "not_in",
  "exists",
  "regex",
  "contains",
] as const;
export type Operator = (typeof OPERATORS)[number];
export const WINDOWS = ["minute", "hour", "day"] as const;
export type WindowName = (typeof WINDOWS)[number];
export const SCOPES = ["grant", "session", "server"] as const;
export type Scope = (typeof SCOPES)[number];

export interface Predicate {
  /** `args.a.b`, `args.items.0`, `args.items.*.url`, `args["a.b"]` */
  readonly path: string;
  readonly op: Operator;
  readonly value?: Json;
}

export interface Rule {
  /** All must hold. */
  readonly conditions: readonly Predicate[];
  readonly on_deny?: string;
}

export interface Limit {
  readonly counter: string;
  readonly window: WindowName;
  /** Inclusive; at least 1. */
  readonly max: number;
  readonly scope: Scope;
  /** Path of the argument that says what a call costs; default 1. */
  readonly cost?: string;
  readonly on_deny?: string;
}

export interface ToolPolicy {
  readonly require?: readonly Rule[];
  readonly deny_if?: readonly Rule[];
  /** Ours: any rule that holds asks a person. */
  readonly approve_if?: readonly Rule[];
  readonly limits?: readonly Limit[];
  /** Sugar. */
  readonly action?: "allow" | "deny" | "require_approval";
  readonly reason?: string;
  readonly rate_limit?: { readonly max: number; readonly window: number };
}

/** A policy document as it is written. */
export interface PolicyDocument {
  readonly version: "1";
  readonly default: "deny" | "allow";
  readonly hide?: readonly string[];
  readonly all_tools?: { readonly limits?: readonly Limit[] };
  readonly tools?: { readonly [tool: string]: ToolPolicy };
}

/** What is wrong, or doubtful, at one place of a document. */
export interface Problem {
  /** JSON pointer (RFC 6901) into the document; "" is the whole. */
  readonly pointer: string;
  readonly message: string;
}

export interface Validation {
  readonly valid: boolean;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** A tool as `tools/list` has it; the rest of its fields are kept. */
export interface ToolDefinition {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema?: JsonObject;
  readonly annotations?: {
    readonly title?: string;
    readonly readOnlyHint?: boolean;
    readonly destructiveHint?: boolean;
    readonly idempotentHint?: boolean;
    readonly openWorldHint?: boolean;
  };
}

/** One call of a tool, as the engine sees it. */
export interface PolicyCall {
  readonly tool: string;
  /** What the call gives as arguments, as it was parsed; `{}` when it gives none. */
  readonly args: JsonObject;
  readonly grantId: string;
  /** Null where the protocol has no session: then the grant is counted. */
  readonly sessionId: string | null;
  readonly serverId: string;
  /** Whether the tool is still what was approved. */
  readonly tool_state: "approved" | "changed";
}

/** What a call wants of one counter. */
export interface Reservation {
  /**
   * Names the counter: scope, whose it is, its name and its window's length, e.g. `grant:<id>/spend/day`. Two tools that
   * name the same counter share it.
   */
  readonly key: string;
  readonly counter: string;
  /** The window the call falls in, in milliseconds since the epoch, UTC; the end is the next one's start. */
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  readonly cost: number;
  /** The counter with this cost may be this at most. */
  readonly max: number;
  /** What is answered when there is no room. */
  readonly rule: string;
  readonly message: string | null;
}

export type Outcome = "allow" | "deny" | "limit" | "hold";

export interface Decision {
  readonly outcome: Outcome;
  /** The rule string of the decision log; empty for allow. */
  readonly rule: string;
  /** What the agent is told; null when the rule says nothing. */
  readonly message: string | null;
  /** For allow and hold: what was reserved. Empty for deny and limit. */
  readonly reservations: readonly Reservation[];
  /** For limit: in how many whole seconds, at least 1, the window that was full ends. */
  readonly retryAfterS?: number;
}

/** What can be said of a call without knowing any counter. */
export type Judgement =
  | { readonly outcome: "deny"; readonly rule: string; readonly message: string | null }
  | {
      /** What holds once all reservations are made; with none of them refused. */
      readonly outcome: "allow" | "hold";
      readonly rule: string;
      readonly message: string | null;
      /** All or none, in the order in which a refusal is named. */
      readonly reservations: readonly Reservation[];
    };

/** How much of a counter is used, by a reservation's key and window. */
export type Counters = (reservation: Reservation) => number;

/** A document made ready; holds nothing that changes. */
export interface CompiledPolicy {
  readonly document: PolicyDocument;
  /** Pure. Costs microseconds. `nowMs` is milliseconds since the epoch. */
  judge(call: PolicyCall, nowMs: number): Judgement;
  /** Whether `tools/list` may show a tool of this name: not hidden, and allowed at all. Pure. */
  lists(tool: string): boolean;
}
