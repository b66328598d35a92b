import { rolesWith } from "../../kernel/access.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { KeyKind, Role } from "../../kernel/principal.ts";
import { approvalErrors } from "./errors.ts";
import type { Approval } from "./types.ts";

/** One person's decision on one approval, with everything that bears on whether it counts. */
export interface Ballot {
  readonly approval: Pick<
    Approval,
    "status" | "approvers" | "requester" | "decisions" | "expiresAt" | "decidedAt"
  >;
  readonly voter: { readonly accountId: string; readonly role: Role; readonly keyKind: KeyKind };
  readonly decision: "approve" | "reject";
  /** The organisation's setting. */
  readonly fourEyes: boolean | null;
  /** Members whose role includes the right to decide. */
  readonly deciders: number;
  /** Names of accounts, for the words of a refusal. */
  readonly people: ReadonlyMap<string, string>;
  readonly nowMs: number;
}

/** What comes of a ballot. `expired`: its time was over, and that has to be written down. */
export type BallotOutcome =
  | { readonly kind: "refused"; readonly error: AmbitError }
  | { readonly kind: "expired"; readonly error: AmbitError }
  | { readonly kind: "counted"; readonly status: "pending" | "approved" | "rejected" };

const DECIDING_ROLES: ReadonlySet<Role> = new Set(rolesWith("policy"));

/** Whether the member who answers for the requester is kept from approving. Pure. */
export const fourEyesHold = (setting: boolean | null, deciders: number): boolean => setting ?? deciders >= 2;

/**
 * Decides whether a decision counts and what it makes of the approval. Pure.
 * One rejection ends it; it takes `approvers` different people to approve. Under four eyes, whoever answers for the
 * requester may take the request back (reject), never approve it.
 */
export function decideBallot(ballot: Ballot): BallotOutcome {
  const { approval, voter, decision, nowMs } = ballot;
  const refuse = (error: AmbitError): BallotOutcome => ({ kind: "refused", error });
  if (voter.keyKind !== "person") return refuse(errors.AUTH_PERSON_REQUIRED());
  if (!DECIDING_ROLES.has(voter.role)) {
    return refuse(
      errors.AUTH_INSUFFICIENT_PERMISSIONS({
        message: `The role ${voter.role} does not include the right to decide on approvals.`,
        remediation: "Ask a policy manager, an admin or an owner of the organisation to decide.",
      }),
    );
  }
  if (approval.status !== "pending") return refuse(decidedAlready(approval, ballot.people));
  if (approval.expiresAt.getTime() <= nowMs) return { kind: "expired", error: expired(approval.expiresAt) };
  if (approval.decisions.some(({ accountId }) => accountId === voter.accountId)) {
    return refuse(approvalErrors.APPROVAL_TWICE());
  }
  if (decision === "reject") return { kind: "counted", status: "rejected" };
  if (approval.requester.accountId === voter.accountId && fourEyesHold(ballot.fourEyes, ballot.deciders)) {
    return refuse(
      errors.AUTH_INSUFFICIENT_PERMISSIONS({
        message: "This was asked for on your own account, and the organisation asks for four eyes.",
        remediation: "Have another member with the right to decide approve it; you may reject it.",
      }),
    );
  }
  const given = approval.decisions.length + 1;
  return { kind: "counted", status: given >= approval.approvers ? "approved" : "pending" };
}

/** `wrong_status`, with who decided and when. Pure. */
function decidedAlready(approval: Ballot["approval"], people: ReadonlyMap<string, string>): AmbitError {
  const last = approval.decisions.at(-1);
  const at = approval.decidedAt?.toISOString() ?? "an unknown time";
  if (approval.status === "expired") return expired(approval.decidedAt ?? approval.expiresAt);
  if (approval.status === "cancelled" || last === undefined) {
    return approvalErrors.wrong_status({
      message: `What waited was taken back at ${at}.`,
      details: { status: approval.status, decided_at: at },
    });
  }
  const who = people.get(last.accountId) ?? `account ${last.accountId}`;
  return approvalErrors.wrong_status({
    message: `This was ${approval.status} by ${who} at ${at}.`,
    details: { status: approval.status, decided_at: at, decided_by: last.accountId },
  });
}

const expired = (at: Date): AmbitError =>
  approvalErrors.wrong_status({
    message: `This expired at ${at.toISOString()}: nobody had decided in time.`,
    details: { status: "expired", decided_at: at.toISOString() },
  });
