import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { KeysService } from "../keys/service.ts";
import type { LedgerService } from "../ledger/service.ts";
import type { MailService } from "../mail/service.ts";
import type { OrganizationsService } from "../organizations/service.ts";
import type { OutboxService } from "../outbox/service.ts";
import { takeBack } from "./carry-out.ts";
import { decideIn } from "./decision.ts";
import { putIn, type Workings } from "./inbox.ts";
import { approvalOf, createEnvelope, listedOf } from "./rows.ts";
import { selectSettings, upsertSettings } from "./settings-store.ts";
import * as store from "./store.ts";
import type { Ticket } from "./ticket.ts";
import { createOneTimeTokens, type OneTimeTokens } from "./tokens.ts";
import type {
  Approval,
  ApprovalFilter,
  ApprovalHandler,
  ApprovalKindName,
  ApprovalRequest,
  ApprovalSettings,
  ApprovalView,
  ListedApproval,
} from "./types.ts";
import { viewOf } from "./view.ts";
import { kindsFor } from "./visibility.ts";

export { limits as approvalLimits } from "./limits.ts";
export type { OneTimeTokens } from "./tokens.ts";
export type * from "./types.ts";

/** What a person says; `previewHash` (from `view`) makes it hold only for what was shown. */
export interface Decision {
  readonly decision: "approve" | "reject";
  readonly reason: string | null;
  readonly previewHash?: string | null;
}

export interface ApprovalsService {
  /** Tells what to do with approvals of a kind; once per kind, before `start`. */
  register(handler: ApprovalHandler): void;
  /**
   * Puts something into the inbox, as part of `tx`; notices go out once it has committed. Returns the approval's id.
   * Throws APPROVAL_ALREADY_WAITS, APPROVAL_TOO_LARGE, QUOTA_APPROVALS, VALIDATION_INVALID_SCHEMA.
   */
  request(tx: Transaction, request: ApprovalRequest, nowMs: number): Promise<string>;
  /**
   * One member's decision. Executes when it is the last one needed; the answer's `failure` tells when that failed. Two
   * at once: one wins, the other gets 409 `wrong_status`. The key is looked up again, whatever a cache says of it.
   * Throws AUTH_INVALID_API_KEY, AUTH_PERSON_REQUIRED, AUTH_INSUFFICIENT_PERMISSIONS (no right, or four eyes),
   * RESOURCE_NOT_FOUND, APPROVAL_TWICE, and `preview_changed` when `previewHash` names another preview than today's.
   */
  decide(
    by: KeyPrincipal,
    what: { readonly id: string } | { readonly kind: ApprovalKindName; readonly subject: string },
    decision: Decision,
    nowMs: number,
  ): Promise<Approval>;
  /** The latest approval about a subject, or null. */
  ofSubject(organizationId: string, kind: ApprovalKindName, subject: string): Promise<Approval | null>;
  /** What waits went away (e.g. its action was withdrawn). No-op when it waits no more. */
  cancel(tx: Transaction, organizationId: string, kind: ApprovalKindName, subject: string): Promise<void>;
  /**
   * Takes what was asked for, what came of it and what people said out of every approval about these subjects, as part
   * of `tx`; what waits is cancelled first. That it was asked for, and who decided, stays.
   */
  erase(
    tx: Transaction,
    organizationId: string,
    kind: ApprovalKindName,
    subjects: readonly string[],
  ): Promise<void>;
  /** One approval as the caller may see it now, with what approving would do. Throws RESOURCE_NOT_FOUND. */
  view(by: KeyPrincipal, id: string, nowMs: number): Promise<ApprovalView>;
  /** Approvals the caller may see, newest first, with the addresses of those who decided. */
  list(
    by: KeyPrincipal,
    filter: ApprovalFilter,
  ): Promise<{ readonly approvals: readonly ListedApproval[]; readonly people: ReadonlyMap<string, string> }>;
  /** Addresses of the accounts that decided. */
  people(approval: Approval): Promise<ReadonlyMap<string, string>>;
  settings(organizationId: string): Promise<ApprovalSettings>;
  /** Changes the settings that are given; returns all. */
  configure(organizationId: string, change: Partial<ApprovalSettings>): Promise<ApprovalSettings>;
  /** For the page: confirmations that are used once, sessions that were ended. */
  readonly tokens: OneTimeTokens;
}

