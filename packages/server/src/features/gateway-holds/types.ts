import type { JsonObject, Reservation } from "@ambit/policy";
import type { DecisionRecord } from "../gateway-decisions/service.ts";

/** A call that a rule wants a person to see first. */
export interface HeldCall {
  readonly organizationId: string;
  readonly grant: { readonly id: string; readonly label: string; readonly accountId: string };
  readonly server: { readonly id: string; readonly name: string };
  readonly tool: string;
  readonly args: JsonObject;
  readonly policyId: string;
  readonly policyVersion: number;
  readonly rule: string;
  readonly message: string | null;
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
  /** It is running, or was when a node died: nobody knows yet. */
  | { readonly kind: "running"; readonly approvalId: string; readonly sinceMs: number }
  /** It ran less than ten minutes ago: the result as it was, JSON text of the JSON-RPC result. */
  | { readonly kind: "executed"; readonly approvalId: string; readonly result: string | null }
  | {
      readonly kind: "rejected" | "expired";
      readonly approvalId: string;
      readonly reason: string | null;
    };

export interface GatewayHoldsService {
  /** The latest about this very call: same grant, tool and arguments (by their keyed hash). */
  find(grantId: string, serverId: string, tool: string, args: JsonObject, nowMs: number): Promise<HoldState>;
  /**
   * Puts a call into the inbox: hold, approval and decision in one transaction. When the same call waits already, answers
   * with that one and gives these reservations back. Throws QUOTA_APPROVALS.
   */
  hold(call: HeldCall, nowMs: number): Promise<{ readonly approvalId: string; readonly expiresAt: Date }>;
  /** Claims an approved call for this one execution; false when somebody else has it. */
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
  /** An opaque `requestState` for a held call: authenticated, bound to grant, tool and arguments, good once. */
  issueState(
    approvalId: string,
    grantId: string,
    tool: string,
    args: JsonObject,
    nowMs: number,
  ): Promise<string>;
  /** Uses it up; false when it is forged, another's, for other arguments, expired or used. */
  useState(state: string, grantId: string, tool: string, args: JsonObject, nowMs: number): Promise<boolean>;
}
