import type { Transaction } from "../../engines/postgres/database.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { Approval, ApprovalHandler, ApprovalKindName, ApprovalRequest } from "./types.ts";

export type * from "./types.ts";

export interface ApprovalsService {
  /** Tells what to do with approvals of a kind; once per kind, before `start`. */
  register(handler: ApprovalHandler): void;
  /** Puts something into the inbox, as part of `tx`; notices go out once it has committed. Returns the approval's id. */
  request(tx: Transaction, request: ApprovalRequest, nowMs: number): Promise<string>;
  /**
   * One member's decision. Executes when it is the last one needed. Two at once: one wins, the other gets
   * 409 `wrong_status`. Throws AUTH_PERSON_REQUIRED, AUTH_INSUFFICIENT_PERMISSIONS (no right, or four eyes),
   * RESOURCE_NOT_FOUND.
   */
  decide(
    by: KeyPrincipal,
    what: { readonly id: string } | { readonly kind: ApprovalKindName; readonly subject: string },
    decision: { readonly decision: "approve" | "reject"; readonly reason: string | null },
    nowMs: number,
  ): Promise<Approval>;
  /** The latest approval about a subject, or null. */
  ofSubject(organizationId: string, kind: ApprovalKindName, subject: string): Promise<Approval | null>;
  /** What waits went away (e.g. its action was withdrawn). No-op when it waits no more. */
  cancel(tx: Transaction, organizationId: string, kind: ApprovalKindName, subject: string): Promise<void>;
}