export interface ApprovalsDeps {
  readonly ledger: LedgerService;
  readonly outbox: OutboxService;
  readonly mail: MailService;
  readonly organizations: OrganizationsService;
  readonly keys: Pick<KeysService, "byId">;
}

/** The service, its workings, and what the expiry needs of it. */
export function createApprovalsService(
  platform: Platform,
  deps: ApprovalsDeps,
): { service: ApprovalsService; ticket: Ticket } {
  const { database, secrets, metrics, publicUrl } = platform;
  const counter = metrics.counter("ambit_approvals_total", "Approvals by what happened to them.", ["event"]);
  const workings: Workings = {
    ...{ platform, ledger: deps.ledger, envelope: createEnvelope(secrets), publicUrl },
    ...{ outbox: deps.outbox, mail: deps.mail, organizations: deps.organizations },
    count: (event) => counter.inc({ event }),
  };
  const handlers = new Map<ApprovalKindName, ApprovalHandler>();
  const ticket: Ticket = { ...deps, workings, handlers };
  const service: ApprovalsService = {
    register(handler) {
      if (handlers.has(handler.kind)) throw new Error(`approvals of kind ${handler.kind} have a handler`);
      handlers.set(handler.kind, handler);
    },
    async request(tx, request, nowMs) {
      if (!handlers.has(request.kind)) throw new Error(`approvals of kind ${request.kind} have no handler`);
      return putIn(workings, tx, request, nowMs);
    },
    decide: (by, what, decision, nowMs) => decideIn(ticket, by, what, decision, nowMs),
    async ofSubject(organizationId, kind, subject) {
      const id = await store.selectIdOfSubject(database, organizationId, kind, subject);
      const row = id === null ? null : await store.selectApproval(database, organizationId, id);
      if (row === null) return null;
      return approvalOf(row, await store.selectDecisions(database, [row.id]), workings.envelope);
    },
    async cancel(tx, organizationId, kind, subject) {
      const id = await store.selectIdOfSubject(tx, organizationId, kind, subject);
      const row = id === null ? null : await store.lockApproval(tx, organizationId, id);
      if (row?.status !== "pending") return;
      const approval = approvalOf(row, await store.selectDecisions(tx, [row.id]), workings.envelope);
      await takeBack(workings, tx, approval, platform.clock());
    },
    async erase(tx, organizationId, kind, subjects) {
      for (const { id, subject, status } of await store.lockAbout(tx, organizationId, kind, subjects)) {
        if (status === "pending") await service.cancel(tx, organizationId, kind, subject);
        await store.eraseApproval(tx, id, workings.envelope.seal(id, { erased: true }));
      }
    },
    view: (by, id, nowMs) => viewOf(ticket, by, id, nowMs),
    async list(by, filter) {
      const kinds = kindsFor(by.scopes).filter((kind) => filter.kind === undefined || kind === filter.kind);
      const rows = await store.selectApprovals(database, by.organizationId, kinds, filter);
      const ids = rows.map(({ id }) => id);
      const decisions = ids.length === 0 ? [] : await store.selectDecisions(database, ids);
      const accounts = decisions.map(({ account_id }) => account_id);
      return {
        approvals: rows.map((row) => listedOf(row, decisions)),
        people: await deps.organizations.addresses(database, accounts),
      };
    },
    people: ({ decisions }) =>
      deps.organizations.addresses(
        database,
        decisions.map(({ accountId }) => accountId),
      ),
    settings: (organizationId) => selectSettings(database, organizationId),
    async configure(organizationId, change) {
      await upsertSettings(database, organizationId, change);
      return selectSettings(database, organizationId);
    },
    tokens: createOneTimeTokens(database),
  };
  return { service, ticket };
}
