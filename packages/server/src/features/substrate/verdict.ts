import type { Capability, Mode } from "./capabilities.ts";
import { cut } from "./cut.ts";
import { limits } from "./limits.ts";
import type { Conflict, Proposer, Verdict } from "./types.ts";

/** A principle that stands against a proposal, and what it asks for. */
export interface JudgedConflict extends Conflict {
  readonly effect: "require_approval" | "reject";
}

/** What an owner set for a capability. */
export interface Policy {
  readonly mode: Mode;
  /** How many people must approve when it waits. */
  readonly approvers: number;
}

/** Everything a verdict rests on. */
export interface VerdictFacts {
  readonly capability: Pick<
    Capability,
    "name" | "defaultMode" | "yoloEligible" | "sideEffect" | "governs" | "reversible"
  >;
  /** Null: no owner has set anything, the default holds. */
  readonly policy: Policy | null;
  readonly conflicts: readonly JudgedConflict[];
  readonly proposerKind: Proposer["kind"];
  /** The proposer asked to skip the approval. */
  readonly skip: boolean;
  /** An action that a person approved and that this would undo. */
  readonly undoesApproved?: string | null;
  /** The organisation lets people skip approvals where that is possible. */
  readonly yoloMode: boolean;
}

/**
 * Judges a proposal whose payload is valid. Pure. In this order: what an owner has forbidden, principles, what only a
 * person may do unasked (side effects, undoing what a person approved), the mode, and only then what a person may skip.
 */
export function decideVerdict(facts: VerdictFacts): Verdict {
  const { capability, policy, proposerKind } = facts;
  const { name } = capability;
  const conflicts = facts.conflicts.map(({ effect: _, ...conflict }) => conflict);
  const judged = (result: Verdict["result"], reason: string): Verdict => ({
    result,
    reason: cut(reason, limits.verdictReasonChars),
    conflicts,
  });

  if (policy?.mode === "forbidden") return judged("rejected", `An owner has forbidden ${name}.`);
  const rejecting = facts.conflicts.filter(({ effect }) => effect === "reject");
  if (rejecting.length > 0 && !capability.governs) return judged("rejected", principlesReason(rejecting));
  if (facts.conflicts.length > 0) return judged("requires_approval", principlesReason(facts.conflicts));
  if (capability.sideEffect && proposerKind !== "human") {
    return judged("requires_approval", `${name} reaches people outside, and no person proposed it.`);
  }
  if (facts.undoesApproved != null && proposerKind !== "human") {
    return judged(
      "requires_approval",
      `A person approved ${facts.undoesApproved}, and no person asks to undo it.`,
    );
  }
  const mode = policy?.mode ?? capability.defaultMode;
  if (mode === "auto") {
    return judged(
      "auto_approved",
      policy === null
        ? `${name} needs no approval by default.`
        : `An owner lets ${name} run without approval.`,
    );
  }
  if (policy === null && capability.yoloEligible && proposerKind === "human") {
    if (facts.skip) return judged("auto_approved_yolo", `A person chose to skip the approval of ${name}.`);
    if (facts.yoloMode) {
      return judged("auto_approved_yolo", `YOLO mode is on, and a person proposed ${name}.`);
    }
  }
  return judged("requires_approval", approvalReason(facts));
}

const principlesReason = (conflicts: readonly JudgedConflict[]): string =>
  conflicts.map(({ title, reason }) => `The principle "${title}" stands against it: ${reason}`).join(" ");

/** Why it waits, and why skipping was of no use when it was asked for. */
function approvalReason({ capability, policy, proposerKind, skip }: VerdictFacts): string {
  const { name } = capability;
  const people =
    policy !== null && policy.approvers > 1 ? `approval by ${policy.approvers} people` : "approval";
  const asks =
    policy === null ? `${name} needs ${people} by default.` : `An owner asks for ${people} of ${name}.`;
  if (!skip) return asks;
  if (proposerKind !== "human") return `${asks} Only a person may skip it.`;
  return `${asks} It can't be skipped.`;
}

/** How many people must approve what waits. Pure. */
export const approversOf = (policy: Policy | null): number => Math.max(1, policy?.approvers ?? 1);
