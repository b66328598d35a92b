import type { ToolDefinition } from "../types.ts";

/** What a tool does, from harmless to grave; `financial` and `destructive` are equally grave. */
export const TOOL_CLASSES = ["read", "write", "execute", "financial", "destructive"] as const;
export type ToolClass = (typeof TOOL_CLASSES)[number];
export type RiskLevel = "low" | "medium" | "high" | "critical";

/** Why a tool has its class: where it says so, and in which words. */
export interface Evidence {
  readonly source: "name" | "description" | "annotation" | "schema";
  readonly text: string;
}

export const SIGNAL_KINDS = [
  /** Takes code, a command or a query that is run as it is. */
  "code_input",
  /** Takes raw HTML or a template. */
  "html_input",
  /** Takes a URL or an endpoint. */
  "url_input",
  /** Takes more parameters than anyone looks at. */
  "many_parameters",
  /** Text of the tool talks to the model where it should describe the tool, or hides something from people. */
  "instructions",
] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

/** Something about a tool that deserves a look, whatever its class. */
export interface Signal {
  readonly kind: SignalKind;
  /** JSON pointer (RFC 6901) into the tool's definition. */
  readonly pointer: string;
  readonly why: string;
}

/** One action of a tool that has several. */
export interface ClassifiedAction {
  readonly action: string;
  readonly class: ToolClass;
  readonly risk: RiskLevel;
  readonly evidence: readonly Evidence[];
}

/** A tool as the catalogue sees it. */
export interface Classification {
  readonly name: string;
  readonly class: ToolClass;
  readonly risk: RiskLevel;
  readonly evidence: readonly Evidence[];
  readonly signals: readonly Signal[];
  /** For a tool with several actions: the tool's class is that of the worst. */
  readonly actions?: readonly ClassifiedAction[];
  /** The argument that says which action; absent when it is not one of the tool's own arguments but deeper. */
  readonly action_field?: string;
  /** What the tool's annotations claim and its name, description or schema contradict. */
  readonly annotation_mismatch?: string;
}

export type { ToolDefinition };

const RISKS: Readonly<Record<ToolClass, RiskLevel>> = {
  read: "low",
  write: "medium",
  execute: "high",
  financial: "critical",
  destructive: "critical",
};

export const riskOf = (of: ToolClass): RiskLevel => RISKS[of];

/** The graver of the two. */
export const worse = (a: ToolClass, b: ToolClass): ToolClass =>
  TOOL_CLASSES.indexOf(a) >= TOOL_CLASSES.indexOf(b) ? a : b;
