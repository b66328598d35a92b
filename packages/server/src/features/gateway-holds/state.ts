import { limits } from "./limits.ts";
import type { HoldState } from "./types.ts";

export const HOLD_STATUSES = [
  "pending",
  "approved",
  "running",
  "executed",
  "unknown",
  "rejected",
  "expired",
  "cancelled",
] as const;
export type HoldStatus = (typeof HOLD_STATUSES)[number];

/** What a repeated call has to know of a hold; texts opened. */
export interface HoldFacts {
  readonly id: string;
  readonly approvalId: string;
  readonly status: HoldStatus;
  readonly expiresAtMs: number;
  readonly approvedUntilMs: number | null;
  readonly runningSinceMs: number | null;
  readonly runningUntilMs: number | null;
  readonly endedAtMs: number | null;
  readonly told: boolean;
  readonly reason: string | null;
  readonly result: string | null;
}

export const UNDECIDED = "nobody decided in time";
export const UNREPEATED = "it was approved, but not repeated in time";

/**
 * What a hold means for the same call now. Pure. What is over by the clock counts as over, whether or not it has been
 * written down yet.
 */
export function stateOf(hold: HoldFacts, nowMs: number): HoldState {
  const { id: holdId, approvalId } = hold;
  const sinceMs = hold.runningSinceMs ?? 0;
  switch (hold.status) {
    case "pending":
      if (hold.expiresAtMs <= nowMs) return { kind: "expired", approvalId, reason: UNDECIDED };
      return { kind: "pending", approvalId, expiresAt: new Date(hold.expiresAtMs) };
    case "approved":
      if (hold.approvedUntilMs! <= nowMs) return { kind: "expired", approvalId, reason: UNREPEATED };
      return { kind: "approved", approvalId, holdId };
    case "running":
      if (hold.runningUntilMs! <= nowMs) return { kind: "unknown", approvalId, sinceMs };
      return { kind: "running", approvalId, sinceMs };
    case "unknown":
      return hold.told ? { kind: "none" } : { kind: "unknown", approvalId, sinceMs };
    case "executed":
      if (within(hold, limits.replayMs, nowMs)) return { kind: "executed", approvalId, result: hold.result };
      return { kind: "none" };
    case "rejected":
      if (within(hold, limits.rejectedMs, nowMs))
        return { kind: "rejected", approvalId, reason: hold.reason };
      return { kind: "none" };
    case "expired":
      if (!within(hold, limits.expiredMs, nowMs)) return { kind: "none" };
      return {
        kind: "expired",
        approvalId,
        reason: hold.approvedUntilMs === null ? UNDECIDED : UNREPEATED,
      };
    case "cancelled":
      return { kind: "none" };
  }
}

const within = (hold: HoldFacts, ms: number, nowMs: number) => nowMs < hold.endedAtMs! + ms;
