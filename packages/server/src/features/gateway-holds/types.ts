import type { JsonObject, Reservation } from "@ambit/policy";
import type { DecisionRecord } from "../gateway-decisions/service.ts";

/** Which call it is: two calls that agree in all of this are the same call, made again. */
export interface CallReference {
  readonly grantId: string;
  readonly serverId: string;
  readonly tool: string;
  readonly args: JsonObject;
}

/** Names a call without telling anything of it: a keyed hash of its canonical form. The same on every node. */
export type CallKey = string;

/** A call that a rule wants a person to see first. */
export interface HeldCall {
  readonly key: CallKey;
  readonly organizationId: string;
  readonly grant: { readonly id: string; readonly label: string; readonly accountId: string };
  readonly server: { readonly id: string; readonly name: string };
  readonly tool: string;
  readonly args: JsonObject;
  readonly policyId: string;
  readonly policyVersion: number;
  readonly rule: string;
  readonly message: string | null;
  /** What is known of the tool's risk; shown to whoever decides. */
  readonly risk: JsonObject | null;
  readonly reservations: readonly Reservation[];
  /** What goes into the decision log, in the same transaction. */
  readonly decision: DecisionRecord;
}

/** What there is about a call that is made again. */
export type HoldState =
  /** Nothing: a call like any other. */
  | { readonly kind: "none" }
  | { readonly kind: "pending"; readonly approvalId: string; readonly expiresAt: Date }
  /** A person said yes and it has not run: its quota is held already. */
  | { readonly kind: "approved"; readonly approvalId: string; readonly holdId: string }
  /** It is running, on whichever node. */
  | { readonly kind: "running"; readonly approvalId: string; readonly sinceMs: number }
  /** It was running when its node died: it may have run, and is never run again. Told once; then the call is a new one. */
  | { readonly kind: "unknown"; readonly approvalId: string; readonly sinceMs: number }
  /** It ran less than ten minutes ago: the result as it was, JSON text of the JSON-RPC result; null when there is none. */
  | { readonly kind: "executed"; readonly approvalId: string; readonly result: string | null }
  | {
      readonly kind: "rejected" | "expired";
      readonly approvalId: string;
      readonly reason: string | null;
    };

/** What today's policy says of a call that waits. */
export interface JudgedNow {
  readonly outcome: "allow" | "deny" | "hold";
  readonly rule: string;
  readonly message: string | null;
  readonly policyVersion: number | null;
  readonly risk: JsonObject | null;
}
export type JudgeNow = (call: CallReference) => Promise<JudgedNow>;

export interface GatewayHoldsService {
  /** Throws GATEWAY_CALL_NOT_HOLDABLE for arguments that have no canonical form (half a surrogate pair, nested too deep). */
  keyOf(call: CallReference): CallKey;
  /** The latest about this very call. Says `unknown` once. */
  find(key: CallKey, nowMs: number): Promise<HoldState>;
  /**
   * Puts a call into the inbox: hold, approval and decision in one transaction. When the same call waits already, answers
   * with that one and gives these reservations back. Throws QUOTA_APPROVALS, APPROVAL_TOO_LARGE and
   * VALIDATION_INVALID_SCHEMA: nothing was written then, and the reservations are still the caller's.
   */
  hold(call: HeldCall, nowMs: number): Promise<{ readonly approvalId: string; readonly expiresAt: Date }>;
  /** Claims an approved call for this one execution; false when somebody else has it. One node, once. */
  claim(holdId: string, nowMs: number): Promise<boolean>;
  /**
   * How the execution ended. `ran: "no"` makes it approved again (it provably never ran), so that it may be tried again;
   * otherwise the result is kept, sealed, for repeats within ten minutes, and in the ledger that it was executed.
   */
  finish(
    holdId: string,
    end: { readonly ran: "no" } | { readonly ran: "yes"; readonly result: string | null },
    nowMs: number,
  ): Promise<void>;
  /** An opaque `requestState` for a held call: authenticated, bound to the call, good once. The last eight are good. */
  issueState(approvalId: string, key: CallKey): Promise<string>;
  /** Uses it up; false when it is forged, another's, for other arguments, expired or used. */
  useState(state: string, key: CallKey, nowMs: number): Promise<boolean>;
  /**
   * Ends what waits of a grant that is no more: pending and approved calls are cancelled, their quota given back.
   * Returns how many.
   */
  cancelOfGrant(grantId: string): Promise<number>;
  /** The same for a server. */
  cancelOfServer(serverId: string): Promise<number>;
  /** Grants of which something waits or is approved, ids in order after `after`. */
  grantsWithHolds(after: string, limit: number): Promise<readonly string[]>;
  /** Who says what today's policy makes of a call; for previews. Once, before `start`. */
  judgeWith(judge: JudgeNow): void;
}
