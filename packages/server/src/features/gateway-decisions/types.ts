import type { JsonObject } from "@ambit/policy";

export const DECISION_OUTCOMES = ["allow", "deny", "limit", "hold", "error", "replay"] as const;
export type DecisionOutcome = (typeof DECISION_OUTCOMES)[number];

/** One line of the decision log: one authenticated request. */
export interface DecisionRecord {
  readonly organizationId: string;
  readonly requestId: string;
  readonly grantId: string;
  readonly serverId: string;
  /** JSON-RPC method; null for what could not be read, `(response)` for an answer to a request of the server's. */
  readonly method: string | null;
  readonly tool: string | null;
  readonly policyId: string | null;
  readonly policyVersion: number | null;
  readonly outcome: DecisionOutcome;
  readonly rule: string;
  readonly message: string | null;
  /** Top-level argument keys, sorted; never values. */
  readonly argumentKeys: readonly string[] | null;
  readonly approvalId: string | null;
  /** Kept sealed, for replay; only when the server captures values. */
  readonly args?: JsonObject;
}

/** How the upstream took a call that was allowed. */
export interface UpstreamOutcome {
  readonly decisionId: string;
  readonly organizationId: string;
  /** HTTP status, or 0 for none. */
  readonly status: number;
  readonly latencyMs: number;
  /** `isError`, a JSON-RPC error's code, or a failure's kind; null for a plain result. */
  readonly problem: string | null;
}

export interface GatewayDecisionsService {
  /** Durable in the ledger when the promise resolves, with the decision's id. Rejects when it can't be: fail closed. */
  record(decision: DecisionRecord): Promise<string>;
  /** How a call ended upstream. Written together with others within a second; it delays no answer. */
  ended(outcome: UpstreamOutcome): void;
}
